//! Backups: one file with the identity, its keys and the database, encrypted with a passphrase.
//!
//! ```text
//! keychain ─ keys ─┐
//! identity.json ───┼─► CBOR [1, record, { name: key … }, database] ─► age, passphrase ─► one file
//! postern.db ──────┘
//! ```
//!
//! Whoever has the file and its passphrase can act as this person. A backup never replaces a file, and is restored only to a
//! directory that is empty or does not exist, or in which nobody is set up.

use crate::api::{Code, Fault, Secret, UnixMillis};
use crate::identity::{IdentityStore, KeychainChoice, RECORD_FILE};
use crate::keys::{Keychain, KeychainError, Passphrase};
use crate::lock::DirectoryLock;
use crate::store::{self, FILE, LOG_KEY, Store};
use age::{DecryptError, Decryptor, Encryptor, scrypt};
use minicbor::{Decoder, Encoder};
use postern_env::{fs, task};
use postern_node::identity::{Identity, Timestamp};
use postern_node::sealed::PostalKey;
use postern_node::vault::{SecretStore, SoftwareVault, StoreError};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

const VERSION: u32 = 1;
/// Largest backup that is read, in bytes. Chosen: far above any database, and still a file that is read at once.
const MAX_BACKUP: u64 = 1024 * 1024 * 1024;
/// Most keys in a backup. Chosen: there are two, and a few more while keys are rotated.
const MAX_KEYS: u64 = 16;
/// As in key files: log2 of scrypt's N, and the largest that is accepted.
const WORK_FACTOR: u8 = 17;
const MAX_WORK_FACTOR: u8 = 20;

type Keys = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// The plaintext of a backup.
struct Contents {
    /// The content of `identity.json`.
    record: Vec<u8>,
    keys: Keys,
    database: Vec<u8>,
}

fn storage(path: &Path, error: impl std::fmt::Display) -> Fault {
    Fault::new(Code::Storage, format!("{} cannot be used: {error}.", path.display()))
}

/// A copy of the database as it is now.
pub(crate) async fn copy(store: &mut Store, data_dir: &Path) -> Result<Vec<u8>, Fault> {
    let temporary = fs::temporary_directory_in(data_dir, "backup-").map_err(|error| storage(data_dir, error))?;
    let path = temporary.path().join(FILE);
    store.copy_to(&path).await.map_err(|error| error.fault(&path))?;
    fs::read(&path).map_err(|error| storage(&path, error))
}

/// Writes a backup to a path where no file exists yet.
pub(crate) async fn write(
    identity_store: &IdentityStore,
    database: Vec<u8>,
    path: PathBuf,
    passphrase: Secret,
) -> Result<(), Fault> {
    let passphrase = Passphrase::new(passphrase.reveal().to_owned())
        .map_err(|error| Fault::new(Code::Invalid, error.to_string()))?;
    if fs::symlink_metadata(&path).is_ok() {
        return Err(exists(&path));
    }
    let Some(identity) = identity_store.load().await? else {
        return Err(Fault::new(Code::NotSetUp, "There is nothing to back up yet, or the key is only in memory."));
    };
    let keys = keys_of(&identity, identity_store.keychain()).await?;
    let record_path = identity_store.directory().join(RECORD_FILE);
    let record = fs::read(&record_path).map_err(|error| storage(&record_path, error))?;
    let contents = Contents { record, keys, database };
    let work = task::spawn_blocking(move || seal(&contents, &passphrase, &path));
    work.await.unwrap_or_else(|error| Err(Fault::new(Code::Failed, error.to_string())))
}

/// Restores a backup to a directory that is empty or not there, with the keys in this keychain.
///
/// # Errors
/// [`Code::WrongPassphrase`], [`Code::DamagedData`], [`Code::NewerData`], [`Code::Invalid`] when the directory is not empty,
/// [`Code::Storage`], or what the keychain says. Nothing that was there is changed.
pub async fn restore(
    data_dir: &Path,
    file: &Path,
    passphrase: Passphrase,
    keychain: KeychainChoice,
) -> Result<(), Fault> {
    if let Ok(mut entries) = fs::read_directory(data_dir)
        && entries.next().is_some()
    {
        let sentence =
            format!("{} is not empty. Restore to a new directory, or move its content away.", data_dir.display());
        return Err(Fault::new(Code::Invalid, sentence));
    }
    restore_to(data_dir, file, passphrase, keychain).await
}

