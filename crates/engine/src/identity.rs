//! The identity of this person and its postal key, and where both are stored.
//!
//! ```text
//! data directory: identity.json   the public history, and the name of its key
//! keychain:       <key's name>    the signing key            <postal key's name>   the key that mail is sealed to
//! ```
//!
//! An identity is created only where there is no `identity.json`. If the keychain does not give the key of the one that
//! exists, for whatever reason, that is an error and never a reason to create another.

use crate::api::{Code, Fault, KeychainPlace};
use crate::keys::{Keychain, KeychainError, Passphrase, Profile};
use postern_env::fs;
use postern_node::identity::{Identity, Timestamp};
use postern_node::vault::{KeyId, SoftwareVault, Vault};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file with the public part of the identity, in the data directory.
pub const RECORD_FILE: &str = "identity.json";
/// The encrypted key file, in the data directory, if it is used as keychain.
pub const KEY_FILE: &str = "keys.age";

/// Which keychain holds the keys.
#[derive(Debug, Clone)]
pub enum KeychainChoice {
    /// The system's keychain.
    Os,
    /// A file in the data directory, encrypted with this passphrase.
    File(Passphrase),
    /// Memory only: the identity is gone when the program ends.
    Memory,
}

impl KeychainChoice {
    /// The kind of keychain, as frontends show it.
    pub fn place(&self) -> KeychainPlace {
        match self {
            Self::Os => KeychainPlace::Os,
            Self::File(_) => KeychainPlace::File,
            Self::Memory => KeychainPlace::Memory,
        }
    }
}

/// Why the identity cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The keychain failed.
    #[error(transparent)]
    Keychain(#[from] KeychainError),
    /// The keychain works, and does not contain the identity's key.
    #[error(
        "The key of the identity in {} is not in this keychain. Open the keychain that it was made in, or restore a backup.",
        .0.display()
    )]
    KeyMissing(PathBuf),
    /// The record cannot be read or written.
    #[error("{} cannot be used ({source}). Check the disk and the permissions, then try again.", .path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The record is not what was written.
    #[error("{} is damaged. Restore it from a backup, or move it away to begin anew as somebody else.", .0.display())]
    RecordDamaged(PathBuf),
    /// The record was written by a newer version.
    #[error("{} was written by a newer version of Postern. Install that one; nothing was changed.", .0.display())]
    RecordNewer(PathBuf),
    /// Creating or opening the identity failed.
    #[error("The identity cannot be used ({0}). Try again.")]
    Identity(#[from] postern_node::identity::Error),
}

impl From<KeychainError> for Fault {
    fn from(error: KeychainError) -> Self {
        let code = match error {
            KeychainError::Locked | KeychainError::Denied => Code::KeychainLocked,
            KeychainError::NoBus | KeychainError::NoService | KeychainError::NoDefault => Code::KeychainMissing,
            KeychainError::WrongPassphrase => Code::WrongPassphrase,
            _ => Code::KeychainFailed,
        };
        Self::new(code, error.to_string())
    }
}

impl From<IdentityError> for Fault {
    fn from(error: IdentityError) -> Self {
        let code = match error {
            IdentityError::Keychain(error) => return error.into(),
            IdentityError::KeyMissing(_) => Code::KeychainFailed,
            IdentityError::Record { .. } => Code::Storage,
            IdentityError::RecordDamaged(_) => Code::DamagedData,
            IdentityError::RecordNewer(_) => Code::NewerData,
            IdentityError::Identity(_) => Code::Failed,
        };
        Self::new(code, error.to_string())
    }
}

/// The data directory and the open keychain that an identity is stored in; clones share the keychain.
#[derive(Debug, Clone)]
pub struct IdentityStore {
    directory: PathBuf,
    keychain: Keychain,
    /// Whether anything is stored beyond the life of the process.
    persistent: bool,
}

/// The content of `identity.json`.
#[derive(Serialize, Deserialize)]
struct Record {
    version: u32,
    key: KeyId,
    history: String,
}

impl IdentityStore {
    /// Opens the keychain for a data directory that exists. A key file is created if there is none, unless the key of an
    /// existing identity must be in it.
    ///
    /// # Errors
    /// [`IdentityError::Keychain`]: the key file cannot be opened or created.
    pub async fn open(directory: &Path, choice: KeychainChoice) -> Result<Self, IdentityError> {
        let record = |source| IdentityError::Record { path: directory.to_owned(), source };
        let persistent = !matches!(choice, KeychainChoice::Memory);
        let keychain = match choice {
            KeychainChoice::Os => Keychain::os(Profile::of(directory).map_err(record)?),
            KeychainChoice::Memory => Keychain::memory(),
            KeychainChoice::File(passphrase) => {
                let path = directory.join(KEY_FILE);
                let exists = |path: &Path| fs::metadata(path).is_ok();
                match exists(&path) || exists(&directory.join(RECORD_FILE)) {
                    true => Keychain::open_file(path, passphrase).await?,
                    false => Keychain::create_file(path, passphrase).await?,
                }
            }
        };
        Ok(Self { directory: directory.to_owned(), keychain, persistent })
    }

    /// Whether the keys outlive the process.
    pub(crate) fn is_persistent(&self) -> bool {
        self.persistent
    }

    /// A vault over the keychain.
    pub fn vault(&self) -> Arc<dyn Vault> {
        Arc::new(SoftwareVault::new(self.keychain.clone()))
    }

