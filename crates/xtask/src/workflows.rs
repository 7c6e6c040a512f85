//! The check of `.github/workflows` by actionlint.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::cargo;
use crate::steps::Outcome;
use crate::tools;

const VERSION: &str = "1.7.12";
const MODULE: &str = "github.com/rhysd/actionlint/cmd/actionlint";

/// Checks every workflow; actionlint is built by Go on first use.
///
/// # Errors
/// When a workflow is wrong, or actionlint does not build.
pub(crate) fn check() -> Result<Outcome> {
    let home = tools::home("actionlint", VERSION);
    let program = home.join(if cfg!(windows) { "actionlint.exe" } else { "actionlint" });
    if !tools::works(&program, "-version") {
        if !tools::works("go".as_ref(), "version") {
            let why = "actionlint is built by Go, and there is no `go` in PATH";
            println!("Skipped: {why}.");
            return Ok(Outcome::Skipped(why.into()));
        }
        let mut install = Command::new("go");
        install.args(["install", &format!("{MODULE}@v{VERSION}")]).env("GOBIN", &home).env("GOFLAGS", "-modcacherw");
        cargo::run(&mut install)?;
        ensure!(tools::works(&program, "-version"), "{} was built but does not run", program.display());
    }
    // Shell scripts in workflows are one command each; shellcheck and pyflakes need not be installed for them.
    let mut lint = Command::new(program);
    cargo::run(lint.current_dir(cargo::root()).args(["-shellcheck=", "-pyflakes="]))?;
    Ok(Outcome::Passed)
}
