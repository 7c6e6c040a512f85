//! `postern`: the hub, the two ends of a portal, identities and the demo, on the command line.
//!
//! Every command that prints state prints it for people, or with `--json` as one JSON object a line. Logs go to
//! the standard error in the same form (`POSTERN_LOG=debug` for more). Exit codes are listed in [`failure`].

mod bench;
mod demo;
mod failure;
mod follow;
mod hub;
mod identity;
mod inlet;
mod keychain;
mod outlet;
mod output;

use clap::{Parser, Subcommand};
use output::Output;
use std::process::ExitCode;

/// Share one service of this machine privately with the people you name: it appears on their localhost.
#[derive(Parser)]
#[command(name = "postern", version, after_help = failure::EXIT_CODES)]
struct Arguments {
    /// Print one JSON object a line instead of sentences.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a hub: the untrusted node in the middle that people behind routers meet at.
    Hub(hub::HubArguments),
    /// Share a service: the end of a portal beside it.
    Outlet(outlet::OutletArguments),
    /// Reach a shared service: the end of a portal on your localhost.
    Inlet(inlet::InletArguments),
    /// Show, export or rotate the identity that others know you by.
    Identity(identity::IdentityArguments),
    /// See it work: a hub, an owner and a friend as three processes, and a service shared between them.
    Demo(demo::DemoArguments),
    #[command(hide = true)]
    Bench(bench::BenchArguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    init_log(arguments.json);
    let output = Output::new(arguments.json);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failure::report(&anyhow::Error::from(error), output),
    };
    let result = runtime.block_on(async {
        match arguments.command {
            Command::Hub(arguments) => hub::run(arguments, output).await,
            Command::Outlet(arguments) => outlet::run(arguments, output).await,
            Command::Inlet(arguments) => inlet::run(arguments, output).await,
            Command::Identity(arguments) => identity::run(arguments, output).await,
            Command::Demo(arguments) => demo::run(arguments, output).await,
            Command::Bench(arguments) => bench::run(arguments, output).await,
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error, output),
    }
}

fn init_log(json: bool) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("POSTERN_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match json {
        true => log.json().init(),
        false => log.init(),
    }
}

/// Resolves when the process is asked to stop: Ctrl-C, or SIGTERM.
async fn asked_to_stop() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
