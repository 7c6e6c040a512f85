//! Keychains: where the secrets of this person are stored.
//!
//! ```text
//!                        ┌─ os      the desktop's keychain: Secret Service, Apple keychain, Windows credentials
//! get / put / delete ─►  ├─ file    one file encrypted with a passphrase, for headless machines
//!        (Keychain)      └─ memory  nothing outlives the process, for tests and demonstrations
//! ```
//!
//! A secret has a short name and at most [`MAX_SECRET`] bytes. `Ok(None)` means that the keychain was open and holds no such
//! secret; only then may a caller create a new one. A keychain that is locked, missing or failing is always an error, so that
//! no identity is ever replaced because it could not be read.
//!
//! All work that may block (D-Bus, a password prompt, scrypt, the disk) runs outside the runtime's async threads, one operation
//! at a time for each keychain. An operation that has started is completed even if its future is dropped.

mod error;
mod file;
mod os;
pub mod passphrase;
mod profile;
mod secrets;
mod vault;

use std::{path::PathBuf, sync::Arc};

use tokio::sync::{Mutex, OwnedMutexGuard};
use zeroize::Zeroizing;

pub use self::{error::KeychainError, passphrase::Passphrase, profile::Profile};
use self::{file::SecretFile, os::OsKeychain, secrets::Secrets};

/// The longest secret, in bytes: Windows allows 2560 (`CRED_MAX_CREDENTIAL_BLOB_SIZE`), and two hex digits are stored for each.
pub const MAX_SECRET: usize = 1024;

/// The longest name of a secret, in bytes. Chosen: an account name on every system, with the profile before it.
pub const MAX_NAME: usize = 64;

/// A person's keychain; clones share it.
///
/// Its `Debug` form shows the kind of keychain and never a secret.
#[derive(Clone)]
pub struct Keychain {
    backend: Backend,
}

#[derive(Clone)]
enum Backend {
    Os(Arc<Mutex<OsKeychain>>),
    File(Arc<Mutex<SecretFile>>),
    Memory(Arc<Mutex<Secrets>>),
}

impl Keychain {
    /// The desktop's keychain, with the secrets of `profile`; it is opened by the first operation.
    #[must_use]
    pub fn os(profile: Profile) -> Self {
        Self { backend: Backend::Os(shared(OsKeychain::new(profile))) }
    }

    /// A keychain that forgets everything when its last clone is dropped.
    #[must_use]
    pub fn memory() -> Self {
        Self { backend: Backend::Memory(shared(Secrets::default())) }
    }

    /// Opens the encrypted file at `path` (about half a second of work, 128 MiB of memory).
    ///
    /// # Errors
    /// [`KeychainError::FileMissing`], [`KeychainError::WrongPassphrase`], [`KeychainError::FileDamaged`] or
    /// [`KeychainError::FileFailed`]; the file is untouched in each case.
    pub async fn open_file(path: impl Into<PathBuf>, passphrase: Passphrase) -> Result<Self, KeychainError> {
        let path = path.into();
        let file = file::run_blocking(move || SecretFile::open(&path, passphrase)).await?;
        Ok(Self { backend: Backend::File(shared(file)) })
    }

    /// Creates an encrypted file at `path`, readable by its owner only, in a directory that exists.
    ///
    /// # Errors
    /// [`KeychainError::FileExists`] if anything is there already, which is then untouched; [`KeychainError::FileFailed`].
    pub async fn create_file(path: impl Into<PathBuf>, passphrase: Passphrase) -> Result<Self, KeychainError> {
        let path = path.into();
        let file = file::run_blocking(move || SecretFile::create(&path, passphrase)).await?;
        Ok(Self { backend: Backend::File(shared(file)) })
    }

    /// The secret called `name`, or `None` if the keychain was open and holds none.
    ///
    /// The desktop may ask the user to unlock the keychain first, for as long as that takes.
    ///
    /// # Errors
    /// Every [`KeychainError`] that says why the keychain could not tell; none of them means "absent".
    pub async fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeychainError> {
        let name = checked(name)?;
        match &self.backend {
            Backend::Os(os) => os::run_blocking(lock(os).await, move |os| os.get(&name)).await,
            Backend::File(file) => Ok(file.lock().await.get(&name)),
            Backend::Memory(secrets) => Ok(secrets.lock().await.get(&name)),
        }
    }