/// As [`restore`], to the data directory of an engine that is stopped and that nobody has set up: its database is set aside.
///
/// # Errors
/// As [`restore`], and [`Code::AlreadySetUp`] when there is an identity.
pub async fn restore_before_set_up(
    data_dir: &Path,
    file: &Path,
    passphrase: Passphrase,
    keychain: KeychainChoice,
) -> Result<(), Fault> {
    refuse_if_set_up(data_dir)?;
    restore_to(data_dir, file, passphrase, keychain).await
}

fn refuse_if_set_up(data_dir: &Path) -> Result<(), Fault> {
    if fs::symlink_metadata(data_dir.join(RECORD_FILE)).is_ok() {
        let sentence = "Postern is set up here already. Restore the backup on a computer where it is new.";
        return Err(Fault::new(Code::AlreadySetUp, sentence));
    }
    Ok(())
}

async fn restore_to(
    data_dir: &Path,
    file: &Path,
    passphrase: Passphrase,
    keychain: KeychainChoice,
) -> Result<(), Fault> {
    if matches!(keychain, KeychainChoice::Memory) {
        return Err(Fault::new(Code::Invalid, "A backup cannot be restored to memory. Choose another keychain."));
    }
    let sealed = file.to_owned();
    let opened = task::spawn_blocking(move || unseal(&sealed, &passphrase)).await;
    let contents = opened.unwrap_or_else(|error| Err(Fault::new(Code::Failed, error.to_string())))?;

    let _lock = DirectoryLock::take(data_dir)?;
    // Another program may have set it up meanwhile.
    refuse_if_set_up(data_dir)?;
    let identity_store = IdentityStore::open(data_dir, keychain).await?;
    for (name, key) in &contents.keys {
        identity_store.keychain().put(name, key).await?;
    }
    let database = data_dir.join(FILE);
    if fs::symlink_metadata(&database).is_ok() {
        let now = UnixMillis(postern_env::clock::unix_millis());
        store::set_aside(&database, "unused", now).map_err(|error| storage(&database, error))?;
    }
    // The record last: without it, a restore that was interrupted is no identity.
    for (name, bytes) in [(FILE, &contents.database), (RECORD_FILE, &contents.record)] {
        let path = data_dir.join(name);
        let written = || {
            let mut file = fs::temporary_file_in(data_dir, ".tmp", "")?;
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            file.persist_noclobber(&path).map(drop).map_err(|refused| refused.error)
        };
        written().map_err(|error| storage(&path, error))?;
    }
    if let Some(identity) = identity_store.load().await? {
        anchor_log(data_dir, &identity, &identity_store).await?;
    }
    Ok(())
}

/// Says how far the restored audit log reaches; the engine writes an entry about it at its first start.
async fn anchor_log(data_dir: &Path, identity: &Identity, identity_store: &IdentityStore) -> Result<(), Fault> {
    let failed =
        |error: String| Fault::new(Code::KeychainFailed, format!("The restored keys cannot be used: {error}."));
    let postal = PostalKey::open(identity, identity_store.keychain(), Timestamp::now()).await;
    let key = postal.map_err(|error| failed(error.to_string()))?.self_mac_key(LOG_KEY);
    let key = key.map_err(|error| failed(error.to_string()))?;
    let (path, now) = (data_dir.join(FILE), UnixMillis(postern_env::clock::unix_millis()));
    store::anchor_restored(&path, &key, now).await.map_err(|error| error.fault(&path))
}

fn exists(path: &Path) -> Fault {
    Fault::new(Code::Invalid, format!("There is already a file at {}. Choose another name.", path.display()))
}

/// Every key of the identity: what is read from the keychain when the identity and its postal key are opened.
async fn keys_of(identity: &Identity, keychain: &Keychain) -> Result<Keys, Fault> {
    let recording = RecordingKeychain { keychain: keychain.clone(), keys: Arc::default() };
    let failed = |error: postern_node::identity::Error| {
        Fault::new(
            Code::KeychainFailed,
            format!("The keychain does not give all keys: {error}. Unlock it and try again."),
        )
    };
    let vault = Arc::new(SoftwareVault::new(recording.clone()));
    Identity::load(vault, identity.key_id().clone(), &identity.export()).await.map_err(failed)?;
    PostalKey::open(identity, &recording, Timestamp::now()).await.map_err(failed)?;
    let mut keys = recording.keys.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *keys))
}

