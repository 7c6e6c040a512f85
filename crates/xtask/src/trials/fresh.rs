//! The README's two commands in a clean clone: an empty build directory, nothing downloaded before, no tools in the cache.
//!
//! Debian packages stay installed: this creates no new system (`weekly.yml` runs it in a new container). The
//! compiler is the one that rustup installed.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::figures::Figures;
use super::options::Options;
use crate::cargo;

pub(super) const ABOUT: &str = "the README's commands in a clean clone, with nothing downloaded before [--keep]";

/// Clones the last commit, runs the commands, and removes everything.
///
/// # Errors
/// When it cannot be cloned.
pub(super) fn run(options: &Options) -> Result<Figures> {
    let logs = super::directory("fresh")?;
    let place = tempdir(options.seed)?;
    let clone = place.join("postern");
    let mut git = Command::new("git");
    cargo::run(git.args(["clone", "--quiet"]).arg(cargo::root()).arg(&clone))?;
    let cargo_home = place.join("cargo");
    fs::create_dir_all(&cargo_home)?;
    keep_registry_settings(&cargo_home)?;

    let mut figures = Figures::default();
    // Without a screen, `run` is the demo in the terminal, and `--once` ends it when it has fetched through the portal.
    for (name, arguments) in [("run", &["xtask", "run", "--once"][..]), ("test", &["xtask", "test"])] {
        let mut command = clean(Command::new("cargo"), &clone, &place);
        let log = logs.join(format!("{name}.log"));
        figures.add(name, super::logged(&format!("cargo xtask {name}"), command.args(arguments), &log, |_| true)?);
    }
    if options.keep {
        println!("Kept: {}", place.display());
    } else {
        fs::remove_dir_all(&place).with_context(|| format!("Failed to remove {}", place.display()))?;
    }
    Ok(figures)
}

/// Outside the build directory, so that no `.cargo/config.toml` of this checkout is found above it.
fn tempdir(seed: u64) -> Result<PathBuf> {
    let place = env::temp_dir().join(format!("postern-fresh-{seed}"));
    fs::create_dir(&place).with_context(|| format!("Failed to create {}", place.display()))?;
    Ok(place)
}

/// A mirror of the registry that this machine must use is not something that was downloaded.
fn keep_registry_settings(cargo_home: &Path) -> Result<()> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let settings = home.map(|home| home.join("config.toml")).filter(|file| file.is_file());
    if let Some(settings) = settings {
        fs::copy(settings, cargo_home.join("config.toml")).context("Failed to copy cargo's settings")?;
    }
    Ok(())
}

/// Nothing of this run of cargo, no screen, and caches of its own.
fn clean(mut command: Command, clone: &Path, place: &Path) -> Command {
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO") || name == "RUSTUP_TOOLCHAIN") {
            command.env_remove(name);
        }
    }
    command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    command.env("CARGO_HOME", place.join("cargo")).env("XDG_CACHE_HOME", place.join("cache"));
    command.env("npm_config_cache", place.join("npm"));
    command.current_dir(clone);
    command
}
