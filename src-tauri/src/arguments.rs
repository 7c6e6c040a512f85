//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use postern_engine::api::Secret;

/// Postern in the tray: share a service of this machine privately with the people you name.
#[derive(Debug, Parser)]
#[command(name = "postern-app", version)]
pub struct Arguments {
    /// Directory for all data that is not secret [default: the system's data directory].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where the identity key is stored.
    #[arg(long, value_enum, default_value_t = KeychainKind::Os)]
    pub keychain: KeychainKind,
    /// With --keychain file: read the passphrase from this file descriptor.
    #[arg(long, value_name = "FD")]
    pub passphrase_fd: Option<u32>,
    /// Start with the tray only, without a window.
    #[arg(long)]
    pub hidden: bool,
    /// Show an error dialog with this text and exit.
    #[arg(long = "tell", hide = true, value_name = "TEXT")]
    pub error_dialog: Option<String>,
    /// Panic after the start, to test the panic reporter.
    #[arg(long, hide = true)]
    pub panic: bool,
    /// Read the link from the standard input: the program starts itself so, to keep it out of the process list.
    #[arg(long, hide = true, conflicts_with = "link")]
    pub link_from_stdin: bool,
    /// An invitation to open: postern://join/…
    #[arg(value_name = "LINK", value_parser = parse_link)]
    pub link: Option<Secret>,
}

/// Where the identity key is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeychainKind {
    /// The system's keychain.
    Os,
    /// A file in the data directory, encrypted with a passphrase.
    File,
    /// In memory: it is lost when the program ends.
    Memory,
}

#[expect(clippy::unnecessary_wraps, reason = "clap wants a result")]
fn parse_link(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_parsed_and_not_printed_by_debug() {
        let arguments = Arguments::try_parse_from(["postern-app", "--hidden", "postern://join/abc"]).unwrap();
        assert!(arguments.hidden);
        assert_eq!(arguments.link.as_ref().unwrap().reveal(), "postern://join/abc");
        assert!(!format!("{arguments:?}").contains("abc"));
        assert_eq!(arguments.keychain, KeychainKind::Os);
    }
}
