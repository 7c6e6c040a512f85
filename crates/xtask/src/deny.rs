//! The check of the dependencies by cargo-deny: licences, sources and bans, as `deny.toml` says; for advisories see
//! [`advisories`](crate::advisories).

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::cargo;
use crate::steps::Outcome;
use crate::tools;

const VERSION: &str = "0.20.2";

/// The command that builds this version of cargo-deny, or none if it is there.
pub(crate) fn installation() -> Option<Command> {
    if tools::works(&program(), "--version") {
        return None;
    }
    let mut install = cargo::command(&["install", "cargo-deny", "--locked", "--version", VERSION]);
    install.arg("--root").arg(home());
    // It runs for a second or two and compiles for minutes: the time to save is the compiler's.
    install
        .env_remove("CARGO_TARGET_DIR")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "false")
        .env("CARGO_PROFILE_RELEASE_LTO", "false")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "256");
    Some(install)
}

/// Licences, sources and bans: what can be checked without a network.
///
/// # Errors
/// When a dependency breaks a rule of `deny.toml`.
pub(crate) fn dependencies() -> Result<Outcome> {
    cargo::run(command()?.args(["check", "bans", "licenses", "sources"]))?;
    Ok(Outcome::Passed)
}

/// cargo-deny in the root of the repository.
///
/// # Errors
/// When it is not installed.
pub(crate) fn command() -> Result<Command> {
    let program = program();
    ensure!(
        tools::works(&program, "--version"),
        "cargo-deny {VERSION} is not installed: the step cargo-deny builds it"
    );
    let mut command = Command::new(program);
    command.current_dir(cargo::root());
    Ok(command)
}

fn home() -> PathBuf {
    tools::home("cargo-deny", VERSION)
}

fn program() -> PathBuf {
    home().join("bin").join(if cfg!(windows) { "cargo-deny.exe" } else { "cargo-deny" })
}
