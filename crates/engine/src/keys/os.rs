//! Secrets in the desktop's keychain.
//!
//! ```text
//! service "postern", user "<profile>/<name>"  ─►  Secret Service (Linux) · Apple keychain · Windows credentials
//! ```
//!
//! Secrets are stored as hexadecimal text: KDE Wallet behind the Secret Service keeps only UTF-8. The keychain is opened for each
//! operation (tens of milliseconds, a few times in a program's life), so that a keychain program that was restarted meanwhile
//! is no special case.

use keyring_core::{Entry, Error};
use tokio::sync::{OwnedMutexGuard, oneshot};
use zeroize::Zeroizing;

use super::{KeychainError, Profile};

#[cfg_attr(target_os = "linux", path = "os/linux.rs")]
#[cfg_attr(target_os = "macos", path = "os/macos.rs")]
#[cfg_attr(windows, path = "os/windows.rs")]
#[cfg_attr(not(any(target_os = "linux", target_os = "macos", windows)), path = "os/none.rs")]
mod platform;

const SERVICE: &str = "postern";

/// One profile's part of the desktop's keychain.
pub(super) struct OsKeychain {
    profile: Profile,
}

/// Runs `work` on a thread of its own.
///
/// Not on the runtime's blocking threads: its shutdown waits for those, and a password prompt may stay open for hours.
pub(super) async fn run_blocking<T: Send + 'static>(
    keychain: OwnedMutexGuard<OsKeychain>,
    work: impl FnOnce(&OsKeychain) -> Result<T, KeychainError> + Send + 'static,
) -> Result<T, KeychainError> {
    let (answer, answered) = oneshot::channel();
    std::thread::Builder::new()
        .name("postern-keychain".to_owned())
        .spawn(move || {
            // The caller's future may have been dropped.
            let _ = answer.send(work(&keychain));
        })
        .map_err(KeychainError::failed)?;
    answered.await.unwrap_or_else(|_| Err(KeychainError::failed("it stopped without an answer")))
}

impl OsKeychain {
    pub(super) fn new(profile: Profile) -> Self {
        Self { profile }
    }

    pub(super) fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeychainError> {
        match self.unlocked(name, Entry::get_secret)? {
            Some(text) => hex::decode(Zeroizing::new(text))
                .map(|secret| Some(Zeroizing::new(secret)))
                .map_err(|_| KeychainError::Damaged),
            None => Ok(None),
        }
    }

    pub(super) fn put(&self, name: &str, secret: &[u8]) -> Result<(), KeychainError> {
        let text = Zeroizing::new(hex::encode(secret));
        self.entry(name)?.set_secret(text.as_bytes()).map_err(classify)
    }

    pub(super) fn delete(&self, name: &str) -> Result<(), KeychainError> {
        self.unlocked(name, Entry::delete_credential).map(|_| ())
    }

    /// Runs `operation`; `None` means that an unlocked keychain has no such entry.
    fn unlocked<T>(
        &self,
        name: &str,
        operation: impl Fn(&Entry) -> keyring_core::Result<T>,
    ) -> Result<Option<T>, KeychainError> {
        let entry = self.entry(name)?;
        match operation(&entry) {
            // Some keychain programs hide their entries while they are locked: unlock, then try again.
            Err(Error::NoEntry) if platform::unlock()? => {}
            other => return present(other),
        }
        present(operation(&entry))
    }

    fn entry(&self, name: &str) -> Result<Entry, KeychainError> {
        platform::entry(SERVICE, &format!("{}/{name}", self.profile.as_str())).map_err(classify)
    }
}

fn present<T>(answer: keyring_core::Result<T>) -> Result<Option<T>, KeychainError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(classify(error)),
    }
}

/// Our error for one of the keychain. Those that contain the secret's bytes (`BadEncoding`, `BadDataFormat`) are reduced to
/// their kind.
fn classify(error: Error) -> KeychainError {
    match error {
        Error::PlatformFailure(cause) => {
            platform::classify(cause.as_ref()).unwrap_or_else(|| KeychainError::failed(cause))
        }
        Error::NoStorageAccess(cause) => platform::classify(cause.as_ref()).unwrap_or(KeychainError::Denied),
        Error::BadEncoding(_) | Error::BadDataFormat(..) | Error::BadStoreFormat(_) => KeychainError::Damaged,
        Error::TooLong(..) => KeychainError::TooLong,
        Error::Ambiguous(_) => KeychainError::Ambiguous,
        Error::NoDefaultStore => KeychainError::NoService,
        // Never "absent" by accident: where an entry may be missing, `present` handles it.
        Error::NoEntry => KeychainError::failed("the entry is gone"),
        Error::Invalid(what, why) => KeychainError::failed(format!("{what} {why}")),
        Error::NotSupportedByStore(what) => KeychainError::failed(what),
        _ => KeychainError::failed("unknown error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_inside_an_error_go_no_further() {
        let bytes = b"swordfish".to_vec();
        for error in [
            Error::BadEncoding(bytes.clone()),
            Error::BadDataFormat(bytes, Box::new(std::io::Error::other("swordfish"))),
        ] {
            let error = classify(error);
            assert_eq!(error.code(), "keychain-damaged");
            assert!(!format!("{error} {error:?}").contains("swordfish"));
        }
    }

    #[test]
    fn an_unexpected_error_is_never_absence() {
        let other = || Box::new(std::io::Error::other("x"));
        assert_eq!(present::<()>(Err(Error::NoEntry)).unwrap(), None);
        for (error, code) in [
            (Error::PlatformFailure(other()), "keychain-failed"),
            (Error::NoStorageAccess(other()), "keychain-denied"),
            (Error::BadStoreFormat("x".into()), "keychain-damaged"),
            (Error::TooLong("x".into(), 1), "keychain-too-long"),
            (Error::Invalid("x".into(), "y".into()), "keychain-failed"),
            (Error::Ambiguous(Vec::new()), "keychain-ambiguous"),
            (Error::NoDefaultStore, "keychain-no-service"),
            (Error::NotSupportedByStore("x".into()), "keychain-failed"),
        ] {
            assert_eq!(present::<()>(Err(error)).unwrap_err().code(), code);
        }
        assert_eq!(classify(Error::NoEntry).code(), "keychain-failed");
    }
}
