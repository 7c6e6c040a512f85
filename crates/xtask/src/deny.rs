//! The check of the dependencies by cargo-deny: licences, sources, bans and advisories, as `deny.toml` says.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::cargo;
use crate::steps::Outcome;

const VERSION: &str = "0.20.2";

/// cargo-deny's path: this version of it, built on first use into the user's cache, where it outlives the checkout.
///
/// # Errors
/// When it does not build.
pub(crate) fn provide() -> Result<PathBuf> {
    let home = cache().join(format!("cargo-deny-{VERSION}"));
    let program = home.join("bin/cargo-deny");
    if works(&program) {
        return Ok(program);
    }
    println!("Building cargo-deny {VERSION} once; this takes minutes.");
    let mut install = cargo::command(&["install", "cargo-deny", "--locked", "--version", VERSION]);
    install.arg("--root").arg(&home);
    // It runs for a second or two and compiles for many: the compile time is what to save.
    install
        .env_remove("CARGO_TARGET_DIR")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "false")
        .env("CARGO_PROFILE_RELEASE_LTO", "false")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "256");
    cargo::run(&mut install)?;
    ensure!(works(&program), "{} was built but does not run", program.display());
    Ok(program)
}

/// Licences, sources and bans: what can be checked without a network.
///
/// # Errors
/// When a dependency breaks a rule of `deny.toml`.
pub(crate) fn dependencies() -> Result<Outcome> {
    cargo::run(deny()?.args(["check", "bans", "licenses", "sources"]))?;
    Ok(Outcome::Passed)
}

/// Known vulnerabilities, when the advisory database can be had.
///
/// # Errors
/// When a dependency has one.
pub(crate) fn advisories() -> Result<Outcome> {
    let fetched = deny()?.args(["fetch", "db"]).stderr(Stdio::null()).status().context("Failed to start cargo-deny")?;
    if !fetched.success() {
        let why = "the advisory database cannot be reached from this machine";
        println!("Skipped: {why}.");
        return Ok(Outcome::Skipped(why.into()));
    }
    cargo::run(deny()?.args(["check", "--disable-fetch", "advisories"]))?;
    Ok(Outcome::Passed)
}

fn deny() -> Result<Command> {
    let mut command = Command::new(provide()?);
    command.current_dir(cargo::root());
    Ok(command)
}

fn works(program: &PathBuf) -> bool {
    let version = Command::new(program).arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}

/// Where built tools are kept: the user's cache directory, or the build directory of one who has none.
fn cache() -> PathBuf {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
    let cache =
        variable("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| Some(PathBuf::from(variable("HOME")?).join(".cache")));
    cache.map_or_else(|| cargo::root().join("target/tools"), |cache| cache.join("postern/tools"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Every manifest below a directory, of this workspace and of those beside it.
    fn manifests(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).expect("a directory").flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            if name == "Cargo.toml" {
                found.push(path);
            } else if path.is_dir()
                && !path.is_symlink()
                && !["target", "node_modules", ".git"].iter().any(|it| name == *it)
            {
                manifests(&path, found);
            }
        }
    }

    /// The lines of a manifest that name a dependency on somebody else's crate.
    fn dependencies_in(manifest: &str) -> impl Iterator<Item = &str> {
        let mut inside = false;
        manifest.lines().filter(move |line| {
            if line.starts_with('[') {
                inside = line.ends_with("dependencies]") && *line != "[workspace.dependencies]";
                return false;
            }
            inside
                && line.contains('=')
                && !line.starts_with('#')
                && !line.starts_with("postern-")
                && !line.contains("path =")
        })
    }

    fn name(line: &str) -> &str {
        line.split(['.', ' ', '=']).next().unwrap_or_default()
    }

    #[test]
    fn every_direct_dependency_has_a_reason_and_every_reason_a_dependency() {
        let mut files = Vec::new();
        manifests(cargo::root(), &mut files);
        assert!(files.len() > 10, "{files:?}");
        let texts: Vec<String> = files.iter().map(|file| fs::read_to_string(file).expect("a manifest")).collect();
        let used: BTreeSet<&str> = texts.iter().flat_map(|text| dependencies_in(text)).map(name).collect();

        let table = fs::read_to_string(cargo::root().join("docs/dependencies.md")).expect("docs/dependencies.md");
        let rows =
            table.lines().skip_while(|line| !line.starts_with("|---")).skip(1).take_while(|line| !line.is_empty());
        let explained: BTreeSet<&str> =
            rows.filter_map(|row| row.split('|').nth(1)).flat_map(|cell| cell.split(',')).map(str::trim).collect();

        let without: Vec<_> = used.difference(&explained).collect();
        assert!(without.is_empty(), "no reason in docs/dependencies.md: {without:?}");
        let gone: Vec<_> = explained.difference(&used).collect();
        assert!(gone.is_empty(), "nothing depends on: {gone:?}");
    }

    #[test]
    fn versions_are_in_the_root_manifest_only() {
        let root = fs::read_to_string(cargo::root().join("Cargo.toml")).expect("the root's manifest");
        let excluded = root.lines().find(|line| line.starts_with("exclude = ")).expect("the other workspaces");
        let others: Vec<PathBuf> =
            excluded.split('"').skip(1).step_by(2).map(|path| cargo::root().join(path)).collect();
        let mut files = Vec::new();
        manifests(cargo::root(), &mut files);
        for file in files.iter().filter(|file| !others.iter().any(|other| file.starts_with(other))) {
            let text = fs::read_to_string(file).expect("a manifest");
            let own: Vec<_> = dependencies_in(&text).filter(|line| !line.contains("workspace = true")).collect();
            assert!(own.is_empty(), "{}: {own:?}", file.display());
        }
    }
}
