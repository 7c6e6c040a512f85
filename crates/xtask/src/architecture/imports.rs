//! Which file of a crate takes something from which other: by `use`, and by paths in code, macros included.
//!
//! A re-export of what a module's own children define is no import: it says what the module consists of.

use std::collections::BTreeMap;

use anyhow::Result;
use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{ImplItem, Item, Macro};

use super::modules::{File, Modules, Path, attributes, child, for_tests};
use super::sources::Sources;

/// The files of a crate outside its tests, and for each what it takes from others.
#[derive(Default)]
pub(super) struct Imports {
    pub(super) files: BTreeMap<String, BTreeMap<String, Reference>>,
}

/// The first place where one file names another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) line: usize,
    pub(super) path: String,
}

/// The imports between the files below a crate's `src`.
///
/// # Errors
/// When a file is not Rust.
pub(super) fn of_crate(sources: &Sources, root: &str) -> Result<Imports> {
    let modules = Modules::parse(sources, root)?;
    let mut imports = Imports::default();
    for file in &modules.files {
        imports.files.entry(file.path.clone()).or_default();
        for reference in References::of(file) {
            let Some(target) = modules.resolve(&reference.module, &reference.path) else { continue };
            let re_export = reference.exported && target.starts_with(&file.module);
            let target = &modules.modules[&target].file;
            if *target != file.path && !re_export {
                let found = Reference { line: reference.line, path: reference.path.join("::") };
                imports.files.entry(file.path.clone()).or_default().entry(target.clone()).or_insert(found);
            }
        }
    }
    Ok(imports)
}

/// A path as written in code.
struct Written {
    module: Path,
    path: Path,
    line: usize,
    exported: bool,
}

/// Collects the paths of one file, with the module (inline ones too) of each.
struct References {
    module: Path,
    found: Vec<Written>,
}

impl References {
    fn of(file: &File) -> Vec<Written> {
        let mut references = Self { module: file.module.clone(), found: Vec::new() };
        references.visit_file(&file.syntax);
        references.found
    }

    fn add(&mut self, path: Path, line: usize, exported: bool) {
        self.found.push(Written { module: self.module.clone(), path, line, exported });
    }

    /// Paths in a macro's tokens: only those that begin with `crate`, `self` or `super` are recognised.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Path = Vec::new();
        let mut line = 0;
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons < 2 {
                        self.finish(&mut path, line);
                    }
                    let name = ident.to_string();
                    if colons == 2 && !path.is_empty() {
                        path.push(name);
                    } else if ["crate", "self", "super"].contains(&name.as_str()) {
                        line = ident.span().start().line;
                        path.push(name);
                    }
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.finish(&mut path, line);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.add_tokens(group.stream());
                    }
                }
            }
        }
        self.finish(&mut path, line);
    }

    fn finish(&mut self, path: &mut Path, line: usize) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.add(path, line, false);
        }
    }
}

impl<'ast> Visit<'ast> for References {
    fn visit_item(&mut self, item: &'ast Item) {
        if !for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Fn(it) => &it.attrs,
            ImplItem::Const(it) => &it.attrs,
            _ => return visit::visit_impl_item(self, item),
        };
        if !for_tests(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let inner = child(&self.module, &item.ident.to_string());
        let outer = std::mem::replace(&mut self.module, inner);
        visit::visit_item_mod(self, item);
        self.module = outer;
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let exported = !matches!(item.vis, syn::Visibility::Inherited);
        super::modules::uses_in(&item.tree, &mut Vec::new(), &mut |_, target, line| self.add(target, line, exported));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Path = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if segments.len() > 1 {
            let line = path.segments[0].ident.span().start().line;
            self.add(segments, line, false);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, it: &'ast Macro) {
        self.add_tokens(it.tokens.clone());
        visit::visit_macro(self, it);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imported(file: &str, files: &[(&str, &str)]) -> Vec<String> {
        let imports = of_crate(&Sources::of(files), "c/src").unwrap();
        let found = imports.files[file].iter();
        found.map(|(target, reference)| format!("{target}:{} {}", reference.line, reference.path)).collect()
    }

    #[test]
    fn uses_paths_and_macros_are_imports() {
        let lib = ("c/src/lib.rs", "mod a; mod b; mod d;");
        let b = ("c/src/b.rs", "pub struct B; pub fn f() {}");
        let d = ("c/src/d.rs", "pub fn g() {}");
        for (text, expected) in [
            ("use crate::b::B;", &["c/src/b.rs:1 crate::b::B"][..]),
            ("\nfn x() { super::b::f(); }", &["c/src/b.rs:2 super::b::f"]),
            ("fn x(_: &crate::b::B) { crate::d::g(); }", &["c/src/b.rs:1 crate::b::B", "c/src/d.rs:1 crate::d::g"]),
            ("fn x() { log!(one: \"{}\", { crate::d::g(); }); }", &["c/src/d.rs:1 crate::d::g"]),
            ("mod inner { fn x() { super::super::d::g() } }", &["c/src/d.rs:1 super::super::d::g"]),
            ("#[cfg(test)] mod tests { use crate::b::B; }", &[]),
            ("#[cfg(test)] use crate::b::B;", &[]),
            ("struct A; impl A { #[cfg(test)] fn x() { crate::b::f() } }", &[]),
            ("/// [`crate::b::B`]\nfn x() { tokio::spawn(); }", &[]),
        ] {
            assert_eq!(imported("c/src/a.rs", &[lib, ("c/src/a.rs", text), b, d]), expected, "{text}");
        }
    }

    #[test]
    fn only_a_re_export_of_a_child_is_no_import() {
        let child = ("c/src/a/child.rs", "pub struct Thing;");
        let b = ("c/src/b.rs", "pub struct B;");
        let of =
            |text| imported("c/src/a/mod.rs", &[("c/src/lib.rs", "mod a; mod b;"), ("c/src/a/mod.rs", text), child, b]);
        assert!(of("mod child; pub use child::Thing;").is_empty());
        assert_eq!(of("mod child; use child::Thing;"), ["c/src/a/child.rs:1 child::Thing"]);
        assert_eq!(of("mod child; pub use crate::b::B;"), ["c/src/b.rs:1 crate::b::B"]);
    }
}
