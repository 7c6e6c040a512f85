//! The page of the app's window: `ui/`, built by npm into `ui/dist`, which is embedded into the app when that is compiled.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::SystemTime;

use anyhow::{Context, Result, bail, ensure};

use crate::cargo;

/// The oldest Node.js that Vite runs on.
const NODE: (u32, u32) = (20, 19);
/// The npm package of Node.js itself, installed into `target/` where the system's version is older.
const NODE_PACKAGE: &str = "node@22";

/// Builds the page unless `dist` is newer than all of its sources.
///
/// # Errors
/// When Node.js is missing or too old, or the page does not build.
pub(crate) fn build_if_stale() -> Result<()> {
    let page = modified(&root().join("dist/index.html"));
    let sources = ["src", "index.html", "package-lock.json", "vite.config.ts", "svelte.config.js"];
    let newest = sources.iter().filter_map(|name| newest(&root().join(name))).max();
    if page.is_some() && page >= newest {
        return Ok(());
    }
    println!("Building the window's page.");
    install()?;
    npm(&["run", "--silent", "build"])
}

/// Checks the page's types and warnings, and builds it.
///
/// # Errors
/// As [`build_if_stale`], and when a check finds something.
pub(crate) fn check_and_build() -> Result<()> {
    install()?;
    npm(&["run", "--silent", "check"])?;
    npm(&["run", "--silent", "build"])
}

/// The page's own tests of the page that [`check_and_build`] built: without a browser, and in one.
pub(crate) fn tests() -> [Command; 2] {
    ["test:unit", "test:browser"].map(|script| {
        let mut tests = npm_command(&["run", script]);
        // Their reports are parsed.
        tests.env("NO_COLOR", "1").env_remove("FORCE_COLOR");
        tests
    })
}

/// `cargo xtask screenshots`: pictures of the real app into `docs/screenshots`; with names, of the page's scenes of those
/// names into `ui/screenshots-out`.
///
/// # Errors
/// When one cannot be made.
pub(crate) fn screenshots(scenes: &[String]) -> Result<ExitCode> {
    crate::prerequisites::install()?;
    install()?;
    npm(&["run", "--silent", "build"])?;
    if scenes.is_empty() {
        crate::suite::build_programs()?;
        return cargo::replace_process(&mut cargo::program("debug", "postern-screenshots"));
    }
    let mut pictures = with_newer_node(Command::new("node"));
    cargo::run(pictures.current_dir(root()).arg("tests/screenshots.mjs").args(scenes))?;
    Ok(ExitCode::SUCCESS)
}

/// Installs the packages of the lock file, unless they are installed.
fn install() -> Result<()> {
    match version_of("node") {
        None => bail!(
            "Node.js {}.{} or newer, with npm, builds the window's page. Get it from https://nodejs.org/en/download, and run this again.",
            NODE.0,
            NODE.1
        ),
        Some(found) if found < NODE => install_newer_node(found)?,
        Some(_) => {}
    }
    let installed = modified(&root().join("node_modules/.package-lock.json"));
    if installed.is_some() && installed >= modified(&root().join("package-lock.json")) {
        return Ok(());
    }
    npm(&["ci", "--no-audit", "--no-fund"])
}

/// Where the system's Node.js is too old, as in Debian 12, its npm installs a newer one, for this repository only.
fn install_newer_node(found: (u32, u32)) -> Result<()> {
    if version_of(newer_node().join("node")).is_some_and(|version| version >= NODE) {
        return Ok(());
    }
    println!(
        "Node.js {}.{} is too old for the window's page: npm installs {NODE_PACKAGE} into target/.",
        found.0, found.1
    );
    let prefix = cargo::target().join("node");
    fs::create_dir_all(&prefix).with_context(|| format!("Failed to create {}", prefix.display()))?;
    let mut npm = npm_command(&["install", "--no-audit", "--no-fund", "--prefix"]);
    cargo::run(npm.current_dir(&prefix).arg(&prefix).arg(NODE_PACKAGE))?;
    match version_of(newer_node().join("node")) {
        Some(version) if version >= NODE => Ok(()),
        _ => bail!(
            "Node.js {}.{} or newer builds the window's page, and npm could not install it. Get it from \
             https://nodejs.org/en/download, put its bin directory first in PATH, and run this again.",
            NODE.0,
            NODE.1
        ),
    }
}

