//! Starting the real engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use postern_engine::keys::Passphrase;
use postern_engine::model::{Answer, Fault, Notice, Request, Snapshot, Traffic};
use postern_engine::{Engine, EngineOptions, KeychainChoice};
use tokio::sync::{broadcast, watch};

use crate::arguments::{Arguments, KeychainKind};
use crate::controller;

/// Starts the engine of a data directory, as often as it is asked to.
pub(crate) struct LocalEngineFactory {
    data_dir: PathBuf,
    keychain: KeychainChoice,
}

impl LocalEngineFactory {
    /// What the arguments ask for.
    ///
    /// # Errors
    /// What to tell a person: there is no passphrase for the key file.
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

impl controller::Engine for Engine {
    fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot()
    }

    fn traffic(&self) -> watch::Receiver<Arc<Traffic>> {
        self.traffic()
    }

    fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices()
    }

    async fn request(&self, request: Request) -> Result<Answer, Fault> {
        self.request(request).await
    }

    async fn shutdown(&self) {
        self.shutdown().await;
    }
}

fn read_passphrase(descriptor: Option<u32>) -> Result<Passphrase, String> {
    let descriptor = descriptor.ok_or("--keychain file needs the passphrase: say where with --passphrase-fd.")?;
    Passphrase::from_descriptor(descriptor).map_err(|error| error.to_string())
}
