//! The release program `postern`, built twice from the last commit in different directories: the two files must be equal.
//!
//! What differs between directories are paths in panic messages and debug information. Compilers are told to write others
//! instead: `--remap-path-prefix` for Rust, `-ffile-prefix-map` for the C of aws-lc, SQLite and jemalloc.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use super::Run;
use super::figures::Figures;
use super::options::Options;
use crate::cargo;

pub(super) const ABOUT: &str = "the release program built in two directories: the files must be equal [--keep]";

/// Clones the last commit twice, builds, compares, and removes the clones.
///
/// # Errors
/// When it cannot be cloned.
pub(super) fn run(options: &Options) -> Result<Figures> {
    let logs = super::directory("reproducible")?;
    // Of different lengths, so that also padding would differ.
    let places = ["a", "another-directory"].map(|name| {
        let place = env::temp_dir().join(format!("postern-reproducible-{}", options.seed)).join(name);
        (name, place)
    });
    let mut figures = Figures::default();
    for (name, place) in &places {
        cargo::run(Command::new("git").args(["clone", "--quiet"]).arg(cargo::root()).arg(place))?;
        let log = logs.join(format!("{name}.log"));
        let mut build = build(place)?;
        figures.add("build", super::logged(&format!("build in {}", place.display()), &mut build, &log, |_| true)?);
    }
    let started = Instant::now();
    let equal = same(&places.each_ref().map(|(_, place)| place.join(PROGRAM)));
    println!("{}", if equal { "the two files are equal" } else { "the two files differ" });
    figures.add("compare", Run { passed: equal, took: started.elapsed() });
    if options.keep {
        places.iter().for_each(|(_, place)| println!("Kept: {}", place.display()));
    } else {
        for (_, place) in &places {
            fs::remove_dir_all(place).with_context(|| format!("Failed to remove {}", place.display()))?;
        }
    }
    Ok(figures)
}

/// In a clone.
const PROGRAM: &str = if cfg!(windows) { "target/release/postern.exe" } else { "target/release/postern" };

/// Builds the program in a clone, with a build directory in it.
fn build(place: &Path) -> Result<Command> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let home = home.context("neither CARGO_HOME nor HOME is set")?;
    let mut command = Command::new("cargo");
    command.args(["build", "--release", "--locked", "--package", "postern-cli", "--bin", "postern"]);
    // Their own, not those of this run of cargo.
    command.current_dir(place).env_remove("CARGO_TARGET_DIR").env_remove("RUSTFLAGS");
    let maps = [(place, "/postern"), (&home, "/cargo")];
    let rust = maps.map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    // The separator of cargo's encoding, since a path may contain spaces.
    command.env("CARGO_ENCODED_RUSTFLAGS", rust.join("\u{1f}"));
    let c = maps.map(|(from, to)| format!("-ffile-prefix-map={}={to}", from.display()));
    command.env("CFLAGS", c.join(" ")).env("CXXFLAGS", c.join(" "));
    Ok(command)
}

/// Whether two files are there and equal.
fn same(files: &[PathBuf; 2]) -> bool {
    let [first, second] = files.each_ref().map(fs::read);
    matches!((first, second), (Ok(first), Ok(second)) if first == second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_equal_files_are_the_same() {
        let directory = cargo::target().join("xtask-tests/reproducible");
        fs::create_dir_all(&directory).unwrap();
        let file = |name: &str, content: &str| {
            let path = directory.join(name);
            fs::write(&path, content).unwrap();
            path
        };
        let (first, equal, other) = (file("first", "1"), file("equal", "1"), file("other", "2"));
        assert!(same(&[first.clone(), equal]));
        assert!(!same(&[first.clone(), other]));
        assert!(!same(&[first, directory.join("missing")]));
    }
}