/// The directory of the Node.js that [`install_newer_node`] installs.
fn newer_node() -> PathBuf {
    cargo::target().join("node/node_modules/node/bin")
}

fn version_of(node: impl AsRef<std::ffi::OsStr>) -> Option<(u32, u32)> {
    let output = Command::new(node).arg("--version").output().ok()?;
    version(&String::from_utf8_lossy(&output.stdout))
}

/// The command with the newer Node.js first in `PATH`, where one was needed.
fn with_newer_node(mut command: Command) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if newer_node().is_dir()
        && let Ok(path) = std::env::join_paths(std::iter::once(newer_node()).chain(std::env::split_paths(&path)))
    {
        command.env("PATH", path);
    }
    command
}

fn npm(arguments: &[&str]) -> Result<()> {
    cargo::run(&mut npm_command(arguments))
}

fn npm_command(arguments: &[&str]) -> Command {
    let mut npm = with_newer_node(Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" }));
    npm.current_dir(root()).args(arguments);
    npm
}

fn root() -> PathBuf {
    cargo::root().join("ui")
}

/// Parses `v20.19.1`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix('v')?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// The newest modification time in a file or directory.
fn newest(path: &Path) -> Option<SystemTime> {
    let below = fs::read_dir(path).into_iter().flatten().flatten().filter_map(|entry| newest(&entry.path()));
    below.chain(modified(path)).max()
}

/// `cargo xtask run`: the app, or the demo where there is no screen.
///
/// # Errors
/// When it does not build.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let is_set = |variable| std::env::var_os(variable).is_some_and(|value: std::ffi::OsString| !value.is_empty());
    if cfg!(target_os = "linux") && !is_set("DISPLAY") && !is_set("WAYLAND_DISPLAY") {
        println!("There is no screen (neither DISPLAY nor WAYLAND_DISPLAY is set): running the demo in the terminal.");
        return crate::demo(arguments);
    }
    crate::prerequisites::install_for_app()?;
    build_if_stale()?;
    let mut app = cargo::command(&["run", "--package", "postern-app", "--bin", "postern-app", "--"]);
    cargo::replace_process(app.args(arguments))
}

/// `cargo xtask icons`: renders every icon from its SVG.
///
/// # Errors
/// When one cannot be rendered.
pub(crate) fn icons() -> Result<ExitCode> {
    let mut draw = cargo::command(&["run", "--quiet", "--locked", "--manifest-path", "icons/render/Cargo.toml"]);
    cargo::run(draw.arg("--target-dir").arg(cargo::root().join("target/icons")))?;
    Ok(ExitCode::SUCCESS)
}

/// `cargo xtask types`: regenerates the window's TypeScript types from those of the engine and the shell.
///
/// # Errors
/// When they do not build.
pub(crate) fn types() -> Result<ExitCode> {
    for test in [
        &["test", "--package", "postern-engine", "--test", "engines", "types::"][..],
        &["test", "--package", "postern-app", "--lib", "shell::"],
    ] {
        let status = cargo::command(test).env("POSTERN_WRITE_TYPES", "1").status().context("Failed to start cargo")?;
        ensure!(status.success(), "the types could not be written");
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_node_is_read() {
        assert_eq!(version("v20.19.1\n"), Some((20, 19)));
        assert_eq!(version("v24.0.0"), Some((24, 0)));
        assert!(version("v18.20.0").unwrap() < NODE);
        assert_eq!(version("20.19"), None);
    }
}
