//! `cargo xtask sbom`: what the programs are made of, as a CycloneDX 1.5 document (software bill of materials).
//!
//! It comes from `cargo metadata` and `Cargo.lock` and has no time and no random number in it: the same sources give the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::cargo;
use crate::steps::Outcome;

/// The packages whose programs are released.
const PROGRAMS: &[&str] = &["postern-app", "postern-cli"];

/// `cargo xtask sbom`: writes `target/postern.cdx.json`.
///
/// # Errors
/// When cargo does not describe the workspace, or a dependency lacks what the document has to say of it.
pub(crate) fn run() -> Result<ExitCode> {
    write()?;
    Ok(ExitCode::SUCCESS)
}

/// The same as a step of CI.
///
/// # Errors
/// As [`run`].
pub(crate) fn step() -> Result<Outcome> {
    write()?;
    Ok(Outcome::Passed)
}

fn write() -> Result<()> {
    let arguments = ["metadata", "--format-version", "1", "--locked", "--all-features"];
    let output =
        cargo::command(&arguments).stderr(Stdio::inherit()).output().context("Failed to start cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata failed");
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")?;
    let lock = fs::read_to_string(cargo::root().join("Cargo.lock")).context("Failed to read Cargo.lock")?;
    let document = document(&metadata, &checksums(&lock)?)?;
    let path = cargo::target().join("postern.cdx.json");
    fs::write(&path, serde_json::to_string_pretty(&document)? + "\n")?;
    let components = document["components"].as_array().map_or(0, Vec::len);
    println!("{components} components in {}", path.display());
    Ok(())
}

/// SHA-256 of each package of a registry, by name and version.
fn checksums(lock: &str) -> Result<BTreeMap<(String, String), String>> {
    let table: toml::Table = lock.parse().context("Cargo.lock is damaged")?;
    let packages = table.get("package").and_then(toml::Value::as_array).context("Cargo.lock has no packages")?;
    let text = |package: &toml::Value, key: &str| package.get(key)?.as_str().map(str::to_owned);
    let found = packages
        .iter()
        .filter_map(|package| Some(((text(package, "name")?, text(package, "version")?), text(package, "checksum")?)));
    Ok(found.collect())
}

/// The document for the programs and everything that they are built from.
fn document(metadata: &Value, checksums: &BTreeMap<(String, String), String>) -> Result<Value> {
    let packages: BTreeMap<&str, &Value> =
        list(&metadata["packages"])?.iter().map(|it| Ok((text(it, "id")?, it))).collect::<Result<_>>()?;
    let nodes: BTreeMap<&str, &Value> =
        list(&metadata["resolve"]["nodes"])?.iter().map(|it| Ok((text(it, "id")?, it))).collect::<Result<_>>()?;
    let is_program = |package: &&Value| package["name"].as_str().is_some_and(|name| PROGRAMS.contains(&name));
    let programs: Vec<&str> = packages.iter().filter(|(_, package)| is_program(package)).map(|(id, _)| *id).collect();
    ensure!(!programs.is_empty(), "none of {PROGRAMS:?} is in the workspace");
    let shipped = reachable(&nodes, &programs, &[Value::Null])?;
    let built = reachable(&nodes, &programs, &[Value::Null, json!("build")])?;

    let mut components = Vec::new();
    let mut dependencies = Vec::new();
    for id in &built {
        let package = packages.get(id).with_context(|| format!("{id} is not among the packages"))?;
        components.push(component(package, shipped.contains(id), programs.contains(id), checksums)?);
        let needed = needed(nodes[id], &[Value::Null, json!("build")])?;
        let references = needed.iter().map(|id| reference(packages[id])).collect::<Result<BTreeSet<_>>>()?;
        dependencies.push(json!({"ref": reference(package)?, "dependsOn": references}));
    }
    let version = text(packages[programs[0]], "version")?;
    Ok(json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"component": {"type": "application", "name": "postern", "version": version, "bom-ref": "postern"}},
        "components": components, "dependencies": dependencies,
    }))
}

/// The packages that some need, directly or not, themselves included, through dependencies of some kinds.
fn reachable<'a>(nodes: &BTreeMap<&'a str, &'a Value>, from: &[&'a str], kinds: &[Value]) -> Result<BTreeSet<&'a str>> {
    let mut found = BTreeSet::new();
    let mut left = from.to_vec();
    while let Some(id) = left.pop() {
        if found.insert(id) {
            left.extend(needed(nodes.get(id).with_context(|| format!("{id} is not resolved"))?, kinds)?);
        }
    }
    Ok(found)
}

