//! The modules of a crate: which file holds which, what each defines, and what it takes from elsewhere by name.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use syn::spanned::Spanned;
use syn::{Attribute, Item, UseTree};

use super::sources::Sources;

/// A path of identifiers: of a module from the crate's root, or as it is written in code.
pub(super) type Path = Vec<String>;

/// One module, in a file of its own or inline.
#[derive(Default)]
pub(super) struct Module {
    /// The file that contains it, from the root of the repository.
    pub(super) file: String,
    /// What it defines, without modules.
    pub(super) items: BTreeSet<String>,
    /// What it imports.
    pub(super) uses: Vec<Use>,
}

/// One name that a `use` declares.
#[derive(Debug)]
pub(super) struct Use {
    /// The name in this module; `*` for all.
    pub(super) name: String,
    /// What it stands for, as written.
    pub(super) target: Path,
}

/// A parsed file.
pub(super) struct File {
    pub(super) path: String,
    pub(super) module: Path,
    pub(super) syntax: syn::File,
}

/// All modules of a crate outside its tests.
pub(super) struct Modules {
    pub(super) modules: BTreeMap<Path, Module>,
    pub(super) files: Vec<File>,
}

impl Modules {
    /// Parses every file below a crate's `src`, except those of tests.
    ///
    /// # Errors
    /// When one is not Rust.
    pub(super) fn parse(sources: &Sources, root: &str) -> Result<Self> {
        let mut files = Vec::new();
        for (path, text) in sources.at(root).filter(|(path, _)| path.ends_with(".rs")) {
            let module = module_of(&path[root.len()..]);
            let syntax = syn::parse_file(text).with_context(|| format!("Failed to parse {path}"))?;
            files.push(File { path: path.into(), module, syntax });
        }
        let tests: BTreeSet<Path> =
            files.iter().flat_map(|file| test_modules(&file.syntax.items, &file.module)).collect();
        files.retain(|file| !of_tests(&file.module, &tests));
        let mut modules = BTreeMap::new();
        for file in &files {
            collect(&mut modules, &file.path, &file.module, &file.syntax.items);
        }
        Ok(Self { modules, files })
    }
}

/// The module that a file below `src` is: `/portal/mod.rs` and `/portal.rs` are `portal`, `/lib.rs` is the root.
fn module_of(file: &str) -> Path {
    let mut path: Path = file.trim_matches('/').trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if path.last().is_some_and(|last| last == "mod") || path.len() == 1 && ["lib", "main"].contains(&path[0].as_str()) {
        path.pop();
    }
    path
}

/// Modules that are compiled for tests only.
fn test_modules(items: &[Item], module: &Path) -> Vec<Path> {
    let mut found = Vec::new();
    for item in items {
        if let Item::Mod(inner) = item {
            let path = child(module, &inner.ident.to_string());
            if for_tests(&inner.attrs) {
                found.push(path);
            } else if let Some((_, items)) = &inner.content {
                found.extend(test_modules(items, &path));
            }
        }
    }
    found
}

fn of_tests(module: &Path, tests: &BTreeSet<Path>) -> bool {
    module.iter().any(|name| name == "tests") || (1..=module.len()).any(|length| tests.contains(&module[..length]))
}

/// Whether an item is there for tests only: `#[cfg(test)]`, alone or with further conditions.
pub(super) fn for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        let condition = list.tokens.to_string();
        attribute.path().is_ident("cfg")
            && (condition == "test" || condition.starts_with("all") && condition.contains("test"))
    })
}

fn collect(modules: &mut BTreeMap<Path, Module>, file: &str, path: &Path, items: &[Item]) {
    let mut module = Module { file: file.into(), ..Module::default() };
    for item in items.iter().filter(|item| !for_tests(attributes(item))) {
        match item {
            Item::Mod(inner) => {
                if let Some((_, items)) = &inner.content {
                    collect(modules, file, &child(path, &inner.ident.to_string()), items);
                }
            }
            Item::Use(it) => {
                uses_in(&it.tree, &mut Vec::new(), &mut |name, target, _| module.uses.push(Use { name, target }));
            }
            other => module.items.extend(name(other)),
        }
    }
    modules.insert(path.clone(), module);
}

pub(super) fn child(module: &Path, name: &str) -> Path {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

/// Takes a `use` apart: gives each name it brings, the path that it stands for, and the line.
pub(super) fn uses_in(tree: &UseTree, prefix: &mut Path, give: &mut impl FnMut(String, Path, usize)) {
    let with = |prefix: &Path, name: &syn::Ident| {
        let mut path = prefix.clone();
        if name != "self" || path.is_empty() {
            path.push(name.to_string());
        }
        path
    };
    let line = tree.span().start().line;
    match tree {
        UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            uses_in(&path.tree, prefix, give);
            prefix.pop();
        }
        UseTree::Name(name) => {
            let target = with(prefix, &name.ident);
            give(target.last().cloned().unwrap_or_default(), target, line);
        }
        UseTree::Rename(rename) => give(rename.rename.to_string(), with(prefix, &rename.ident), line),
        UseTree::Glob(_) => give("*".into(), prefix.clone(), line),
        UseTree::Group(group) => group.items.iter().for_each(|tree| uses_in(tree, prefix, give)),
    }
}

/// The attributes of an item.
pub(super) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::ExternCrate(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::ForeignMod(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::TraitAlias(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Union(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

fn name(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(it) => it.ident.to_string(),
        Item::Enum(it) => it.ident.to_string(),
        Item::Fn(it) => it.sig.ident.to_string(),
        Item::Macro(it) => it.ident.as_ref()?.to_string(),
        Item::Static(it) => it.ident.to_string(),
        Item::Struct(it) => it.ident.to_string(),
        Item::Trait(it) => it.ident.to_string(),
        Item::Type(it) => it.ident.to_string(),
        Item::Union(it) => it.ident.to_string(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_tests_are_left_out_with_all_below_them() {
        let sources = Sources::of(&[
            ("c/src/lib.rs", "mod a; #[cfg(test)] mod world;"),
            ("c/src/a.rs", "pub fn x() {} #[cfg(test)] mod tests;"),
            ("c/src/a/tests.rs", ""),
            ("c/src/world/mod.rs", "mod deep;"),
            ("c/src/world/deep.rs", ""),
        ]);
        let modules = Modules::parse(&sources, "c/src").unwrap();
        let files: Vec<_> = modules.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(files, ["c/src/a.rs", "c/src/lib.rs"]);
        assert!(modules.modules[&vec!["a".to_owned()]].items.contains("x"));
    }

    #[test]
    fn a_use_is_taken_apart() {
        let syntax: syn::ItemUse = syn::parse_str("use crate::a::{self, B as C, d::*, e};").unwrap();
        let mut found = Vec::new();
        uses_in(&syntax.tree, &mut Vec::new(), &mut |name, target, _| {
            found.push(format!("{name} = {}", target.join("::")));
        });
        assert_eq!(found, ["a = crate::a", "C = crate::a::B", "* = crate::a::d", "e = crate::a::e"]);
    }
}
