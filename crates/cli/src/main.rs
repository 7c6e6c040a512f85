//! `postern`: the engine without a window, control of a running one, the hub, and the two ends of a portal alone.
//!
//! ```text
//! postern up        runs the engine in the foreground                           up
//! postern share …   requests to a running engine (app or `up`), by its socket   engine_client ─► share, invite, join, …
//! postern hub       runs the node in the middle                                 hub
//! postern outlet …  one end of a portal, without an engine                      outlet, inlet, identity
//! ```
//!
//! Output is text for people, or with `--json` one JSON object per line. Logs go to the standard error in the same form
//! (`POSTERN_LOG=debug` for more). Exit codes are listed in [`failure`].

mod backup;
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
mod signals;
mod status_reporter;
mod table;
mod terminal_text;
mod time_format;
mod up;
mod word_groups;

use anyhow::Result;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use output::Output;
use signals::shutdown_signal;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::runtime::Builder;

/// Share one service of this machine privately with the people you name: it appears on their localhost.
#[derive(Parser)]
#[command(name = "postern", version, after_help = failure::EXIT_CODES)]
struct Arguments {
    /// Print one JSON object per line instead of text.
    #[arg(long, global = true)]
    json: bool,
    // Each command that uses it has an argument of the same id; this one lets it stand before the command.
    /// The data directory; each one is a separate person [default: the system's data directory].
    #[arg(long, value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run Postern in the foreground: share services and reach those of others, until stopped.
    Up(up::UpArguments),
    /// List your services, who may use them, and your portals.
    Ls(list::ListArguments),
    /// Share a service of this machine. Nobody has access before you invite them.
    Share(share::ShareArguments),
    /// Invite somebody to a service: with a link, or a contact by name.
    Invite(invite::InviteArguments),
    /// Show the link of an open invitation again.
    Link(invite::SentArguments),
    /// Send an invitation again, with a new expiry.
    Resend(invite::ResendArguments),
    /// Show what an invitation link offers, without accepting it.
    Preview(join::PreviewArguments),
    /// Accept an invitation link: the service appears on your localhost.
    Join(join::JoinArguments),
    /// Accept an invitation that arrived without a link.
    Accept(join::AcceptArguments),
    /// Decline an invitation.
    Decline(join::DeclineArguments),
    /// Answer a knock: somebody with an invitation asks for access.
    Knock(knock::KnockArguments),
    /// Pause access, a service or a portal. Open connections are cut.
    Pause(pause::PauseArguments),
    /// Resume what was paused.
    Resume(pause::PauseArguments),
    /// Revoke access or an invitation. Open connections are cut at once.
    Revoke(invite::RevokeArguments),
    /// Change a service or a portal: its name, port or target.
    Change(share::ChangeArguments),
    /// Close a service permanently, or give up a portal.
    Close(share::CloseArguments),
    /// List, rename, block or forget contacts.
    Contacts(contacts::ContactsArguments),
    /// Verify a contact's identity by comparing words.
    Verify(contacts::VerifyArguments),
    /// Show or export the audit log: who used what, and who was refused.
    Log(log::LogArguments),
    /// List the ports that programs on this machine listen on.
    Ports(diagnostics::DiagnosticsArguments),
    /// Diagnose problems, with advice for each.
    Doctor(diagnostics::DiagnosticsArguments),
    /// Write the identity and all data into one file, encrypted with a passphrase.
    Backup(backup::BackupArguments),
    /// Restore a backup into a data directory that no running Postern uses.
    Restore(backup::RestoreArguments),
    /// Run a hub: the untrusted node in the middle, which relays between people behind routers.
    Hub(hub::HubArguments),
    /// Run an outlet without an engine: the end of a portal beside the service.
    Outlet(outlet::OutletArguments),
    /// Run an inlet without an engine: the end of a portal on your localhost.
    Inlet(inlet::InletArguments),
    /// Show, export or rotate the identity that outlet and inlet act as.
    Identity(identity::IdentityArguments),
    /// Demonstrate it: a hub, an owner and a friend as three processes, and a service shared between them.
    Demo(demo::DemoArguments),
    /// Print the completion script of a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// Whether the command's purpose is to serve until it is stopped, and not what it prints.
    fn serves(&self) -> bool {
        matches!(self, Self::Up(_) | Self::Hub(_) | Self::Outlet(_) | Self::Inlet(_))
    }
}

