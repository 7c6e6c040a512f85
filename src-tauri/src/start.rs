//! Starting the real engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use postern_engine::api::{Answer, EngineApi, Fault, Notice, Request, Snapshot, Traffic};
use postern_engine::keys::Passphrase;
use postern_engine::{Engine, EngineOptions, KeychainChoice};
use tokio::sync::{broadcast, watch};

use crate::arguments::{Arguments, KeychainKind};
use crate::controller;

/// Starts the engine of a data directory, as often as it is asked to.
pub(crate) struct Starter {
    data_dir: PathBuf,
    keychain: KeychainChoice,
}

impl Starter {
    /// What the arguments ask for.
    ///
    /// # Errors
    /// What to tell a person: there is no passphrase for the key file.
    pub(crate) fn new(arguments: &Arguments, data_dir: &Path) -> Result<Self, String> {
        let keychain = match arguments.keychain {
            KeychainKind::Os => KeychainChoice::Os,
            KeychainKind::Memory => KeychainChoice::Memory,
            KeychainKind::File => KeychainChoice::File(passphrase(arguments.passphrase_fd)?),
        };
        Ok(Self { data_dir: data_dir.into(), keychain })
    }
}

impl controller::Start for Starter {
    type Engine = Engine;

    async fn start(&self) -> Result<Engine, Fault> {
        let (data_dir, keychain) = (self.data_dir.clone(), self.keychain.clone());
        Engine::start(EngineOptions { data_dir, keychain, listen: None }).await
    }
}

impl controller::Engine for Engine {
    fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        EngineApi::snapshot(self)
    }

    fn traffic(&self) -> watch::Receiver<Arc<Traffic>> {
        EngineApi::traffic(self)
    }

    fn notices(&self) -> broadcast::Receiver<Notice> {
        EngineApi::notices(self)
    }

    async fn request(&self, request: Request) -> Result<Answer, Fault> {
        EngineApi::request(self, request).await
    }

    async fn shutdown(&self) {
        EngineApi::shutdown(self).await;
    }
}

fn passphrase(descriptor: Option<u32>) -> Result<Passphrase, String> {
    let descriptor = descriptor.ok_or("--keychain file needs the passphrase: say where with --passphrase-fd.")?;
    Passphrase::from_descriptor(descriptor).map_err(|error| error.to_string())
}
