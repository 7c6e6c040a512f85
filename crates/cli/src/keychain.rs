//! Which identity a command acts as, and where its key rests.

use crate::place::Place;
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use postern_engine::keys::passphrase::Ask;
use postern_engine::keys::{Keychain, Passphrase, Profile};
use postern_node::identity::{Identity, Timestamp};
use postern_node::vault::{KeyId, SoftwareVault, Vault};
use postern_node::{Limits, Node};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Beside the keychain: what is no secret.
const IDENTITY_FILE: &str = "identity.json";
const KEY_FILE: &str = "keys.age";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeychainKind {
    /// The system's keychain.
    Os,
    /// A file in the data directory, encrypted with a passphrase.
    File,
    /// A fresh identity that is gone when the command ends.
    Memory,
}

#[derive(Args)]
pub(crate) struct KeychainArguments {
    /// Where the identity's key rests.
    #[arg(long, value_enum)]
    keychain: Option<KeychainKind>,
    /// With --keychain file: read the passphrase from this file descriptor instead of the terminal.
    #[arg(long, value_name = "FD")]
    passphrase_fd: Option<u32>,
    #[command(flatten)]
    place: Place,
}

/// An identity, the node it lives in, and where it was read from.
pub(crate) struct Owned {
    pub(crate) node: Node,
    pub(crate) identity: Identity,
    vault: Arc<dyn Vault>,
    record: Option<PathBuf>,
}

/// The part of an identity that is no secret.
#[derive(Serialize, Deserialize)]
struct Record {
    version: u32,
    key: KeyId,
    history: String,
}

impl KeychainArguments {
    /// Opens the identity, and makes one where there is none yet.
    pub(crate) async fn open(&self, default: KeychainKind) -> Result<Owned> {
        let kind = self.keychain.unwrap_or(default);
        if kind == KeychainKind::Memory {
            let vault: Arc<dyn Vault> = Arc::new(SoftwareVault::new(Keychain::memory()));
            let node = Node::with(vault.clone(), Limits::default());
            let identity = Identity::create(vault.clone(), Timestamp::now()).await?;
            return Ok(Owned { node, identity, vault, record: None });
        }
        let directory = self.place.directory()?;
        std::fs::create_dir_all(&directory).with_context(|| format!("Failed to make {}", directory.display()))?;
        let record = directory.join(IDENTITY_FILE);
        let stored = read_record(&record)?;
        let keychain = match kind {
            KeychainKind::File => self.open_file(&directory.join(KEY_FILE)).await?,
            _ => Keychain::os(Profile::of(&directory)?),
        };
        let vault: Arc<dyn Vault> = Arc::new(SoftwareVault::new(keychain));
        let node = Node::with(vault.clone(), Limits::default());
        let identity = match stored {
            Some(stored) => {
                let history = hex::decode(&stored.history).context("the stored identity is damaged")?;
                Identity::load(vault.clone(), stored.key, &history).await.with_context(|| {
                    format!(
                        "Failed to open the identity in {}: choose the --keychain that its key was made in",
                        directory.display()
                    )
                })?
            }
            None => {
                let identity = Identity::create(vault.clone(), Timestamp::now()).await?;
                write_record(&record, &identity)?;
                identity
            }
        };
        Ok(Owned { node, identity, vault, record: Some(record) })
    }

    async fn open_file(&self, path: &Path) -> Result<Keychain> {
        let (exists, descriptor) = (path.exists(), self.passphrase_fd);
        let passphrase = tokio::task::spawn_blocking(move || match (descriptor, exists) {
            (Some(descriptor), _) => Passphrase::from_descriptor(descriptor),
            (None, true) => Passphrase::from_terminal("Passphrase: ", Ask::Once),
            (None, false) => Passphrase::from_terminal("New passphrase: ", Ask::Twice),
        });
        let passphrase = passphrase.await??;
        Ok(match exists {
            true => Keychain::open_file(path, passphrase).await?,
            false => Keychain::create_file(path, passphrase).await?,
        })
    }
}

impl Owned {
    /// Gives the identity a new key. The old one signs the change and is then deleted.
    pub(crate) async fn rotate(&mut self) -> Result<()> {
        let Some(record) = &self.record else {
            bail!("an identity in memory cannot be rotated: it is gone in a moment")
        };
        let retired = self.identity.rotate(Timestamp::now()).await?;
        write_record(record, &self.identity)?;
        self.vault.delete(&retired).await?;
        Ok(())
    }
}

fn read_record(path: &Path) -> Result<Option<Record>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("Failed to read {}", path.display())),
    };
    let record: Record = serde_json::from_str(&text)
        .with_context(|| format!("{} is damaged: restore it, or move it away to begin anew", path.display()))?;
    if record.version != 1 {
        bail!("{} was written by a newer version of postern: use that one", path.display());
    }
    Ok(Some(record))
}

/// Writes the record so that a crash leaves the old one or the new one.
fn write_record(path: &Path, identity: &Identity) -> Result<()> {
    let record = Record { version: 1, key: identity.key_id().clone(), history: hex::encode(identity.export()) };
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    serde_json::to_writer_pretty(&mut file, &record)?;
    file.flush()?;
    file.as_file().sync_all()?;
    file.persist(path).with_context(|| format!("Failed to write {}", path.display()))?;
    Ok(())
}
