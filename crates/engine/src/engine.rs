//! The running engine: the handle that frontends hold.
//!
//! ```text
//! EngineApi::request ─► EngineCommand ─► driver ─► Answer or Fault
//! EngineApi::snapshot, traffic, notices ◄──── driver
//! ```
//!
//! Starting takes the lock of the data directory; it is released when the driver has ended, however it ends.

use crate::api::{Answer, Code, EngineApi, Fault, Notice, Request, Snapshot, Traffic};
use crate::driver::{Driver, EngineCommand, FrontendChannels, MAX_REQUESTS};
use crate::identity::{IdentityStore, KeychainChoice};
use crate::lock::DirectoryLock;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// Notices that a slow frontend may fall behind before it misses the oldest. Chosen: more than anybody would read.
const MAX_NOTICES: usize = 64;
/// Where this computer listens for peers by default: all of its networks, at a port that the system chooses.
const LISTEN: &str = "0.0.0.0:0";

/// How an engine is started.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// The directory of everything that is stored outside the keychain; created if it does not exist.
    pub data_dir: PathBuf,
    /// Where the keys are stored.
    pub keychain: KeychainChoice,
    /// Where this computer listens when peers may connect to it directly, as `address:port`; `0.0.0.0:0` if absent. A port
    /// that the system chose is stored and used again.
    pub listen: Option<String>,
}

/// A running engine. Clones are handles to the same one; it ends when it is [shut down](EngineApi::shutdown) or the last
/// handle is dropped.
#[derive(Clone)]
pub struct Engine {
    data_dir: Arc<Path>,
    commands: mpsc::Sender<EngineCommand>,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    traffic: watch::Receiver<Arc<Traffic>>,
    notices: broadcast::Sender<Notice>,
    ended: watch::Receiver<Option<Fault>>,
}

impl Engine {
    /// Starts an engine on a data directory, and takes the directory's lock.
    ///
    /// # Errors
    /// [`Code::InUse`], [`Code::Storage`], [`Code::NewerData`], or a fault of the key file, above all
    /// [`Code::WrongPassphrase`]. The system's keychain is not opened yet: its faults are in the snapshot.
    pub async fn start(options: EngineOptions) -> Result<Self, Fault> {
        let EngineOptions { data_dir, keychain, listen } = options;
        if let Err(error) = postern_env::descriptors::raise_limit() {
            tracing::warn!(%error, "the limit of file descriptors stays as it is; connections above it are refused");
        }
        let lock = DirectoryLock::take(&data_dir)?;
        let place = keychain.place();
        let identity_store = IdentityStore::open(&data_dir, keychain).await?;
        let (commands, received) = mpsc::channel(MAX_REQUESTS);
        let (snapshot, traffic) = (watch::Sender::default(), watch::Sender::default());
        let (notices, ended) = (broadcast::Sender::new(MAX_NOTICES), watch::Sender::default());
        let engine = Self {
            data_dir: data_dir.as_path().into(),
            commands,
            snapshot: snapshot.subscribe(),
            traffic: traffic.subscribe(),
            notices: notices.clone(),
            ended: ended.subscribe(),
        };
        let frontends = FrontendChannels { commands: received, snapshot, traffic, notices };
        let listen = listen.unwrap_or_else(|| LISTEN.to_owned());
        let driver = Driver::start(data_dir, identity_store, place, listen, frontends).await?;
        postern_env::task::spawn(async move {
            let fault = driver.run().await;
            drop(lock);
            ended.send_replace(Some(fault));
        });
        Ok(engine)
    }

    /// Waits until the engine has ended, and says why: [`Code::Stopped`] when it was asked to.
    pub async fn why_ended(&self) -> Fault {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(fault)) => fault.clone(),
            _ => Fault::new(Code::Stopped, "Postern has stopped. Start it again."),
        }
    }
}

impl EngineApi for Engine {
    fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.clone()
    }

    fn traffic(&self) -> watch::Receiver<Arc<Traffic>> {
        self.traffic.clone()
    }

    fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    async fn request(&self, request: Request) -> Result<Answer, Fault> {
        let (response, answer) = oneshot::channel();
        if self.commands.send(EngineCommand::Request(request, response)).await.is_err() {
            return Err(self.why_ended().await);
        }
        match answer.await {
            Ok(answer) => answer,
            Err(_) => Err(self.why_ended().await),
        }
    }

    async fn shutdown(&self) {
        // If the driver has ended already, there is nothing to stop.
        let _ = self.commands.send(EngineCommand::Shutdown).await;
        self.why_ended().await;
    }
}
