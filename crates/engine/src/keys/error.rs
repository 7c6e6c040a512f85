//! Errors of keychains. Each has a stable code, and a sentence that says what to do next.

use std::{io, path::PathBuf};

/// Why a keychain could not answer; never carries a secret or a passphrase.
///
/// The text says what to do next. Programs branch on the variant or its [`code`](Self::code), never on the text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeychainError {
    /// The keychain is locked and nobody unlocked it.
    #[error("The keychain is locked. Unlock it and try again.")]
    Locked,
    /// There is no session bus, so no keychain can be reached.
    #[error(
        "This session has no D-Bus, so the desktop's keychain cannot be reached. \
         Log in to a desktop session and try again."
    )]
    NoBus,
    /// No program offers a keychain in this session.
    #[error(
        "No keychain is running in this session. \
         Start one (gnome-keyring, KWallet or KeePassXC) and try again."
    )]
    NoService,
    /// The keychain program has no default keychain to store into.
    #[error(
        "The keychain program has no default keyring. \
         Create one in its own window (Passwords and Keys, KWallet Manager) and try again."
    )]
    NoDefault,
    /// The system or the person refused access.
    #[error("Access to the keychain was refused. Allow it for Postern and try again.")]
    Denied,
    /// More than one item answers to the secret's name.
    #[error(
        "The keychain holds more than one item for this Postern secret. \
         Remove the copies in the keychain's own window and try again."
    )]
    Ambiguous,
    /// The item in the keychain is not what Postern stored.
    #[error(
        "The item in the keychain is not what Postern stored, and was left as it is. \
         Restore it from a backup, or remove it in the keychain's own window to start anew."
    )]
    Damaged,
    /// The keychain failed in another way.
    #[error("The keychain failed ({reason}). Try again.")]
    Failed {
        /// What the system said, at most 200 characters.
        reason: String,
    },
    /// The secret is longer than [`MAX_SECRET`](super::MAX_SECRET).
    #[error("The secret is too long for a keychain. Store at most {} bytes.", super::MAX_SECRET)]
    TooLong,
    /// The name is empty, longer than [`MAX_NAME`](super::MAX_NAME), or has other characters than `a-z A-Z 0-9 - _ . /`.
    #[error("That is no name for a secret. Use up to {} letters, digits and `-_./`.", super::MAX_NAME)]
    BadName,
    /// The passphrase does not open the file.
    #[error("That passphrase does not open the key file. Try again; the file was not changed.")]
    WrongPassphrase,
    /// There is no key file at this path.
    #[error("There is no key file at {}. Check the path, or create a new one.", .path.display())]
    FileMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Something is already where the key file was to be created.
    #[error("There is already a file at {}. Open it with its passphrase, or choose another path.", .path.display())]
    FileExists {
        /// Where it was to be created.
        path: PathBuf,
    },
    /// The file is not a key file, or is damaged.
    #[error(
        "The key file {} is damaged or is not a key file. It was left as it is; put a copy from a backup in its place.",
        .path.display()
    )]
    FileDamaged {
        /// The damaged file.
        path: PathBuf,
    },
    /// The file is not the one that was opened: another program changed or removed it.
    #[error(
        "The key file {} was changed by another program. Nothing was written; restart Postern to read it again.",
        .path.display()
    )]
    FileChanged {
        /// The changed file.
        path: PathBuf,
    },
    /// The file could not be read or written.
    #[error("The key file {} could not be used ({source}). Check the disk and the permissions, then try again.", .path.display())]
    FileFailed {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl KeychainError {
    /// A stable name of the error for programs and the window.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Locked => "keychain-locked",
            Self::NoBus => "keychain-no-bus",
            Self::NoService => "keychain-no-service",
            Self::NoDefault => "keychain-no-default",
            Self::Denied => "keychain-denied",
            Self::Ambiguous => "keychain-ambiguous",
            Self::Damaged => "keychain-damaged",
            Self::Failed { .. } => "keychain-failed",
            Self::TooLong => "keychain-too-long",
            Self::BadName => "keychain-bad-name",
            Self::WrongPassphrase => "keychain-wrong-passphrase",
            Self::FileMissing { .. } => "keychain-file-missing",
            Self::FileExists { .. } => "keychain-file-exists",
            Self::FileDamaged { .. } => "keychain-file-damaged",
            Self::FileChanged { .. } => "keychain-file-changed",
            Self::FileFailed { .. } => "keychain-file-failed",
        }
    }

    /// A failure in the system's own words, cut to 200 characters.
    pub(super) fn failed(reason: impl ToString) -> Self {
        Self::Failed { reason: reason.to_string().chars().take(200).collect() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_is_its_own_and_every_text_says_what_to_do() {
        let path = PathBuf::from("/keys");
        let all = [
            KeychainError::Locked,
            KeychainError::NoBus,
            KeychainError::NoService,
            KeychainError::NoDefault,
            KeychainError::Denied,
            KeychainError::Ambiguous,
            KeychainError::Damaged,
            KeychainError::failed("x".repeat(1000)),
            KeychainError::TooLong,
            KeychainError::BadName,
            KeychainError::WrongPassphrase,
            KeychainError::FileMissing { path: path.clone() },
            KeychainError::FileExists { path: path.clone() },
            KeychainError::FileDamaged { path: path.clone() },
            KeychainError::FileChanged { path: path.clone() },
            KeychainError::FileFailed { path, source: io::ErrorKind::StorageFull.into() },
        ];
        let codes: HashSet<_> = all.iter().map(KeychainError::code).collect();
        assert_eq!(codes.len(), all.len());
        for error in &all {
            assert!(error.code().starts_with("keychain-"));
            let text = error.to_string();
            assert!(text.ends_with('.') && text.len() < 400, "{text}");
            assert!(!text.contains("--"), "the window shows it too: {text}");
            assert!(text.contains(". ") || text.contains("; "), "what happened, then what to do: {text}");
        }
    }
}