/// glibc's allocator keeps the memory of closed connections; jemalloc returns it to the system within seconds.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let arguments = match parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(error) => return failure::report_usage(&error, Output::new(wants_json(std::env::args_os()))),
    };
    init_log(arguments.json);
    let output = Output::new(arguments.json);
    let serves = arguments.command.serves();
    if serves && let Err(error) = postern_env::descriptors::raise_limit() {
        tracing::warn!(%error, "the limit of file descriptors stays as it is; connections above it are refused");
    }
    let runtime = match Builder::new_multi_thread().worker_threads(threads()).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::report(&anyhow::Error::from(error), output),
    };
    // On a worker thread: `block_on` alone would run it on this thread, and every wakeup would cost a switch to it.
    let running = runtime.spawn(run(arguments.command, output));
    let result = runtime.block_on(running).unwrap_or_else(|panic| Err(panic.into()));
    // A passphrase prompt that nobody answers blocks a thread; it must not keep the program from ending.
    runtime.shutdown_background();
    match (result, output.failure()) {
        (Err(error), _) => failure::report(&error, output),
        (Ok(()), Some(error)) if !serves => {
            let error =
                anyhow::anyhow!("The standard output cannot be written: {error}. The command itself succeeded.");
            failure::report(&error, output)
        }
        (Ok(()), _) => ExitCode::SUCCESS,
    }
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, clap::Error> {
    let arguments = Arguments::try_parse_from(arguments)?;
    let uses_data = !matches!(arguments.command, Command::Demo(_) | Command::Completions { .. });
    if arguments.data_dir.is_some() && !uses_data {
        let sentence = "this command has no data directory: leave out --data-dir\n";
        return Err(Arguments::command().error(ErrorKind::ArgumentConflict, sentence));
    }
    Ok(arguments)
}

/// Whether `--json` was given with arguments that cannot be parsed.
fn wants_json(arguments: impl IntoIterator<Item = OsString>) -> bool {
    arguments.into_iter().skip(1).take_while(|it| it != "--").any(|it| it == "--json")
}

/// Worker threads: half as many as there are cores. The kernel spends about as much time on every byte as this program
/// does, and more threads only wake each other up.
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
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "postern", &mut script);
            output.raw(&script);
            Ok(())
        }
    }
}

fn init_log(json: bool) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("POSTERN_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A log that cannot be written must neither panic nor stop anything. Files and pipes get no colour codes.
    let has_colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty());
    let log = log.log_internal_errors(false).with_ansi(has_colours);
    match json {
        true => log.json().init(),
        false => log.init(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    fn parsed(arguments: &[&str]) -> Result<Arguments, clap::Error> {
        parse(["postern"].iter().chain(arguments).map(OsString::from))
    }

    #[test]
    fn the_data_directory_may_stand_before_the_command() {
        for command in ["ls", "hub"] {
            for arguments in [["postern", "--data-dir", "/d", command], ["postern", command, "--data-dir", "/d"]] {
                let matches = Arguments::command().try_get_matches_from(arguments).unwrap();
                let (_, matches) = matches.subcommand().unwrap();
                assert_eq!(
                    matches.get_one::<PathBuf>("data_dir").unwrap(),
                    std::path::Path::new("/d"),
                    "{arguments:?}"
                );
            }
        }
        assert!(parsed(&["ls"]).is_ok());
        assert!(parsed(&["--data-dir", "/d", "completions", "bash"]).is_err());
    }

    #[test]
    fn json_is_wanted_also_with_arguments_that_cannot_be_parsed() {
        let wants = |arguments: &[&str]| wants_json(["postern"].iter().chain(arguments).map(OsString::from));
        assert!(wants(&["nonsense", "--json"]));
        assert!(!wants(&["ls"]) && !wants(&["share", "--", "--json"]));
    }
}
