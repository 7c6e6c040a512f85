//! Names that were replaced by the field's terms, and must not come back: of modules as files, of types as identifiers.
//!
//! [`LIST`] has a line each: the kind, the name, where it is retired, and what took its place. Where is a path that files
//! begin with, or several separated by `,`; `*` is everywhere. A module's name is the path it had.

use anyhow::{Context, Result};
use proc_macro2::{TokenStream, TokenTree};

use super::Findings;
use super::sources::Sources;

const LIST: &str = include_str!("retired.txt");

/// One line of [`LIST`].
struct Retired<'a> {
    kind: Kind,
    name: &'a str,
    scopes: Vec<&'a str>,
    instead: &'a str,
}

#[derive(PartialEq)]
enum Kind {
    Module,
    /// Of a type, or a function.
    Identifier,
}

/// A name in a file, and its line.
pub(super) struct Identifier {
    pub(super) name: String,
    pub(super) line: usize,
}

/// Every identifier of a Rust file: none from comments, documentation or strings.
///
/// # Errors
/// When the file is not Rust.
pub(super) fn identifiers(path: &str, text: &str) -> Result<Vec<Identifier>> {
    let tokens: TokenStream =
        text.parse().map_err(|error| anyhow::anyhow!("{error}")).with_context(|| format!("Failed to parse {path}"))?;
    let mut found = Vec::new();
    collect(tokens, &mut found);
    Ok(found)
}

fn collect(tokens: TokenStream, found: &mut Vec<Identifier>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => collect(group.stream(), found),
            TokenTree::Ident(ident) => {
                found.push(Identifier { name: ident.to_string(), line: ident.span().start().line });
            }
            _ => {}
        }
    }
}

/// Where a retired name is used again.
///
/// # Errors
/// When a source file is not Rust.
pub(super) fn check(sources: &Sources) -> Result<Findings> {
    against(&parse(LIST)?, sources)
}

fn parse(list: &str) -> Result<Vec<Retired<'_>>> {
    let lines = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let parsed = lines.map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (kind, name, scope) = match fields[..] {
            ["module", name, "->", ..] => (Kind::Module, name, "*"),
            ["name", name, "in", scope, "->", ..] => (Kind::Identifier, name, scope),
            _ => return None,
        };
        let (_, instead) = line.split_once("-> ")?;
        Some(Retired { kind, name, scopes: scope.split(',').collect(), instead })
    });
    let lines = parsed.collect::<Option<Vec<_>>>();
    lines.context("a line of retired.txt is neither `module PATH -> NEW` nor `name NAME in SCOPE -> NEW`")
}

fn against(list: &[Retired], sources: &Sources) -> Result<Findings> {
    let mut findings = Findings::new();
    for module in list.iter().filter(|it| it.kind == Kind::Module) {
        let file = format!("{}.rs", module.name);
        if let Some((path, _)) = sources.at(module.name).chain(sources.at(&file)).next() {
            findings.push(format!("{path}: the module `{}` is retired; it is {}", module.name, module.instead));
        }
    }
    for (path, text) in sources.ending(".rs") {
        let within = |it: &&Retired| it.scopes.iter().any(|scope| *scope == "*" || path.starts_with(scope));
        let here: Vec<_> = list.iter().filter(|it| it.kind == Kind::Identifier).filter(within).collect();
        // Most files contain none of them as text.
        if !here.iter().any(|it| text.contains(it.name)) {
            continue;
        }
        for Identifier { name, line } in identifiers(path, text)? {
            if let Some(it) = here.iter().find(|it| it.name == name) {
                findings.push(format!("{path}:{line}: `{name}` is retired; it is {}", it.instead));
            }
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &str = "# Comment.\nmodule c/src/post -> mail_transport\nname Road in * -> PeerConnection\nname Line in c/src,d/src -> PortalRuntime\n";

    fn findings(path: &str, text: &str) -> Findings {
        against(&parse(NAMES).unwrap(), &Sources::of(&[(path, text)])).unwrap()
    }

    #[test]
    fn a_retired_name_is_found_where_it_is_retired() {
        assert_eq!(findings("e/a.rs", "\nstruct Road;"), ["e/a.rs:2: `Road` is retired; it is PeerConnection"]);
        assert_eq!(findings("d/src/a.rs", "fn f() { log!(Line::new()) }").len(), 1);
        assert_eq!(
            findings("e/a.rs", "struct Line; struct Roads; // Road\n/// Road\nconst X: &str = \"Road\";"),
            Findings::new()
        );
    }

    #[test]
    fn a_retired_module_is_found_as_file_and_as_directory() {
        let expected = "the module `c/src/post` is retired; it is mail_transport";
        assert_eq!(findings("c/src/post.rs", ""), [format!("c/src/post.rs: {expected}")]);
        assert_eq!(findings("c/src/post/mod.rs", ""), [format!("c/src/post/mod.rs: {expected}")]);
        assert_eq!(findings("c/src/postal.rs", ""), Findings::new());
    }

    #[test]
    fn the_list_is_read() {
        assert!(!parse(LIST).unwrap().is_empty());
        assert!(parse("name Road everywhere").is_err());
    }
}