/// A keychain that records every secret that passes through it.
#[derive(Clone)]
struct RecordingKeychain {
    keychain: Keychain,
    keys: Arc<Mutex<Keys>>,
}

impl RecordingKeychain {
    fn record(&self, name: &str, secret: &Zeroizing<Vec<u8>>) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), secret.clone());
    }
}

impl SecretStore for RecordingKeychain {
    async fn put(&self, name: &str, secret: Zeroizing<Vec<u8>>) -> Result<(), StoreError> {
        self.record(name, &secret);
        SecretStore::put(&self.keychain, name, secret).await
    }

    async fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let secret = SecretStore::get(&self.keychain, name).await?;
        secret.iter().for_each(|secret| self.record(name, secret));
        Ok(secret)
    }

    async fn delete(&self, name: &str) -> Result<(), StoreError> {
        SecretStore::delete(&self.keychain, name).await
    }
}

impl Contents {
    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let size = self.record.len() + self.database.len() + self.keys.len() * (2 * crate::keys::MAX_SECRET) + 64;
        let mut out = Encoder::new(Vec::with_capacity(size));
        let written: Result<(), minicbor::encode::Error<_>> = (|| {
            out.array(4)?.u32(VERSION)?.bytes(&self.record)?.map(self.keys.len() as u64)?;
            for (name, key) in &self.keys {
                out.str(name)?.bytes(key)?;
            }
            out.bytes(&self.database)?;
            Ok(())
        })();
        debug_assert!(written.is_ok(), "a vector takes everything");
        Zeroizing::new(out.into_writer())
    }

    /// Decodes the contents; `Ok(None)` if they are of a newer version.
    fn decode(bytes: &[u8]) -> Result<Option<Self>, minicbor::decode::Error> {
        let bad = || minicbor::decode::Error::message("not a backup");
        let mut input = Decoder::new(bytes);
        input.array()?.filter(|fields| *fields >= 4).ok_or_else(bad)?;
        if input.u32()? != VERSION {
            return Ok(None);
        }
        let record = input.bytes()?.to_vec();
        let count = input.map()?.filter(|keys| *keys <= MAX_KEYS).ok_or_else(bad)?;
        let mut keys = Keys::new();
        for _ in 0..count {
            let name = input.str()?.to_owned();
            keys.insert(name, Zeroizing::new(input.bytes()?.to_vec()));
        }
        Ok(Some(Self { record, keys, database: input.bytes()?.to_vec() }))
    }
}

fn seal(contents: &Contents, passphrase: &Passphrase, path: &Path) -> Result<(), Fault> {
    let mut recipient = scrypt::Recipient::new(passphrase.to_age());
    recipient.set_work_factor(WORK_FACTOR);
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = || {
        let mut file = fs::temporary_file_in(directory, ".tmp", "")?;
        let recipients = std::iter::once(&recipient as &dyn age::Recipient);
        let encryptor = Encryptor::with_recipients(recipients).map_err(std::io::Error::other)?;
        let mut writer = encryptor.wrap_output(file.as_file_mut())?;
        writer.write_all(&contents.encode())?;
        writer.finish()?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map(drop).map_err(|refused| refused.error)
    };
    written().map_err(|error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(path),
        _ => storage(path, error),
    })
}

fn unseal(path: &Path, passphrase: &Passphrase) -> Result<Contents, Fault> {
    let damaged = || Fault::new(Code::DamagedData, format!("{} is damaged, or no backup of Postern.", path.display()));
    let mut identity = scrypt::Identity::new(passphrase.to_age());
    identity.set_max_work_factor(MAX_WORK_FACTOR);
    let file = fs::open(path).map_err(|error| storage(path, error))?;
    let size = file.metadata().map_err(|error| storage(path, error))?.len();
    if size > MAX_BACKUP {
        return Err(damaged());
    }
    let decryptor = Decryptor::new_buffered(std::io::BufReader::new(file)).map_err(|_| damaged())?;
    let reader = decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity));
    let mut reader = reader.map_err(|error| match error {
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
            Fault::from(KeychainError::WrongPassphrase)
        }
        _ => damaged(),
    })?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(size).unwrap_or_default()));
    reader.read_to_end(&mut bytes).map_err(|_| damaged())?;
    Contents::decode(&bytes).map_err(|_| damaged())?.ok_or_else(|| {
        let sentence = format!("{} was written by a newer version of Postern. Install that one.", path.display());
        Fault::new(Code::NewerData, sentence)
    })
}
