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
