//! Documents that name files and constants: what they name must be there.

use std::collections::BTreeSet;

use anyhow::Result;

use super::markdown::{Row, Table, code, tables};
use super::sources::Sources;
use super::{Findings, manifests, retired};

const ARCHITECTURE: &str = "ARCHITECTURE.md";
const WHERE_IS_WHAT: &str = "## Where is what";
const LIMITS: &str = "docs/limits.md";
const DEPENDENCIES: &str = "docs/dependencies.md";
const THREATS: &str = "docs/threat-model.md";

/// The tables of a document that `wanted` picks, or why there are none.
fn wanted(sources: &Sources, path: &str, what: &str, wanted: impl Fn(&Table) -> bool) -> Result<Vec<Table>, Findings> {
    let Some(text) = sources.text(path) else { return Err(vec![format!("{path} does not exist")]) };
    let found: Vec<Table> = tables(text).into_iter().filter(wanted).collect();
    if found.iter().all(|table| table.rows.is_empty()) {
        Err(vec![format!("{path}: no table {what}")])
    } else {
        Ok(found)
    }
}

/// Every path of "Where is what" exists, and where it is followed by `::item`, names that item.
pub(super) fn where_is_what(sources: &Sources) -> Findings {
    let under_heading = |table: &Table| table.heading == WHERE_IS_WHAT;
    let tables = match wanted(sources, ARCHITECTURE, &format!("under `{WHERE_IS_WHAT}`"), under_heading) {
        Ok(tables) => tables,
        Err(findings) => return findings,
    };
    let mut findings = Findings::new();
    for row in tables.iter().flat_map(|table| &table.rows) {
        let at = format!("{ARCHITECTURE}:{}", row.line);
        let mut paths = row.cells.iter().flat_map(|cell| code(cell)).filter(|code| is_path(code)).peekable();
        if paths.peek().is_none() {
            findings.push(format!("{at}: the row names no path"));
        }
        findings.extend(paths.filter_map(|path| missing(sources, path)).map(|why| format!("{at}: {why}")));
    }
    findings
}

/// What stands in backticks is a path if it has directories or the ending of a file that is checked.
fn is_path(code: &str) -> bool {
    let path = code.split("::").next().unwrap_or(code);
    let file = [".rs", ".ts", ".svelte", ".toml", ".md"].iter().any(|ending| path.ends_with(ending));
    (file || path.contains('/')) && !path.contains(' ')
}

/// Why a path, with an item behind it or without, is not there.
fn missing(sources: &Sources, code: &str) -> Option<String> {
    let (path, item) = code.split_once("::").map_or((code, None), |(path, item)| (path, Some(item)));
    let mut files = sources.at(path).peekable();
    if files.peek().is_none() {
        return Some(format!("`{path}` does not exist"));
    }
    let name = item?.rsplit("::").next()?.trim_end_matches("()");
    (!files.any(|(_, text)| has_word(text, name))).then(|| format!("`{name}` does not occur in `{path}`"))
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|character: char| !character.is_alphanumeric() && character != '_').any(|it| it == word)
}

/// Every constant that the table of limits names occurs in the sources, in a file of the modules before it.
///
/// # Errors
/// When a source file is not Rust.
pub(super) fn limits(sources: &Sources) -> Result<Findings> {
    let names_constants = |table: &Table| table.head.iter().any(|name| name == "constant");
    let tables = match wanted(sources, LIMITS, "with a column `constant`", names_constants) {
        Ok(tables) => tables,
        Err(findings) => return Ok(findings),
    };
    let files = sources.ending(".rs").map(|(path, text)| Ok((path, retired::identifiers(path, text)?)));
    let files = files.collect::<Result<Vec<_>>>()?;
    let files: Vec<(&str, BTreeSet<&str>)> =
        files.iter().map(|(path, found)| (*path, found.iter().map(|it| it.name.as_str()).collect())).collect();
    let mut findings = Findings::new();
    for table in &tables {
        let column = table.head.iter().position(|name| name == "constant").unwrap_or_default();
        for Row { line, cells } in &table.rows {
            for name in cells.get(column).into_iter().flat_map(|cell| code(cell)) {
                if is_path(name) {
                    findings.extend(missing(sources, name).map(|why| format!("{LIMITS}:{line}: {why}")));
                } else if !files.iter().any(|(path, found)| names(path, found, name)) {
                    findings.push(format!("{LIMITS}:{line}: `{name}` is not in the sources"));
                }
            }
        }
    }
    Ok(findings)
}

/// Whether a file contains the last part of `tcp::outbox::BUDGET`, and each part before it is in the file or in its path.
fn names(path: &str, found: &BTreeSet<&str>, code: &str) -> bool {
    let modules: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
    let mut parts = code.rsplit("::");
    parts.next().is_some_and(|name| found.contains(name)) && parts.all(|it| modules.contains(&it) || found.contains(it))
}

/// Every direct dependency has its reason in the table, and every reason its dependency.
pub(super) fn dependencies(sources: &Sources) -> Findings {
    let used = manifests::direct_dependencies(sources);
    let of_crates = |table: &Table| table.head.first().is_some_and(|name| name == "crate");
    let mut findings = manifests::versions_outside_the_root(sources);
    match wanted(sources, DEPENDENCIES, "with `crate` as its first column", of_crates) {
        Err(none) => findings.extend(none),
        Ok(tables) => {
            let first_cells = tables.iter().flat_map(|table| &table.rows).filter_map(|row| row.cells.first());
            let explained: BTreeSet<&str> =
                first_cells.flat_map(|cell| cell.split(',')).map(|name| name.trim().trim_matches('`')).collect();
            findings.extend(used.difference(&explained).map(|name| format!("{DEPENDENCIES}: no reason for `{name}`")));
            findings
                .extend(explained.difference(&used).map(|name| format!("{DEPENDENCIES}: nothing depends on `{name}`")));
        }
    }
    findings
}

