//! Which module defines what a path names: through re-exports, as far as the crate itself says it.

use super::modules::{Modules, Path, child};

/// How many re-exports one name may pass through; more is a circle of them.
const MAX_RE_EXPORTS: usize = 16;

impl Modules {
    /// The module that defines what `path` names where it stands in `module`; `None` if it is no path of this crate.
    pub(super) fn resolve(&self, module: &Path, path: &[String]) -> Option<Path> {
        self.resolve_within(module, path, MAX_RE_EXPORTS)
    }

    fn resolve_within(&self, module: &Path, path: &[String], budget: usize) -> Option<Path> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.descend(Vec::new(), rest, budget),
            "self" => self.descend(module.clone(), rest, budget),
            "super" => {
                let mut parent = module.clone();
                parent.pop()?;
                if rest.first().is_some_and(|next| next == "super") {
                    return self.resolve_within(&parent, rest, budget);
                }
                self.descend(parent, rest, budget)
            }
            _ if self.modules.contains_key(&child(module, first)) => self.descend(module.clone(), path, budget),
            // A module or type that a `use` here has imported, as in `commands::contacts::find` after `use crate::core::commands`.
            _ => {
                let it = self.modules.get(module)?.uses.iter().find(|it| it.name == *first)?;
                let target: Path = it.target.iter().chain(rest).cloned().collect();
                self.resolve_within(module, &target, budget.checked_sub(1)?)
            }
        }
    }

    /// Follows a path down from a module, and where it leaves a module by a re-export, from there.
    fn descend(&self, mut module: Path, path: &[String], budget: usize) -> Option<Path> {
        let mut path = path;
        while let Some((first, rest)) = path.split_first() {
            let inner = child(&module, first);
            if !self.modules.contains_key(&inner) {
                return Some(self.re_exported(&module, first, rest, budget).unwrap_or(module));
            }
            (module, path) = (inner, rest);
        }
        self.modules.contains_key(&module).then_some(module)
    }

    /// Where a name that a module does not define itself comes from.
    fn re_exported(&self, module: &Path, name: &str, rest: &[String], budget: usize) -> Option<Path> {
        let found = self.modules.get(module)?;
        if found.items.contains(name) {
            return None;
        }
        let budget = budget.checked_sub(1)?;
        if let Some(it) = found.uses.iter().find(|it| it.name == name) {
            let target: Path = it.target.iter().chain(rest).cloned().collect();
            return self.resolve_within(module, &target, budget);
        }
        found.uses.iter().filter(|it| it.name == "*").find_map(|it| {
            let target = self.resolve_within(module, &it.target, budget)?;
            let defines = self.modules.get(&target)?.items.contains(name);
            if defines { Some(target) } else { self.re_exported(&target, name, rest, budget) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::sources::Sources;
    use super::*;

    fn resolved(module: &str, path: &str) -> Option<String> {
        let sources = Sources::of(&[
            ("c/src/lib.rs", "mod a; mod b; pub use a::Deep; pub use b::*; pub fn own() {}"),
            ("c/src/a/mod.rs", "mod inner; pub use inner::Thing as Deep; pub struct Here;"),
            ("c/src/a/inner.rs", "pub struct Thing;"),
            ("c/src/d.rs", "use crate::a as other; use tokio::sync; use a::nowhere::a;"),
            ("c/src/b.rs", "pub enum Kind { One } mod nested { pub fn f() {} }"),
        ]);
        let modules = Modules::parse(&sources, "c/src").unwrap();
        let split = |text: &str| text.split("::").filter(|it| !it.is_empty()).map(str::to_owned).collect::<Path>();
        modules.resolve(&split(module), &split(path)).map(|found| found.join("::"))
    }

    #[test]
    fn a_name_is_found_where_it_is_defined() {
        for (module, path, expected) in [
            ("b", "crate::a::inner::Thing", "a::inner"),
            ("b", "crate::Deep", "a::inner"),
            ("b", "crate::a::Deep::new", "a::inner"),
            ("a::inner", "super::Here", "a"),
            ("a::inner", "super::super::Kind::One", "b"),
            ("a", "self::inner", "a::inner"),
            ("a", "inner::Thing", "a::inner"),
            ("a", "crate::own", ""),
            ("b::nested", "super::Kind", "b"),
            ("d", "other::inner::Thing::new", "a::inner"),
        ] {
            assert_eq!(resolved(module, path).as_deref(), Some(expected), "{path} in {module}");
        }
        assert_eq!(resolved("a", "tokio::spawn"), None);
        assert_eq!(resolved("d", "sync::Mutex::new"), None);
        assert_eq!(resolved("d", "a::b"), None);
        assert_eq!(resolved("", "super::x"), None);
    }
}
