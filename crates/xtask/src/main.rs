//! `cargo xtask`: everything one does with this repository, as commands anyone can run.
//!
//! Each room here is one noun: [`prerequisites`] are what is built with and tested with, a [`suite`] is one run of
//! `cargo test`, [`counts`] are what such runs add up to, [`steps`] are what CI consists of, [`deny`] is the check of
//! the dependencies, [`mod@bench`] the measurements and [`window`] the page in the app's window. [`cargo`] starts cargo for all of them.

use std::process::ExitCode;

mod architecture;
mod bench;
mod cargo;
mod ci;
mod counts;
mod deny;
mod prerequisites;
mod steps;
mod suite;
mod ui;

const HELP: &str = "\
Usage: cargo xtask <COMMAND> [ARGUMENTS]

Commands:
  run   [ARGS]    start Postern in the tray; where there is no screen, the demo
  demo  [ARGS]    hub, owner and friend on this machine: share a service and tell what happens
                  (`--once` fetches through it, verifies and exits; `--help` tells the rest)
  test  [FILTER]  install what the tests need, build, and run the workspace's tests; arguments go to `cargo test`
  ci              what CI runs: format, lints, documentation, dependencies, every test: those of `test`, of the
                  window's page, and with real peers (`tests/interop`)
  architecture    check what the compiler does not: layers, import cycles, retired names, file lengths, documents
  bench [ARGS]    build for release and measure (`--quick` for three minutes; `--help` tells the rest);
                  `bench instructions [--check]` counts what the steps of the hot path cost;
                  `bench app` measures the app: start, window, memory, processor
  types           write the window's types anew from the engine's and the shell's
  icons           draw every icon anew from its SVG
  screenshots     pictures of the real app, light and dark; with names, of the page's scenes (`screenshots busy`)
  help            print this

Each installs the Debian packages it misses when it may (as root or through sudo), and otherwise says which.
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_else(|| "help".into());
    let rest: Vec<String> = arguments.collect();

    let result = match command.as_str() {
        "run" => ui::run(&rest),
        "icons" => ui::icons(),
        "types" => ui::types(),
        "screenshots" => ui::screenshots(&rest),
        "demo" => demo(&rest),
        "test" => suite::test(&rest),
        "architecture" => architecture::run(),
        "ci" => ci::run(),
        "bench" => bench::run(&rest),
        "help" | "-h" | "--help" => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        other => {
            eprint!("There is no command `{other}`.\n\n{HELP}");
            Ok(ExitCode::from(2))
        }
    };

    result.unwrap_or_else(|error| {
        eprintln!("Error: {error:#}");
        ExitCode::FAILURE
    })
}

/// Builds and runs `postern demo`, which takes this program's place.
fn demo(arguments: &[String]) -> anyhow::Result<ExitCode> {
    prerequisites::provide_for_a_build()?;
    let mut command = cargo::command(&["run", "--package", "postern-cli", "--bin", "postern"]);
    cargo::hand_over(command.args(["--", "demo"]).args(arguments))
}