/// Every row of the threat model names the tests that show it, or says `none`.
///
/// # Errors
/// When a source file is not Rust.
pub(super) fn threats(sources: &Sources) -> Result<Findings> {
    let names_tests = |table: &Table| table.head.last().is_some_and(|name| name == "test");
    let tables = match wanted(sources, THREATS, "with `test` as its last column", names_tests) {
        Ok(tables) => tables,
        Err(findings) => return Ok(findings),
    };
    let functions: BTreeSet<&str> = sources.ending(".rs").flat_map(|(_, text)| functions(text)).collect();
    let mut findings = Findings::new();
    for (table, row) in tables.iter().flat_map(|table| table.rows.iter().map(move |row| (table, row))) {
        let at = format!("{THREATS}:{}", row.line);
        let cell = row.cells.get(table.head.len() - 1).map_or("", String::as_str);
        if code(cell).next().is_none() && cell != "none" {
            findings.push(format!("{at}: the row names no test"));
        }
        let unknown = code(cell).filter(|name| !functions.contains(name));
        findings.extend(unknown.map(|name| format!("{at}: there is no test `{name}`")));
    }
    Ok(findings)
}

/// The names of the functions in a file.
fn functions(text: &str) -> impl Iterator<Item = &str> {
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    text.lines()
        .filter_map(|line| line.trim_start().trim_start_matches("async ").strip_prefix("fn "))
        .filter_map(move |rest| rest.split(|character| !is_name(character)).next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threat_without_a_test_is_found() {
        let check = |rows: &str| {
            let document = format!("| | what | test |\n|---|---|---|\n{rows}");
            let tests = "#[test]\nfn it_holds() {}\n#[tokio::test]\nasync fn it_waits() {}\n";
            threats(&Sources::of(&[("docs/threat-model.md", document.as_str()), ("c/src/a.rs", tests)])).unwrap()
        };
        assert_eq!(check("| can | a | `it_holds`, `it_waits` |\n| can | b | none |\n"), Findings::new());
        assert_eq!(check("| can | a | `it_hold` |\n"), ["docs/threat-model.md:3: there is no test `it_hold`"]);
        assert_eq!(check("| can | a | |\n"), ["docs/threat-model.md:3: the row names no test"]);
        assert_eq!(check("| can | `it_holds` |\n"), ["docs/threat-model.md:3: the row names no test"]);
    }

    #[test]
    fn a_path_or_an_item_that_is_not_there_is_found() {
        let table = "## Where is what\n\n| what | where |\n|---|---|\n";
        let check = |rows: &str| {
            let document = format!("{table}{rows}");
            let files =
                [("ARCHITECTURE.md", document.as_str()), ("c/src/a.rs", "fn grow() {}"), ("c/src/b/mod.rs", "")];
            where_is_what(&Sources::of(&files))
        };
        assert_eq!(check("| a window | `c/src/a.rs::grow`, `c/src/b/` |\n| b | `c/src/b` |\n"), Findings::new());
        assert_eq!(check("| a | `c/src/gone.rs` |\n"), ["ARCHITECTURE.md:5: `c/src/gone.rs` does not exist"]);
        assert_eq!(check("| a | `c/src/a.rs::gro` |\n"), ["ARCHITECTURE.md:5: `gro` does not occur in `c/src/a.rs`"]);
        assert_eq!(check("| a | b |\n"), ["ARCHITECTURE.md:5: the row names no path"]);
        assert_eq!(check(""), ["ARCHITECTURE.md: no table under `## Where is what`"]);
    }

    #[test]
    fn a_constant_that_is_not_there_is_found() {
        let check = |constants: &str| {
            let document = format!("| what | limit | constant |\n|---|---|---|\n| a | 1 | {constants} |\n");
            let files = [("docs/limits.md", document.as_str()), ("c/src/tcp/outbox.rs", "const BUDGET: usize = 1;")];
            limits(&Sources::of(&files)).unwrap()
        };
        assert_eq!(check("`tcp::outbox::BUDGET`, `BUDGET` in `c/src/tcp/outbox.rs`"), Findings::new());
        assert_eq!(check("`tcp::BUDGETS`"), ["docs/limits.md:3: `tcp::BUDGETS` is not in the sources"]);
        assert_eq!(check("`relay::BUDGET`"), ["docs/limits.md:3: `relay::BUDGET` is not in the sources"]);
        assert_eq!(limits(&Sources::default()).unwrap(), ["docs/limits.md does not exist"]);
    }

    #[test]
    fn a_dependency_without_a_reason_and_a_reason_without_a_dependency_are_found() {
        let manifest = "[dependencies]\nserde.workspace = true\nown = { path = \"../own\" }\n[dev-dependencies]\nhex.workspace = true\n";
        let check = |crates: &str| {
            let document = format!("| crate | why |\n|---|---|\n| {crates} | it |\n");
            let files = [
                ("docs/dependencies.md", document.as_str()),
                ("c/Cargo.toml", manifest),
                ("Cargo.toml", "exclude = []"),
            ];
            dependencies(&Sources::of(&files))
        };
        assert_eq!(check("serde, hex"), Findings::new());
        assert_eq!(
            check("serde, rand"),
            ["docs/dependencies.md: no reason for `hex`", "docs/dependencies.md: nothing depends on `rand`"]
        );
    }
}
