//! `layers.toml`: which modules of a crate may import which.

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::Findings;
use super::imports::Imports;
use super::sources::Sources;

/// Where the layers are written.
const FILE: &str = "layers.toml";

/// A crate whose modules lie in layers.
pub(super) struct LayeredCrate {
    /// Its `src` directory, from the root of the repository.
    pub(super) path: String,
    /// The modules of each layer, the lowest first.
    layers: Vec<Vec<String>>,
}

/// Reads [`FILE`].
///
/// # Errors
/// When it is missing or does not say what it must.
pub(super) fn read(sources: &Sources) -> Result<Vec<LayeredCrate>> {
    let table: Table =
        sources.text(FILE).context("There is no layers.toml")?.parse().context("layers.toml is not TOML")?;
    table.iter().map(|(name, value)| layered(value).with_context(|| format!("[{name}] of {FILE}"))).collect()
}

fn layered(value: &Value) -> Result<LayeredCrate> {
    let path = value.get("path").and_then(Value::as_str).context("`path` must be a directory")?;
    let layers = value.get("layers").and_then(Value::as_array).context("`layers` must be a list of lists")?;
    let names = |layer: &Value| -> Option<Vec<String>> {
        layer.as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect()
    };
    let layers = layers.iter().map(names).collect::<Option<Vec<_>>>().context("a layer must be a list of modules")?;
    Ok(LayeredCrate { path: path.into(), layers })
}

impl LayeredCrate {
    /// A file's name among modules, `core/records` for `core/records.rs` and `core/records/mod.rs`.
    fn module<'a>(&self, file: &'a str) -> &'a str {
        let name = file[self.path.len()..].trim_matches('/').trim_end_matches(".rs");
        name.strip_suffix("/mod").unwrap_or(name)
    }

    /// The layer of a file, counted from 0, and the name in the list that decides it.
    fn layer(&self, file: &str) -> Option<(usize, &str)> {
        let module = self.module(file);
        let covers =
            |name: &str| module.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let named =
            self.layers.iter().enumerate().flat_map(|(number, layer)| layer.iter().map(move |it| (number, &**it)));
        named.filter(|(_, name)| covers(name)).max_by_key(|(_, name)| name.len())
    }
}

/// Imports from a higher layer, modules without a layer, and names in the list that are no modules.
pub(super) fn check(layered: &LayeredCrate, imports: &Imports) -> Findings {
    let mut findings = Findings::new();
    if layered.layers.is_empty() {
        return vec![format!("{FILE}: no layers for {}", layered.path)];
    }
    for (file, targets) in &imports.files {
        let Some((own, own_name)) = layered.layer(file) else {
            findings.push(format!("{file}: `{}` is in no layer of {FILE}", layered.module(file)));
            continue;
        };
        for (target, reference) in targets {
            if let Some((other, name)) = layered.layer(target).filter(|(other, _)| *other > own) {
                findings.push(format!(
                    "{file}:{}: imports upward: `{}` from layer {} (`{own_name}`) to layer {} (`{name}`, {target})",
                    reference.line,
                    reference.path,
                    own + 1,
                    other + 1,
                ));
            }
        }
    }
    for name in layered.layers.iter().flatten() {
        if !imports.files.keys().any(|file| layered.layer(file).is_some_and(|(_, decides)| decides == name)) {
            findings.push(format!("{FILE}: `{name}` is no module of {}", layered.path));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::imports::of_crate;
    use super::*;

    const LAYERS: &str = "[c]\npath = \"c/src\"\nlayers = [[\"low\"], [\"core/records\"], [\"core\", \"lib\"]]\n";

    fn findings(files: &[(&str, &str)], layers: &str) -> Findings {
        let mut all = vec![("layers.toml", layers), ("c/src/lib.rs", "mod low; mod core;")];
        all.extend(files);
        let sources = Sources::of(&all);
        let crates = read(&sources).unwrap();
        check(&crates[0], &of_crate(&sources, "c/src").unwrap())
    }

    #[test]
    fn an_upward_import_is_found_and_a_downward_one_is_not() {
        let good = [
            ("c/src/low.rs", "pub struct Low;"),
            ("c/src/core/mod.rs", "mod records; mod other; use records::Record;"),
            ("c/src/core/records.rs", "use crate::low::Low; pub struct Record;"),
            ("c/src/core/other.rs", "use super::records::Record;"),
        ];
        assert_eq!(findings(&good, LAYERS), Findings::new());

        let mut bad = good;
        bad[0].1 = "\nuse crate::core::other::X;";
        bad[2].1 = "pub struct Record; fn f() { super::other::g() }";
        assert_eq!(
            findings(&bad, LAYERS),
            [
                "c/src/core/records.rs:1: imports upward: `super::other::g` from layer 2 (`core/records`) to layer 3 (`core`, c/src/core/other.rs)",
                "c/src/low.rs:2: imports upward: `crate::core::other::X` from layer 1 (`low`) to layer 3 (`core`, c/src/core/other.rs)",
            ]
        );
    }

    #[test]
    fn every_module_has_a_layer_and_every_name_a_module() {
        let files = [("c/src/low.rs", ""), ("c/src/core/mod.rs", ""), ("c/src/lower.rs", "")];
        assert_eq!(
            findings(&files, LAYERS),
            [
                "c/src/lower.rs: `lower` is in no layer of layers.toml",
                "layers.toml: `core/records` is no module of c/src"
            ]
        );
        let empty = "[c]\npath = \"c/src\"\nlayers = []\n";
        assert_eq!(findings(&files, empty), ["layers.toml: no layers for c/src"]);
    }
}