    /// Stores `secret` under `name`, replacing what was there; when this returns `Ok` the secret is safely stored.
    ///
    /// # Errors
    /// [`KeychainError::TooLong`] above [`MAX_SECRET`] bytes, and every [`KeychainError`] that says why it was not stored.
    pub async fn put(&self, name: &str, secret: &[u8]) -> Result<(), KeychainError> {
        let name = checked(name)?;
        if secret.len() > MAX_SECRET {
            return Err(KeychainError::TooLong);
        }
        let secret = Zeroizing::new(secret.to_vec());
        match &self.backend {
            Backend::Os(os) => os::run_blocking(lock(os).await, move |os| os.put(&name, &secret)).await,
            Backend::File(file) => {
                let mut file = lock(file).await;
                file::run_blocking(move || file.put(&name, secret)).await
            }
            Backend::Memory(secrets) => {
                secrets.lock().await.put(&name, secret);
                Ok(())
            }
        }
    }

    /// Removes the secret called `name`; removing one that is not there succeeds.
    ///
    /// # Errors
    /// Every [`KeychainError`] that says why the secret may still be there.
    pub async fn delete(&self, name: &str) -> Result<(), KeychainError> {
        let name = checked(name)?;
        match &self.backend {
            Backend::Os(os) => os::run_blocking(lock(os).await, move |os| os.delete(&name)).await,
            Backend::File(file) => {
                let mut file = lock(file).await;
                file::run_blocking(move || file.delete(&name)).await
            }
            Backend::Memory(secrets) => {
                secrets.lock().await.delete(&name);
                Ok(())
            }
        }
    }
}

impl std::fmt::Debug for Keychain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.backend {
            Backend::Os(_) => "Keychain(os)",
            Backend::File(_) => "Keychain(file)",
            Backend::Memory(_) => "Keychain(memory)",
        })
    }
}

fn shared<T>(backend: T) -> Arc<Mutex<T>> {
    Arc::new(Mutex::new(backend))
}

/// A lock that moves into the work, so that the next operation waits even if the future of this one is dropped.
async fn lock<T>(backend: &Arc<Mutex<T>>) -> OwnedMutexGuard<T> {
    Arc::clone(backend).lock_owned().await
}

/// A valid name. Names become attributes, labels and account names on three systems: only characters that all of them keep
/// unchanged are allowed.
fn checked(name: &str) -> Result<String, KeychainError> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.' | b'/');
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(plain) {
        return Err(KeychainError::BadName);
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn memory_keeps_replaces_and_forgets() {
        let keychain = Keychain::memory();
        assert_eq!(keychain.get("identity").await.unwrap(), None);
        keychain.put("identity", b"\0one\xff").await.unwrap();
        assert_eq!(keychain.clone().get("identity").await.unwrap().unwrap().as_slice(), b"\0one\xff");
        keychain.put("identity", b"two").await.unwrap();
        assert_eq!(keychain.get("identity").await.unwrap().unwrap().as_slice(), b"two");
        keychain.delete("identity").await.unwrap();
        keychain.delete("identity").await.unwrap();
        assert_eq!(keychain.get("identity").await.unwrap(), None);
    }

    #[tokio::test]
    async fn names_and_sizes_are_bounded() {
        let keychain = Keychain::memory();
        let long = "n".repeat(MAX_NAME + 1);
        for name in ["", " ", "a b", "a\0b", "ü", long.as_str()] {
            assert_eq!(keychain.get(name).await.unwrap_err().code(), "keychain-bad-name", "{name:?}");
            assert_eq!(keychain.put(name, b"x").await.unwrap_err().code(), "keychain-bad-name", "{name:?}");
            assert_eq!(keychain.delete(name).await.unwrap_err().code(), "keychain-bad-name", "{name:?}");
        }
        keychain.put("full", &[7; MAX_SECRET]).await.unwrap();
        assert_eq!(keychain.put("full", &[8; MAX_SECRET + 1]).await.unwrap_err().code(), "keychain-too-long");
        assert_eq!(keychain.get("full").await.unwrap().unwrap()[0], 7);
    }

    #[tokio::test]
    async fn debug_shows_no_secret() {
        let keychain = Keychain::memory();
        keychain.put("identity", b"swordfish").await.unwrap();
        assert_eq!(format!("{keychain:?}"), "Keychain(memory)");
    }
}
