//! `postern-load`: measures Postern beside plain loopback, plain proxies and other tunnels, in turns, on one machine.
//!
//! ```text
//! load ─► tunnel under test (processes of its own) ─► service
//! └───────────── one process: this ──────────────────────┘
//! ```
//!
//! `cargo xtask bench` builds it and calls `bench`; the other commands are what it starts itself.

mod load;
mod process;
mod report;
mod results;
mod run;
mod scenario;
mod service;
mod system;
mod usage;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

use crate::report::OURS;
use crate::run::{Bench, Timing};
use crate::scenario::SCENARIOS;
use crate::system::System;

const HELP: &str = "\
Usage: cargo xtask bench [SCENARIO…] [OPTIONS]

  --quick         three minutes instead of fifteen, and rougher figures
  --peers DIR     also measure what is found there: ockam_bench, ockam_bench_awslc, rathole
  --beside FILE   also measure this other build of `postern`, by its file's name
  --systems LIST  only these, separated by commas
  --out FILE      where the table goes (bench/results.md for a full run, target/bench/results.md for any other)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["spin"] => loop {
            std::hint::spin_loop();
        },
        ["serve"] => in_runtime(serve()),
        ["proxy", address, target, buffer] => in_runtime(proxy(address, target, buffer)),
        ["bench", ref rest @ ..] => in_runtime(bench(rest)),
        _ => Err(anyhow::anyhow!("unknown arguments\n\n{}", help())),
    };
    result.unwrap_or_else(|error| {
        eprintln!("Error: {error:#}");
        ExitCode::FAILURE
    })
}

fn help() -> String {
    let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.0).collect();
    format!("{HELP}\nScenarios: {}\n", names.join(" "))
}

fn in_runtime(work: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    tokio::runtime::Runtime::new()?.block_on(work)
}

async fn serve() -> Result<ExitCode> {
    let listener = service::listen("127.0.0.1:0")?;
    println!("{}", serde_json::json!({ "event": "listening", "address": listener.local_addr()?.to_string() }));
    service::serve(listener).await;
    Ok(ExitCode::SUCCESS)
}

async fn proxy(address: &str, target: &str, buffer: &str) -> Result<ExitCode> {
    service::proxy(service::listen(address)?, target.to_owned(), buffer.parse()?).await;
    Ok(ExitCode::SUCCESS)
}

/// What was asked for.
#[derive(Default)]
struct Asked {
    postern: PathBuf,
    peers: Option<PathBuf>,
    beside: Vec<PathBuf>,
    work: PathBuf,
    out: Option<PathBuf>,
    systems: Option<Vec<String>>,
    quick: bool,
    scenarios: Vec<(&'static str, scenario::Scenario)>,
}

impl Asked {
    fn read(arguments: &[&str]) -> Result<Self> {
        let mut asked = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} needs a value\n\n{}", help()));
            match *argument {
                // What stands behind it was typed by who asked.
                "--" => {}
                "--quick" => asked.quick = true,
                "--postern" => asked.postern = value()?.into(),
                "--work" => asked.work = value()?.into(),
                "--peers" => asked.peers = Some(value()?.into()),
                "--beside" => asked.beside.push(value()?.into()),
                "--out" => asked.out = Some(value()?.into()),
                "--systems" => asked.systems = Some(value()?.split(',').map(str::to_owned).collect()),
                name => match SCENARIOS.iter().find(|scenario| scenario.0 == name) {
                    Some(scenario) => asked.scenarios.push(*scenario),
                    None => bail!("there is no scenario `{name}`\n\n{}", help()),
                },
            }
        }
        Ok(asked)
    }
}

async fn bench(arguments: &[&str]) -> Result<ExitCode> {
    if arguments.contains(&"--help") {
        print!("{}", help());
        return Ok(ExitCode::SUCCESS);
    }
    let asked = Asked::read(arguments)?;
    fs::create_dir_all(&asked.work)?;
    let mut systems = System::all(&asked.postern, &asked.beside, asked.peers.as_deref())?;
    if let Some(wanted) = &asked.systems {
        systems.retain(|system| wanted.iter().any(|name| name == system.name));
    }
    let whole = asked.scenarios.is_empty() && asked.systems.is_none() && !asked.quick;
    let scenarios = if asked.scenarios.is_empty() { SCENARIOS.to_vec() } else { asked.scenarios };
    let timing = if asked.quick { Timing::quick() } else { Timing::full() };

    let mut bench = Bench::new(systems, scenarios, timing, asked.work.clone());
    // Stopped from outside, it still ends the processes it has started: they end with what holds them.
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let done = tokio::select! {
        done = bench.run() => done,
        _ = terminated.recv() => Err(anyhow::anyhow!("terminated")),
        _ = interrupted.recv() => Err(anyhow::anyhow!("interrupted")),
    };
    let table = report::table(&bench.results, &bench.systems);
    println!("{table}");
    done?;

    let shown: Vec<&str> = arguments.iter().copied().skip_while(|word| *word != "--").collect();
    let command = ["cargo xtask bench"].into_iter().chain(shown.into_iter().skip(1)).collect::<Vec<_>>().join(" ");
    let about = report::circumstances(&command, &bench.results, bench.rounds);
    print!("{about}");
    let out = asked.out.unwrap_or_else(|| match whole {
        true => "bench/results.md".into(),
        false => asked.work.join("results.md"),
    });
    fs::write(&out, format!("# Results\n\n{about}\n{}\n{table}", report_notes()))?;
    println!("Written to {}.", out.display());
    Ok(ExitCode::SUCCESS)
}

fn report_notes() -> String {
    format!(
        "All systems run on one machine, with the load and the service; they take turns in every round. A ratio is the \
         median of the\nratios within the rounds, {OURS} divided by the other. [README.md](README.md) \
         explains each line.\n"
    )
}