/// The direct dependencies of some kinds: `null` is a normal one.
fn needed<'a>(node: &'a Value, kinds: &[Value]) -> Result<Vec<&'a str>> {
    let of_kind = |dependency: &&Value| {
        dependency["dep_kinds"].as_array().is_some_and(|all| all.iter().any(|it| kinds.contains(&it["kind"])))
    };
    list(&node["deps"])?.iter().filter(of_kind).map(|dependency| text(dependency, "pkg")).collect()
}

fn component(
    package: &Value,
    shipped: bool,
    program: bool,
    checksums: &BTreeMap<(String, String), String>,
) -> Result<Value> {
    let (name, version) = (text(package, "name")?, text(package, "version")?);
    let mut component = json!({
        "type": if program { "application" } else { "library" },
        "bom-ref": reference(package)?,
        "name": name,
        "version": version,
        "purl": reference(package)?,
        // What only runs while it is built is not in the programs.
        "scope": if shipped { "required" } else { "excluded" },
    });
    let Some(license) = package["license"].as_str() else { bail!("{name} {version} names no licence") };
    // As crates wrote it before SPDX expressions.
    component["licenses"] = json!([{"expression": license.replace('/', " OR ")}]);
    if !package["source"].is_null() {
        let checksum = checksums.get(&(name.to_owned(), version.to_owned()));
        let checksum = checksum.with_context(|| format!("{name} {version} has no checksum in Cargo.lock"))?;
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    if let Some(url) = package["repository"].as_str() {
        component["externalReferences"] = json!([{"type": "vcs", "url": url}]);
    }
    Ok(component)
}

/// The package URL (purl) of a package, which is its name in the document too.
fn reference(package: &Value) -> Result<String> {
    // The one character of versions that package URLs escape.
    let version = text(package, "version")?.replace('+', "%2B");
    Ok(format!("pkg:cargo/{}@{version}", text(package, "name")?))
}

fn list(value: &Value) -> Result<&Vec<Value>> {
    value.as_array().context("cargo metadata has another form")
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value[key].as_str().with_context(|| format!("cargo metadata has no {key}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, source: Value) -> Value {
        json!({"id": name, "name": name, "version": "1.0.0+x", "license": "MIT/Apache-2.0", "source": source, "repository": null})
    }

    fn workspace(license: Value) -> Value {
        let mut serde = package("serde", json!("registry+https://github.com/rust-lang/crates.io-index"));
        serde["license"] = license;
        let dependency = |name: &str, kind: Value| json!({"pkg": name, "dep_kinds": [{"kind": kind}]});
        json!({
            "packages": [package("postern-cli", Value::Null), serde, package("builder", Value::Null), package("tester", Value::Null)],
            "resolve": {"nodes": [
                {"id": "postern-cli", "deps": [
                    dependency("serde", Value::Null), dependency("builder", json!("build")), dependency("tester", json!("dev")),
                ]},
                {"id": "serde", "deps": []}, {"id": "builder", "deps": []}, {"id": "tester", "deps": []},
            ]},
        })
    }

    #[test]
    fn every_component_has_licence_hash_and_scope() {
        let lock = "[[package]]\nname = \"serde\"\nversion = \"1.0.0+x\"\nchecksum = \"abc\"\n";
        let document = document(&workspace(json!("MIT/Apache-2.0")), &checksums(lock).unwrap()).unwrap();
        let components = document["components"].as_array().unwrap();
        let names: Vec<&str> = components.iter().map(|it| it["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["builder", "postern-cli", "serde"]);
        assert_eq!(components[0]["scope"], "excluded");
        assert_eq!(components[2]["scope"], "required");
        assert_eq!(components[2]["purl"], "pkg:cargo/serde@1.0.0%2Bx");
        assert_eq!(components[2]["hashes"][0]["content"], "abc");
        assert_eq!(components[2]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        let needs = &document["dependencies"][1]["dependsOn"];
        assert_eq!(*needs, json!(["pkg:cargo/builder@1.0.0%2Bx", "pkg:cargo/serde@1.0.0%2Bx"]));
    }

    #[test]
    fn a_component_without_licence_or_checksum_is_refused() {
        let none = BTreeMap::new();
        let error = |metadata: &Value| document(metadata, &none).unwrap_err().to_string();
        assert_eq!(error(&workspace(Value::Null)), "serde 1.0.0+x names no licence");
        assert_eq!(error(&workspace(json!("MIT"))), "serde 1.0.0+x has no checksum in Cargo.lock");
    }
}
