//! How the program is started.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use postern_engine::model::Secret;

/// Postern in the tray: share a service of this machine privately with the people you name.
#[derive(Debug, Parser)]
#[command(name = "postern-app", version)]
pub struct Arguments {
    /// Where everything that is no secret rests [default: the system's place for it].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where the identity's key rests.
    #[arg(long, value_enum, default_value_t = KeychainKind::Os)]
    pub keychain: KeychainKind,
    /// With --keychain file: read the passphrase from this file descriptor.
    #[arg(long, value_name = "FD")]
    pub passphrase_fd: Option<u32>,
    /// Only the tray, no window.
    #[arg(long)]
    pub hidden: bool,
    /// Show a text in a dialog and end.
    #[arg(long = "tell", hide = true, value_name = "TEXT")]
    pub error_dialog: Option<String>,
    /// Run into a mistake of its own, to see what comes of it.
    #[arg(long, hide = true)]
    pub panic: bool,
    /// An invitation to open: postern://join/…
    #[arg(value_name = "LINK", value_parser = parse_link)]
    pub link: Option<Secret>,
}

/// Where the identity's key rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeychainKind {
    /// The system's keychain.
    Os,
    /// A file in the data directory, encrypted with a passphrase.
    File,
    /// Nowhere: it is gone when the program ends.
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
    fn a_link_is_taken_and_not_shown() {
        let arguments = Arguments::try_parse_from(["postern-app", "--hidden", "postern://join/abc"]).unwrap();
        assert!(arguments.hidden);
        assert_eq!(arguments.link.as_ref().unwrap().reveal(), "postern://join/abc");
        assert!(!format!("{arguments:?}").contains("abc"));
        assert_eq!(arguments.keychain, KeychainKind::Os);
    }
}
