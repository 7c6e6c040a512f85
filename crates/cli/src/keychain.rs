//! The `--keychain` argument: which identity a command acts as, and where its key is stored.

use crate::engine_client::DataDirArgs;
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use postern_engine::api::{Code, Fault};
use postern_engine::control::{Client, ControlError};
use postern_engine::identity::{IdentityStore, KEY_FILE, KeychainChoice};
use postern_engine::keys::Passphrase;
use postern_engine::keys::passphrase::Ask;
use postern_node::identity::Identity;
use postern_node::{Limits, Node};
use std::path::Path;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeychainKind {
    /// The system's keychain.
    Os,
    /// A file in the data directory, encrypted with a passphrase.
    File,
    /// A new identity, which is lost when the command ends.
    Memory,
}

#[derive(Args)]
pub(crate) struct KeychainArguments {
    /// Where the identity's key is stored.
    #[arg(long, value_enum)]
    keychain: Option<KeychainKind>,
    /// With --keychain file: read the passphrase from this file descriptor instead of the terminal.
    #[arg(long, value_name = "FD")]
    passphrase_fd: Option<u32>,
    #[command(flatten)]
    data_dir: DataDirArgs,
}

/// An identity, a node with its vault, and the store it was read from.
pub(crate) struct OpenedIdentity {
    pub(crate) node: Node,
    pub(crate) identity: Identity,
    home: IdentityStore,
    persistent: bool,
}

impl KeychainArguments {
    /// Opens the identity, or creates one the first time.
    pub(crate) async fn open(&self, default: KeychainKind) -> Result<OpenedIdentity> {
        let kind = self.keychain.unwrap_or(default);
        let persistent = kind != KeychainKind::Memory;
        let directory = self.data_dir.path()?;
        if persistent {
            std::fs::create_dir_all(&directory).with_context(|| format!("Failed to create {}", directory.display()))?;
        }
        let home =
            IdentityStore::open(&directory, keychain_choice(kind, self.passphrase_fd, &directory).await?).await?;
        let identity = home.load_or_create().await?;
        let node = Node::with(home.vault(), Limits::default());
        Ok(OpenedIdentity { node, identity, home, persistent })
    }

    /// Fails if an engine runs with the identity: it would continue with the old key.
    pub(crate) async fn require_no_running_engine(&self) -> Result<()> {
        match Client::connect(&self.data_dir.path()?).await {
            Err(ControlError::NotRunning { .. }) => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Err(Fault::new(Code::InUse, "A Postern is running with this identity. Stop it first.").into()),
        }
    }
}

impl OpenedIdentity {
    /// Rotates the key: the old one signs the change and is then deleted.
    pub(crate) async fn rotate(&mut self) -> Result<()> {
        if !self.persistent {
            bail!("an identity in memory cannot be rotated: it is lost when this command ends")
        }
        Ok(self.home.rotate(&mut self.identity).await?)
    }
}

/// The keychain to use; asks for a passphrase if it needs one.
pub(crate) async fn keychain_choice(
    kind: KeychainKind,
    descriptor: Option<u32>,
    directory: &Path,
) -> Result<KeychainChoice> {
    let exists = directory.join(KEY_FILE).exists();
    Ok(match kind {
        KeychainKind::Os => KeychainChoice::Os,
        KeychainKind::Memory => KeychainChoice::Memory,
        KeychainKind::File => {
            let (prompt, ask) = if exists { ("Passphrase", Ask::Once) } else { ("New passphrase", Ask::Twice) };
            KeychainChoice::File(passphrase(descriptor, prompt, ask).await?)
        }
    })
}

/// Reads a passphrase from a file descriptor, or prompts on the terminal.
pub(crate) async fn passphrase(descriptor: Option<u32>, prompt: &'static str, ask: Ask) -> Result<Passphrase> {
    let passphrase = tokio::task::spawn_blocking(move || match descriptor {
        Some(descriptor) => Passphrase::from_descriptor(descriptor),
        None => Passphrase::from_terminal(prompt, ask),
    });
    Ok(passphrase.await??)
}
