//! The program's keys, in files: its identity is the same after every start. For tests only, since nothing encrypts the files.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use postern_node::identity::{Identity, Timestamp};
use postern_node::vault::{MemoryVault, SecretStore, StoreError};
use zeroize::Zeroizing;

/// Loads the identity, or makes one.
pub(crate) async fn open(data: &Path) -> Result<(Arc<MemoryVault>, Identity)> {
    fs::create_dir_all(data).context("Failed to create the data directory")?;
    let vault = Arc::new(MemoryVault::in_memory());
    let (seed_file, history_file) = (data.join("seed"), data.join("history"));
    if let (Ok(seed), Ok(history)) = (fs::read(&seed_file), fs::read(&history_file)) {
        let seed = Zeroizing::new(seed.try_into().ok().context("the seed is damaged")?);
        let key = vault.import_ed25519_seed(seed).await?;
        return Ok((vault.clone(), Identity::load(vault, key, &history).await?));
    }
    let mut seed = Zeroizing::new([0; 32]);
    fs::File::open("/dev/urandom").and_then(|mut random| std::io::Read::read_exact(&mut random, &mut *seed))?;
    fs::write(&seed_file, *seed).context("Failed to write the seed")?;
    let key = vault.import_ed25519_seed(seed).await?;
    let identity = Identity::create_with_key(vault.clone(), key, Timestamp::now()).await?;
    fs::write(&history_file, identity.export()).context("Failed to write the history")?;
    Ok((vault, identity))
}

/// Secrets as files named by the hexadecimal form of their names.
pub(crate) struct FileSecrets(PathBuf);

impl FileSecrets {
    pub(crate) fn new(data: &Path) -> Self {
        Self(data.to_owned())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(format!("secret-{}", hex::encode(name)))
    }
}

impl SecretStore for FileSecrets {
    async fn put(&self, name: &str, secret: Zeroizing<Vec<u8>>) -> Result<(), StoreError> {
        // A rename is all or nothing: a program that is killed leaves no half of a key.
        let new = self.path("new");
        fs::write(&new, &*secret).and_then(|()| fs::rename(&new, self.path(name))).map_err(StoreError::new)
    }

    async fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        match fs::read(self.path(name)) {
            Ok(secret) => Ok(Some(Zeroizing::new(secret))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::new(error)),
        }
    }

    async fn delete(&self, name: &str) -> Result<(), StoreError> {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(StoreError::new(error)),
            _ => Ok(()),
        }
    }
}
