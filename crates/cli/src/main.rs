//! `postern`: the engine without a face, control of a running one, the hub, and a portal's two ends by hand.
//!
//! ```text
//! postern up        the engine itself, in the foreground                            up
//! postern share …   asks the engine that runs, in an app or an `up`, over its socket    engine_client ─► share, invite, join, …
//! postern hub       the node in the middle                                          hub
//! postern outlet …  one portal by hand, without an engine                           outlet, inlet, identity
//! ```
//!
//! Every command that prints state prints it for people, or with `--json` as one JSON object a line. Logs go to
//! the standard error in the same form (`POSTERN_LOG=debug` for more). Exit codes are listed in [`failure`].

mod backup;
mod bench;
mod contacts;
mod demo;
mod diagnostics;
mod engine_client;
mod failure;
mod hub;
mod identity;
mod inlet;
mod invite;
mod join;
mod keychain;
mod knock;
mod link;
mod list;
mod log;
mod outlet;
mod output;
mod pause;
mod resolve;
mod share;
mod status_reporter;
mod table;
mod terminal_text;
mod time_format;
mod up;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};
use output::Output;
use std::process::ExitCode;
use tokio::runtime::Builder;

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
    /// Be up: share and reach services, in the foreground, until stopped.
    Up(up::UpArguments),
    /// Show what is shared, who may use it, and your portals.
    Ls(list::ListArguments),
    /// Share a service of this machine. Nobody is in before you invite them.
    Share(share::ShareArguments),
    /// Invite somebody to a service: by a link, or a contact by name.
    Invite(invite::InviteArguments),
    /// Show the link of an open invitation again.
    Link(invite::SentArguments),
    /// Send an invitation again, valid anew.
    Resend(invite::ResendArguments),
    /// Show what a link offers, without accepting it.
    Preview(join::PreviewArguments),
    /// Accept the invitation of a link: the service appears on your localhost.
    Join(join::JoinArguments),
    /// Accept an invitation that came without a link.
    Accept(join::AcceptArguments),
    /// Decline an invitation.
    Decline(join::DeclineArguments),
    /// Answer somebody who asks to be let in.
    Knock(knock::KnockArguments),
    /// Keep people out for now, or a portal down.
    Pause(pause::PauseArguments),
    /// Let them in again, or a portal up.
    Resume(pause::PauseArguments),
    /// Take access, or an invitation, back. Open connections are cut at once.
    Revoke(invite::RevokeArguments),
    /// Change a service or a portal: its name, port, target.
    Change(share::ChangeArguments),
    /// Close a service for good, or give a portal back.
    Close(share::CloseArguments),
    /// Show, rename, block or forget the people you know.
    Contacts(contacts::ContactsArguments),
    /// Compare words with somebody, to be sure that they are who you think.
    Verify(contacts::VerifyArguments),
    /// Show or export the log: who used what, and who was refused.
    Log(log::LogArguments),
    /// Show what listens on this machine, to be shared.
    Ports(diagnostics::DiagnosticsArguments),
    /// Look for what is wrong, and say what to do.
    Doctor(diagnostics::DiagnosticsArguments),
    /// Write the identity and everything else into one file, encrypted with a passphrase.
    Backup(backup::BackupArguments),
    /// Be again who was backed up. No Postern may be running there.
    Restore(backup::RestoreArguments),
    /// Run a hub: the untrusted node in the middle that people behind routers meet at.
    Hub(hub::HubArguments),
    /// Share a service by hand, without an engine: the end of a portal beside it.
    Outlet(outlet::OutletArguments),
    /// Reach a service by hand, without an engine: the end of a portal on your localhost.
    Inlet(inlet::InletArguments),
    /// Show, export or rotate the identity that outlet and inlet act as.
    Identity(identity::IdentityArguments),
    /// See it work: a hub, an owner and a friend as three processes, and a service shared between them.
    Demo(demo::DemoArguments),
    /// Print a shell's completions, to be put where it looks for them.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    #[command(hide = true)]
    Bench(bench::BenchArguments),
}

/// The system's allocator keeps what ten thousand connections once took; this one gives it back within seconds.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    init_log(arguments.json);
    let output = Output::new(arguments.json);
    let runtime = match Builder::new_multi_thread().worker_threads(threads()).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::report(&anyhow::Error::from(error), output),
    };
    // On the runtime's own threads: this one would have to be woken up for everything.
    let running = runtime.spawn(run(arguments.command, output));
    let result = runtime.block_on(running).unwrap_or_else(|panic| Err(panic.into()));
    // A prompt that nobody answers must not keep the program from ending.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error, output),
    }
}

/// Half as many as there are cores: the system works as long for every byte as this program does, and threads that wake
/// each other up for nothing cost both.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

async fn run(command: Command, output: Output) -> Result<()> {
    match command {
        Command::Up(arguments) => up::run(arguments, output).await,
        Command::Backup(arguments) => backup::backup(arguments, output).await,
        Command::Restore(arguments) => backup::restore(arguments, output).await,
        Command::Ls(arguments) => list::run(arguments, output).await,
        Command::Share(arguments) => share::share(arguments, output).await,
        Command::Invite(arguments) => invite::invite(arguments, output).await,
        Command::Link(arguments) => invite::link(arguments, output).await,
        Command::Resend(arguments) => invite::resend(arguments, output).await,
        Command::Preview(arguments) => join::preview(arguments, output).await,
        Command::Join(arguments) => join::join(arguments, output).await,
        Command::Accept(arguments) => join::accept(arguments, output).await,
        Command::Decline(arguments) => join::decline(arguments, output).await,
        Command::Knock(arguments) => knock::run(arguments, output).await,
        Command::Pause(arguments) => pause::pause(arguments, output).await,
        Command::Resume(arguments) => pause::resume(arguments, output).await,
        Command::Revoke(arguments) => invite::revoke(arguments, output).await,
        Command::Change(arguments) => share::change(arguments, output).await,
        Command::Close(arguments) => share::close(arguments, output).await,
        Command::Contacts(arguments) => contacts::run(arguments, output).await,
        Command::Verify(arguments) => contacts::verify(arguments, output).await,
        Command::Log(arguments) => log::run(arguments, output).await,
        Command::Ports(arguments) => diagnostics::ports(arguments, output).await,
        Command::Doctor(arguments) => diagnostics::doctor(arguments, output).await,
        Command::Hub(arguments) => hub::run(arguments, output).await,
        Command::Outlet(arguments) => outlet::run(arguments, output).await,
        Command::Inlet(arguments) => inlet::run(arguments, output).await,
        Command::Identity(arguments) => identity::run(arguments, output).await,
        Command::Demo(arguments) => demo::run(arguments, output).await,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "postern", &mut std::io::stdout());
            Ok(())
        }
        Command::Bench(arguments) => bench::run(arguments, output).await,
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

/// Listens, from now on, for being asked to stop: Ctrl-C, or SIGTERM. Whoever announces that it runs calls this before.
fn shutdown_signal() -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    {
        let mut interrupt = tokio::signal::windows::ctrl_c()?;
        Ok(async move {
            interrupt.recv().await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
