//! Secrets in one file, encrypted with a passphrase ([age](https://age-encryption.org/v1), scrypt recipient).
//!
//! ```text
//! put ─► secrets + 1 ─► encrypt ─► temporary file beside it ─► fsync ─► still the file we read? ─► rename ─► fsync directory
//! ```
//!
//! The decrypted secrets stay in memory, wiped on drop, so that reading is cheap. The file is replaced atomically; one that cannot
//! be opened, or was changed since it was opened, is never replaced.

use std::{
    io,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use age::{DecryptError, Decryptor, Encryptor, scrypt};
use postern_env::fs::{self, NamedTempFile};
use postern_env::task;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{KeychainError, Passphrase, secrets::Secrets};

/// The longest file that is read, in bytes. Chosen: room for several hundred of the longest secrets.
const MAX_FILE: u64 = 1024 * 1024;

/// log2 of scrypt's N, from OWASP's password storage recommendations (N = 2^17, r = 8: 128 MiB). Fixed rather than measured:
/// age measures one millisecond of work and picks a weak factor when the machine is busy at that moment.
const WORK_FACTOR: u8 = 17;

/// The largest factor that is accepted (1 GiB), so that a hostile file cannot exhaust the machine.
const MAX_WORK_FACTOR: u8 = 20;

/// An open key file.
pub(super) struct SecretFile {
    path: PathBuf,
    passphrase: Passphrase,
    work_factor: u8,
    secrets: Secrets,
    /// Digest of the file as last read or written.
    on_disk: [u8; 32],
}

/// Runs blocking work on the runtime's blocking threads.
pub(super) async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KeychainError> + Send + 'static,
) -> Result<T, KeychainError> {
    task::spawn_blocking(work).await.unwrap_or_else(|error| Err(KeychainError::failed(error)))
}

impl SecretFile {
    pub(super) fn open(path: &Path, passphrase: Passphrase) -> Result<Self, KeychainError> {
        // Through a symbolic link, the file is replaced and not the link.
        let path = fs::canonicalize(path).map_err(|error| missing_or_failed(path, error))?;
        let sealed = read(&path)?;
        let secrets = unseal(&sealed, &passphrase).map_err(|unsealing| match unsealing {
            Unsealing::WrongPassphrase => KeychainError::WrongPassphrase,
            Unsealing::Damaged => KeychainError::FileDamaged { path: path.clone() },
        })?;
        Ok(Self { path, passphrase, work_factor: WORK_FACTOR, secrets, on_disk: Sha256::digest(&sealed).into() })
    }

    pub(super) fn create(path: &Path, passphrase: Passphrase) -> Result<Self, KeychainError> {
        Self::create_with(path, passphrase, WORK_FACTOR)
    }

    fn create_with(path: &Path, passphrase: Passphrase, work_factor: u8) -> Result<Self, KeychainError> {
        // Checked before the slow part for a quick answer, and once more by the rename itself.
        if fs::symlink_metadata(path).is_ok() {
            return Err(KeychainError::FileExists { path: path.to_owned() });
        }
        let secrets = Secrets::default();
        let sealed = seal(&secrets, &passphrase, work_factor).map_err(|error| failed(path, error))?;
        let staged = stage(path, &sealed)?;
        staged.persist_noclobber(path).map_err(|refused| match refused.error.kind() {
            io::ErrorKind::AlreadyExists => KeychainError::FileExists { path: path.to_owned() },
            _ => failed(path, refused.error),
        })?;
        sync_directory(path)?;
        let path = fs::canonicalize(path).map_err(|error| failed(path, error))?;
        Ok(Self { path, passphrase, work_factor, secrets, on_disk: Sha256::digest(&sealed).into() })
    }

    pub(super) fn get(&self, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        self.secrets.get(name)
    }

    pub(super) fn put(&mut self, name: &str, secret: Zeroizing<Vec<u8>>) -> Result<(), KeychainError> {
        let mut secrets = self.secrets.clone();
        secrets.put(name, secret);
        self.replace(secrets)
    }

    pub(super) fn delete(&mut self, name: &str) -> Result<(), KeychainError> {
        let mut secrets = self.secrets.clone();
        if secrets.delete(name) {
            self.replace(secrets)?;
        }
        Ok(())
    }

