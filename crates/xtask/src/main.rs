//! `cargo xtask`: everything one does with this repository, as commands that anyone can run.
//!
//! | module | what it is |
//! |---|---|
//! | [`prerequisites`] | the system packages for building and testing |
//! | [`ui`] | the page of the app's window, built by npm |
//! | [`suite`], [`counts`] | a run of `cargo test`, and how many tests passed in such runs |
//! | [`ci`], [`steps`], [`background`] | what CI runs, what each step cost, and what runs beside the tests |
//! | [`architecture`] | the rules that the compiler does not check |
//! | [`advisories`], [`sbom`] | known vulnerabilities of the dependencies, and the list of them |
//! | [`deny`], [`workflows`], [`tools`] | cargo-deny and actionlint, and where such tools are kept |
//! | [`mod@bench`], [`trials`] | measurements, and what takes too long for CI |
//! | `kafka` | a real Apache Kafka in one command |
//! | [`cargo`] | starting cargo and other programs |

use std::process::ExitCode;

mod advisories;
mod architecture;
mod background;
mod bench;
mod cargo;
mod ci;
mod counts;
mod deny;
#[cfg(unix)]
mod kafka;
mod prerequisites;
mod sbom;
mod steps;
mod suite;
mod tools;
mod trials;
mod ui;
mod workflows;

const HELP: &str = "\
Usage: cargo xtask <COMMAND> [ARGUMENTS]

Commands:
  run   [ARGS]    start Postern in the tray; where there is no screen, the demo
  demo  [ARGS]    hub, owner and friend on this machine: share a service and print what happens
                  (`--once` fetches through it, verifies and exits; `--help` lists the options)
                  `demo kafka` does so with messages through Apache Kafka
  kafka           run a real Apache Kafka until Ctrl-C; `kafka consume TOPIC` prints what it has of a topic
  test  [FILTER]  install what the tests need, build, and run the workspace's tests; arguments go to `cargo test`
  ci    [STEP]    what CI runs: format, architecture, lints, documentation, dependencies, and every test: those of
                  `test`, of the window's page, and against real `ockam` programs (`tests/interop`); with names of
                  steps, only these
  architecture    check what the compiler does not: layers, import cycles, retired names, file lengths, documents
  advisories      check the dependencies for known vulnerabilities; `advisories refresh` fetches the copy of the
                  RustSec database that is used without a network
  bench [ARGS]    build for release and measure (`--quick` for three minutes; `--help` lists the scenarios);
                  `bench instructions [--check]` counts the instructions of the hot path;
                  `bench kafka` measures messages through Apache Kafka beside plain Kafka;
                  `bench app` measures the app: start, window, memory, processor
  trials [NAME]   what takes too long for CI; without a name, the list
  sbom            write target/postern.cdx.json: what the programs are made of (CycloneDX)
  types           regenerate the window's TypeScript types from the engine's and the shell's
  icons           render every icon from its SVG
  screenshots     pictures of the real app, light and dark; with names, of those scenes of the page (`screenshots busy`)
  help            print this

Each command installs the Debian packages that it needs when it may (as root or through sudo), and otherwise prints which
are missing.
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_else(|| "help".into());
    let rest: Vec<String> = arguments.collect();

    let result = match command.as_str() {
        "run" => ui::run(&rest),
        "icons" => ui::icons(),
        "sbom" => sbom::run(),
        "types" => ui::types(),
        "screenshots" => ui::screenshots(&rest),
        #[cfg(unix)]
        "demo" if rest == ["kafka"] => kafka::demo(),
        "demo" => demo(&rest),
        #[cfg(unix)]
        "kafka" => kafka::run(&rest),
        "test" => suite::test(&rest),
        "architecture" => architecture::run(),
        "advisories" => advisories::run(&rest),
        "ci" => ci::run(&rest),
        "bench" => bench::run(&rest),
        "trials" => trials::run(&rest),
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

/// Builds `postern demo` and replaces this process by it.
fn demo(arguments: &[String]) -> anyhow::Result<ExitCode> {
    prerequisites::install_for_build()?;
    let mut command = cargo::command(&["run", "--package", "postern-cli", "--bin", "postern"]);
    cargo::replace_process(command.args(["--", "demo"]).args(arguments))
}
