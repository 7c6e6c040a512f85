//! How a command fails: a message on the standard error, a code for programs, an exit code for scripts.

use crate::output::{Output, to_stderr};
use crate::resolve::ResolveError;
use postern_engine::api::{Code, Fault};
use postern_engine::control::ControlError;
use postern_engine::identity::IdentityError;
use postern_engine::keys::KeychainError;
use postern_engine::keys::passphrase::PassphraseError;
use postern_hub::{ConfigError, HubError};
use postern_node::InvalidMultiAddr;
use postern_node::portal::PortalError;
use postern_node::relay::RelayError;
use postern_node::secure_channel::ChannelError;
use postern_node::tcp::TcpError;
use serde::Serialize;
use std::io;
use std::process::ExitCode;

/// The help text of the exit codes.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
   0  success, or stopped on request
   1  failure
   2  invalid arguments
   3  the hub or the peer is unreachable
   4  the peer is not the expected one
   5  the keychain did not give the key
   6  no Postern is running there, or it is not set up
   7  not found, or ambiguous
   8  refused: used, expired, revoked, denied, paused, too many
   9  in use: the name, the port or the data directory
  10  the data cannot be read or written";

const FAILED: u8 = 1;
const ARGUMENTS: u8 = 2;
const UNREACHABLE: u8 = 3;
const NOT_TRUSTED: u8 = 4;
const KEYCHAIN: u8 = 5;
const NOT_RUNNING: u8 = 6;
const NO_SUCH: u8 = 7;
const REFUSED: u8 = 8;
const TAKEN: u8 = 9;
const DATA: u8 = 10;

#[derive(Serialize)]
struct Failure {
    event: &'static str,
    code: String,
    error: String,
}

/// Prints why the command failed and chooses its exit code.
pub(crate) fn report(error: &anyhow::Error, output: Output) -> ExitCode {
    let (exit, code) = classify(error);
    let sentence = crate::terminal_text::escaped(&sentence(error));
    to_stderr(format_args!("postern: {sentence}"));
    if wants_a_file(&code) {
        to_stderr("postern: Without a keychain, `--keychain file` keeps the keys in an encrypted file.");
    }
    if output.is_json() {
        output.print(&Failure { event: "failed", code, error: sentence }, "");
    }
    ExitCode::from(exit)
}

/// Prints why the arguments cannot be used, or the help that was asked for.
pub(crate) fn report_usage(error: &clap::Error, output: Output) -> ExitCode {
    let _ = error.print();
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    if output.is_json() {
        let text = error.render().to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let text = text.split_once("\n\nUsage:").map_or(text, |(before, _)| before).trim_end();
        output.print(&Failure { event: "failed", code: "invalid".into(), error: text.into() }, "");
    }
    ExitCode::from(ARGUMENTS)
}

/// The error and its causes, without those that the text before them states already.
fn sentence(error: &anyhow::Error) -> String {
    let mut sentence = String::new();
    for cause in error.chain().map(ToString::to_string) {
        match sentence.is_empty() {
            true => sentence = cause,
            false if sentence.contains(&cause) => {}
            false => sentence.push_str(&format!(": {cause}")),
        }
    }
    sentence
}

/// Whether the code is a failure of the system's keychain, which a key file avoids.
fn wants_a_file(code: &str) -> bool {
    let codes = ["locked", "missing", "no-bus", "no-service", "no-default", "denied", "failed"];
    code.strip_prefix("keychain-").is_some_and(|it| codes.contains(&it))
}

fn classify(error: &anyhow::Error) -> (u8, String) {
    let coded = |exit, code: &str| (exit, code.to_owned());
    for cause in error.chain() {
        if let Some(fault) = cause.downcast_ref::<Fault>() {
            return (exit_of(fault.code), name(fault.code));
        }
        match cause.downcast_ref::<ControlError>() {
            Some(ControlError::Fault(fault)) => return (exit_of(fault.code), name(fault.code)),
            Some(ControlError::NotRunning { .. }) => return coded(NOT_RUNNING, "not-running"),
            Some(ControlError::NotOurs { .. }) => return coded(NOT_TRUSTED, "not-trusted"),
            Some(ControlError::OtherUser { .. }) => return coded(DATA, "storage"),
            Some(_) => return coded(FAILED, "control-failed"),
            None => {}
        }
        match cause.downcast_ref::<ResolveError>() {
            Some(ResolveError::Unknown { .. } | ResolveError::None(_)) => return coded(NO_SUCH, "not-found"),
            Some(ResolveError::Ambiguous { .. } | ResolveError::Several(_)) => return coded(NO_SUCH, "ambiguous"),
            None => {}
        }
        match cause.downcast_ref::<IdentityError>() {
            Some(IdentityError::Keychain(error)) => return coded(KEYCHAIN, error.code()),
            Some(IdentityError::KeyMissing(_)) => return coded(KEYCHAIN, "keychain-failed"),
            Some(_) => return coded(DATA, "storage"),
            None => {}
        }
        if let Some(error) = cause.downcast_ref::<KeychainError>() {
            return coded(KEYCHAIN, error.code());
        }
        if let Some(error) = cause.downcast_ref::<PassphraseError>() {
            return coded(KEYCHAIN, error.code());
        }
        if cause.is::<ConfigError>() || cause.is::<InvalidMultiAddr>() {
            return coded(ARGUMENTS, "invalid");
        }
        let (exit, code) = match cause.downcast_ref::<HubError>() {
            Some(HubError::InUse { .. }) => (TAKEN, "in-use"),
            Some(HubError::Data { .. }) => (DATA, "storage"),
            Some(HubError::Status { source, .. }) => of_listening(source),
            Some(HubError::Node(error)) => of_node(error),
            _ => match cause.downcast_ref::<postern_node::Error>() {
                Some(error) => of_node(error),
                None => continue,
            },
        };
        return coded(exit, code);
    }
    coded(FAILED, "failed")
}

