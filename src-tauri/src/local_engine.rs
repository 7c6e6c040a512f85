//! Creates the engine in this process.

use std::path::{Path, PathBuf};

use postern_engine::api::Fault;
use postern_engine::keys::Passphrase;
use postern_engine::{Engine, EngineOptions, KeychainChoice};

use crate::arguments::{Arguments, KeychainKind};
use crate::controller;

/// Starts the engine of one data directory.
pub(crate) struct LocalEngineFactory {
    data_dir: PathBuf,
    keychain: KeychainChoice,
}

impl LocalEngineFactory {
    /// A factory for what the command line selected.
    ///
    /// # Errors
    /// A sentence for the user: the passphrase of the key file is missing.
    pub(crate) fn new(arguments: &Arguments, data_dir: &Path) -> Result<Self, String> {
        let keychain = match arguments.keychain {
            KeychainKind::Os => KeychainChoice::Os,
            KeychainKind::Memory => KeychainChoice::Memory,
            KeychainKind::File => KeychainChoice::File(read_passphrase(arguments.passphrase_fd)?),
        };
        Ok(Self { data_dir: data_dir.into(), keychain })
    }
}

impl controller::EngineFactory for LocalEngineFactory {
    type Engine = Engine;

    async fn start(&self) -> Result<Engine, Fault> {
        let (data_dir, keychain) = (self.data_dir.clone(), self.keychain.clone());
        Engine::start(EngineOptions { data_dir, keychain, listen: None }).await
    }
}

fn read_passphrase(descriptor: Option<u32>) -> Result<Passphrase, String> {
    let descriptor =
        descriptor.ok_or("--keychain file needs a passphrase. Pass its file descriptor with --passphrase-fd.")?;
    Passphrase::from_descriptor(descriptor).map_err(|error| error.to_string())
}
