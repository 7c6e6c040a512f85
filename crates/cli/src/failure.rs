//! How a command fails: a sentence on the standard error, a code for programs, an exit code for scripts.

use crate::output::Output;
use postern_node::secure_channel::ChannelError;
use serde::Serialize;
use std::process::ExitCode;

/// The help text of the exit codes.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done, or stopped as asked
  1  failed
  2  the arguments are wrong
  3  the hub or the other side cannot be reached
  4  the other side is not who it should be
  5  the keychain did not give the key";

const FAILED: u8 = 1;
const UNREACHABLE: u8 = 3;
const NOT_TRUSTED: u8 = 4;
const KEYCHAIN: u8 = 5;

#[derive(Serialize)]
struct Failure {
    event: &'static str,
    code: String,
    error: String,
}

/// Says why the command failed and chooses its exit code.
pub(crate) fn report(error: &anyhow::Error, output: Output) -> ExitCode {
    let (exit, code) = classify(error);
    eprintln!("postern: {error:#}");
    if output.is_json() {
        output.say(&Failure { event: "failed", code, error: format!("{error:#}") }, "");
    }
    ExitCode::from(exit)
}

fn classify(error: &anyhow::Error) -> (u8, String) {
    for cause in error.chain() {
        if let Some(error) = cause.downcast_ref::<postern_engine::keys::KeychainError>() {
            return (KEYCHAIN, error.code().to_owned());
        }
        if let Some(error) = cause.downcast_ref::<postern_engine::keys::passphrase::PassphraseError>() {
            return (KEYCHAIN, error.code().to_owned());
        }
        match cause.downcast_ref::<postern_node::Error>() {
            Some(postern_node::Error::Vault(_)) => return (KEYCHAIN, "keychain-failed".to_owned()),
            Some(postern_node::Error::Channel(ChannelError::Identity(_))) => {
                return (NOT_TRUSTED, "not-trusted".to_owned());
            }
            Some(postern_node::Error::Tcp(postern_node::tcp::TcpError::Listen { .. })) => {
                return (FAILED, "address-in-use".to_owned());
            }
            Some(
                postern_node::Error::Tcp(_) | postern_node::Error::Channel(_) | postern_node::Error::Relay(_),
            ) => return (UNREACHABLE, "unreachable".to_owned()),
            _ => {}
        }
    }
    (FAILED, "failed".to_owned())
}