    fn replace(&mut self, secrets: Secrets) -> Result<(), KeychainError> {
        let sealed = seal(&secrets, &self.passphrase, self.work_factor).map_err(|error| failed(&self.path, error))?;
        if sealed.len() as u64 > MAX_FILE {
            return Err(failed(&self.path, io::ErrorKind::FileTooLarge.into()));
        }
        let staged = stage(&self.path, &sealed)?;
        self.check_unchanged()?;
        staged.persist(&self.path).map_err(|refused| failed(&self.path, refused.error))?;
        // The new file is in place now, even if syncing the directory fails.
        self.secrets = secrets;
        self.on_disk = Sha256::digest(&sealed).into();
        sync_directory(&self.path)
    }

    /// Fails if another program, or a failing disk, has changed the file since it was read: what is there now is not overwritten.
    fn check_unchanged(&self) -> Result<(), KeychainError> {
        let changed = || KeychainError::FileChanged { path: self.path.clone() };
        match read(&self.path) {
            Ok(bytes) if Sha256::digest(&bytes).as_slice() == self.on_disk => Ok(()),
            Ok(_) | Err(KeychainError::FileMissing { .. } | KeychainError::FileDamaged { .. }) => Err(changed()),
            Err(error) => Err(error),
        }
    }
}

/// Why sealed bytes did not open.
enum Unsealing {
    WrongPassphrase,
    Damaged,
}

fn seal(secrets: &Secrets, passphrase: &Passphrase, work_factor: u8) -> io::Result<Vec<u8>> {
    let mut recipient = scrypt::Recipient::new(passphrase.to_age());
    recipient.set_work_factor(work_factor);
    let encryptor =
        Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient)).map_err(io::Error::other)?;
    let mut sealed = Vec::new();
    let mut writer = encryptor.wrap_output(&mut sealed)?;
    writer.write_all(&secrets.encode())?;
    writer.finish()?;
    Ok(sealed)
}

fn unseal(sealed: &[u8], passphrase: &Passphrase) -> Result<Secrets, Unsealing> {
    let mut identity = scrypt::Identity::new(passphrase.to_age());
    identity.set_max_work_factor(MAX_WORK_FACTOR);
    let decryptor = Decryptor::new(sealed).map_err(|_| Unsealing::Damaged)?;
    let mut reader =
        decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity)).map_err(|error| match error {
            DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => Unsealing::WrongPassphrase,
            _ => Unsealing::Damaged,
        })?;
    // The plaintext is shorter than the ciphertext, so the buffer never grows and leaves no copies in freed memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(sealed.len()));
    reader.read_to_end(&mut bytes).map_err(|_| Unsealing::Damaged)?;
    Secrets::decode(&bytes).map_err(|_| Unsealing::Damaged)
}

fn read(path: &Path) -> Result<Vec<u8>, KeychainError> {
    let mut bytes = Vec::new();
    let file = fs::open(path).map_err(|error| missing_or_failed(path, error))?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| failed(path, error))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(KeychainError::FileDamaged { path: path.to_owned() });
    }
    Ok(bytes)
}

/// Writes and syncs a temporary file beside `path`, readable by its owner only and removed on drop.
fn stage(path: &Path, bytes: &[u8]) -> Result<NamedTempFile, KeychainError> {
    let written = || {
        // Created with mode 0600 on Unix; on Windows it inherits the access control list of the user's profile.
        let mut staged = fs::temporary_file_in(directory(path), ".postern-keys-", ".tmp")?;
        staged.write_all(bytes)?;
        staged.as_file().sync_all()?;
        Ok(staged)
    };
    written().map_err(|error| failed(path, error))
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Syncs the directory, so that a rename survives a power cut.
fn sync_directory(path: &Path) -> Result<(), KeychainError> {
    if cfg!(unix) {
        let synced = fs::open(directory(path)).and_then(|directory| directory.sync_all());
        synced.map_err(|error| failed(path, error))?;
    }
    Ok(())
}

fn failed(path: &Path, source: io::Error) -> KeychainError {
    KeychainError::FileFailed { path: path.to_owned(), source }
}

fn missing_or_failed(path: &Path, source: io::Error) -> KeychainError {
    match source.kind() {
        io::ErrorKind::NotFound => KeychainError::FileMissing { path: path.to_owned() },
        _ => failed(path, source),
    }
}

#[cfg(test)]
mod tests;