fn of_node(error: &postern_node::Error) -> (u8, &'static str) {
    use postern_node::Error;
    match error {
        Error::Vault(_) => (KEYCHAIN, "keychain-failed"),
        Error::Channel(ChannelError::Identity(_)) => (NOT_TRUSTED, "not-trusted"),
        Error::Tcp(TcpError::Listen { source, .. }) => of_listening(source),
        Error::Portal(PortalError::Listen { source, .. }) => of_listening(source),
        Error::Relay(RelayError::NameTaken(_)) => (TAKEN, "name-taken"),
        Error::Relay(RelayError::InvalidName(_)) => (ARGUMENTS, "invalid"),
        Error::Tcp(_) | Error::Channel(_) | Error::Relay(_) => (UNREACHABLE, "unreachable"),
        _ => (FAILED, "failed"),
    }
}

/// Why an address could not be listened on: it is in use, not permitted, or not an address of this machine.
fn of_listening(error: &io::Error) -> (u8, &'static str) {
    match error.kind() {
        io::ErrorKind::AddrInUse => (TAKEN, "address-in-use"),
        io::ErrorKind::PermissionDenied => (FAILED, "not-permitted"),
        _ => (ARGUMENTS, "invalid"),
    }
}

/// A code's stable name.
pub(crate) fn name(code: Code) -> String {
    match serde_json::to_value(code) {
        Ok(serde_json::Value::String(name)) => name,
        _ => "failed".to_owned(),
    }
}

fn exit_of(code: Code) -> u8 {
    match code {
        Code::Invalid | Code::BadTicket => ARGUMENTS,
        Code::HubUnreachable | Code::OwnerOffline | Code::NoWayIn | Code::ServiceDown => UNREACHABLE,
        Code::TimedOut | Code::ClockSkew => UNREACHABLE,
        Code::NotTrusted | Code::KeyChanged | Code::KeyRefused | Code::RelayTaken => NOT_TRUSTED,
        Code::KeychainLocked | Code::KeychainMissing | Code::KeychainFailed | Code::WrongPassphrase => KEYCHAIN,
        Code::NotSetUp | Code::Stopped => NOT_RUNNING,
        Code::NotFound => NO_SUCH,
        Code::OwnInvitation | Code::AlreadyIn | Code::TicketUsed | Code::Expired | Code::Revoked => REFUSED,
        Code::Denied | Code::Asked | Code::PausedByOwner | Code::Paused | Code::ServiceClosed => REFUSED,
        Code::Blocked | Code::CannotMail | Code::TooMany => REFUSED,
        Code::NameTaken | Code::PortTaken | Code::InUse | Code::AlreadySetUp => TAKEN,
        Code::NewerData | Code::DamagedData | Code::Storage => DATA,
        _ => FAILED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_keeps_its_code_whatever_was_said_around_it() {
        let fault = Fault::new(Code::TicketUsed, "Somebody else has used it.");
        let error = anyhow::Error::from(ControlError::from(fault.clone())).context("Failed to join");
        assert_eq!(classify(&error), (REFUSED, "ticket-used".to_owned()));
        assert_eq!(classify(&fault.into()), (REFUSED, "ticket-used".to_owned()));
        assert_eq!(classify(&anyhow::anyhow!("anything")), (FAILED, "failed".to_owned()));
    }

    #[test]
    fn a_cause_is_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot connect: {source}")]
        struct Outer {
            source: io::Error,
        }
        let error = anyhow::Error::from(Outer { source: io::Error::other("refused") }).context("Failed to start");
        assert_eq!(sentence(&error), "Failed to start: cannot connect: refused");
    }

    #[test]
    fn a_file_is_offered_where_the_keychain_does_not_answer() {
        assert!(wants_a_file(KeychainError::Locked.code()));
        assert!(wants_a_file(&name(Code::KeychainMissing)));
        assert!(!wants_a_file(KeychainError::WrongPassphrase.code()));
        assert!(!wants_a_file(&name(Code::WrongPassphrase)));
    }

    #[test]
    fn an_address_is_taken_or_no_address() {
        let listen = |kind: io::ErrorKind| {
            let (address, source) = ("127.0.0.1:80".to_owned(), kind.into());
            postern_node::Error::from(TcpError::Listen { address, source })
        };
        let (taken, none) = ((TAKEN, "address-in-use".to_owned()), (ARGUMENTS, "invalid".to_owned()));
        assert_eq!(classify(&listen(io::ErrorKind::AddrInUse).into()), taken);
        assert_eq!(classify(&listen(io::ErrorKind::InvalidInput).into()), none);
        assert_eq!(classify(&listen(io::ErrorKind::PermissionDenied).into()), (FAILED, "not-permitted".to_owned()));
        // A hub's node says the same through the hub.
        let hub = HubError::from(listen(io::ErrorKind::AddrInUse));
        assert_eq!(classify(&anyhow::Error::from(hub).context("Failed to start the hub")), taken);
    }

    #[test]
    fn every_exit_code_is_in_the_help() {
        for exit in [FAILED, ARGUMENTS, UNREACHABLE, NOT_TRUSTED, KEYCHAIN, NOT_RUNNING, NO_SUCH, REFUSED, TAKEN, DATA]
        {
            assert!(EXIT_CODES.lines().any(|line| line.trim_start().starts_with(&format!("{exit}  "))), "{exit}");
        }
    }
}