    /// The data directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The keychain.
    pub fn keychain(&self) -> &Keychain {
        &self.keychain
    }

    /// Loads the identity, if there is one.
    ///
    /// # Errors
    /// There is one, and it cannot be opened now.
    pub async fn load(&self) -> Result<Option<Identity>, IdentityError> {
        if !self.persistent {
            return Ok(None);
        }
        let Some(record) = self.read()? else { return Ok(None) };
        // Read first from the keychain itself: an error of the vault would not say why the keychain failed.
        if self.keychain.get(record.key.as_str()).await?.is_none() {
            return Err(IdentityError::KeyMissing(self.directory.clone()));
        }
        let history = hex::decode(&record.history).map_err(|_| IdentityError::RecordDamaged(self.record_path()))?;
        Ok(Some(Identity::load(self.vault(), record.key, &history).await?))
    }

    /// Loads the identity, or creates one if there is none.
    ///
    /// # Errors
    /// There is one that cannot be opened now, or a new one cannot be stored.
    pub async fn load_or_create(&self) -> Result<Identity, IdentityError> {
        if let Some(identity) = self.load().await? {
            return Ok(identity);
        }
        // An error here says why the keychain failed; an error of the vault would not.
        self.keychain.get("probe").await?;
        let identity = Identity::create(self.vault(), Timestamp::now()).await?;
        self.write(&identity)?;
        Ok(identity)
    }

    /// Gives the identity a new key. The old one signs the change and is then deleted.
    ///
    /// # Errors
    /// The identity is unchanged, unless only the old key could not be deleted.
    pub async fn rotate(&self, identity: &mut Identity) -> Result<(), IdentityError> {
        let retired = identity.rotate(Timestamp::now()).await?;
        self.write(identity)?;
        self.keychain.delete(retired.as_str()).await?;
        Ok(())
    }

    fn record_path(&self) -> PathBuf {
        self.directory.join(RECORD_FILE)
    }

    fn read(&self) -> Result<Option<Record>, IdentityError> {
        let path = self.record_path();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(IdentityError::Record { path, source }),
        };
        match serde_json::from_str::<Record>(&text) {
            Ok(record) if record.version == 1 => Ok(Some(record)),
            Ok(_) => Err(IdentityError::RecordNewer(path)),
            Err(_) => Err(IdentityError::RecordDamaged(path)),
        }
    }

    /// Writes the record atomically: after a crash there is the old one or the new one.
    fn write(&self, identity: &Identity) -> Result<(), IdentityError> {
        if !self.persistent {
            return Ok(());
        }
        let path = self.record_path();
        let record = Record { version: 1, key: identity.key_id().clone(), history: hex::encode(identity.export()) };
        let written = || {
            let mut file = fs::temporary_file_in(&self.directory, ".tmp", "")?;
            serde_json::to_writer_pretty(&mut file, &record)?;
            file.flush()?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|refused| refused.error)?;
            #[cfg(unix)]
            fs::open(&self.directory)?.sync_all()?;
            Ok(())
        };
        written().map_err(|source| IdentityError::Record { path: path.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(passphrase: &str) -> KeychainChoice {
        KeychainChoice::File(Passphrase::new(passphrase.to_owned()).unwrap())
    }

    #[tokio::test]
    async fn an_identity_stays_the_same_and_is_never_replaced() {
        let home = tempfile::tempdir().unwrap();
        let open = async |choice| IdentityStore::open(home.path(), choice).await;
        let first = open(file("open sesame")).await.unwrap();
        assert!(first.load().await.unwrap().is_none());
        let mut identity = first.load_or_create().await.unwrap();
        first.rotate(&mut identity).await.unwrap();
        let again = open(file("open sesame")).await.unwrap().load_or_create().await.unwrap();
        assert_eq!((again.identifier(), again.key_id()), (identity.identifier(), identity.key_id()));

        let wrong = Fault::from(open(file("sesame")).await.unwrap_err());
        assert_eq!(wrong.code, Code::WrongPassphrase);
        std::fs::rename(home.path().join(KEY_FILE), home.path().join("elsewhere")).unwrap();
        let missing = Fault::from(open(file("open sesame")).await.unwrap_err());
        assert_eq!(missing.code, Code::KeychainFailed);
        assert!(!home.path().join(KEY_FILE).exists());

        std::fs::rename(home.path().join("elsewhere"), home.path().join(KEY_FILE)).unwrap();
        let home_again = open(file("open sesame")).await.unwrap();
        home_again.keychain().delete(identity.key_id().as_str()).await.unwrap();
        let missing = home_again.load_or_create().await.unwrap_err();
        assert!(matches!(missing, IdentityError::KeyMissing(_)), "{missing}");

        std::fs::write(home.path().join(RECORD_FILE), "{").unwrap();
        assert_eq!(Fault::from(home_again.load_or_create().await.unwrap_err()).code, Code::DamagedData);
        let newer = format!("{{\"version\":2,\"key\":\"{}\",\"history\":\"\"}}", identity.key_id().as_str());
        std::fs::write(home.path().join(RECORD_FILE), newer).unwrap();
        assert_eq!(Fault::from(home_again.load_or_create().await.unwrap_err()).code, Code::NewerData);
    }

    #[tokio::test]
    async fn an_identity_in_memory_leaves_nothing_behind() {
        let home = tempfile::tempdir().unwrap();
        let memory = IdentityStore::open(home.path(), KeychainChoice::Memory).await.unwrap();
        memory.load_or_create().await.unwrap();
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    }
}
