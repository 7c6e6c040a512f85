//! Creates the engine in this process.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use postern_engine::api::{Code, Fault};
use postern_engine::identity::KEY_FILE;
use postern_engine::keys::Passphrase;
use postern_engine::{Engine, EngineOptions, KeychainChoice};

use crate::arguments::{Arguments, KeychainKind};
use crate::controller;

/// Starts the engine of one data directory.
pub(crate) struct LocalEngineFactory {
    data_dir: PathBuf,
    keychain: Mutex<KeychainChoice>,
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
        Ok(Self { data_dir: data_dir.into(), keychain: Mutex::new(keychain) })
    }
}

impl controller::EngineFactory for LocalEngineFactory {
    type Engine = Engine;

    async fn start(&self) -> Result<Engine, Fault> {
        let keychain = self.keychain.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // With the system's keychain, the engine would look for the key where it is not.
        if matches!(keychain, KeychainChoice::Os) && self.has_key_file() {
            let sentence = "Your key is in a file that is encrypted with a passphrase. Enter the passphrase.";
            return Err(Fault::new(Code::KeychainLocked, sentence));
        }
        Engine::start(EngineOptions { data_dir: self.data_dir.clone(), keychain, listen: None }).await
    }

    fn use_key_file(&self, passphrase: Passphrase) {
        *self.keychain.lock().unwrap_or_else(PoisonError::into_inner) = KeychainChoice::File(passphrase);
    }

    async fn restore(&self, file: PathBuf, passphrase: Passphrase) -> Result<(), Fault> {
        let keychain = self.keychain.lock().unwrap_or_else(PoisonError::into_inner).clone();
        postern_engine::backup::restore_before_set_up(&self.data_dir, &file, passphrase, keychain).await
    }

    fn has_key_file(&self) -> bool {
        self.data_dir.join(KEY_FILE).exists()
    }
}

fn read_passphrase(descriptor: Option<u32>) -> Result<Passphrase, String> {
    let descriptor =
        descriptor.ok_or("--keychain file needs a passphrase. Pass its file descriptor with --passphrase-fd.")?;
    Passphrase::from_descriptor(descriptor).map_err(|error| error.to_string())
}
