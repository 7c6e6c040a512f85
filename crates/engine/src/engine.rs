//! The running engine: what a window, a tray or a command line holds.
//!
//! ```text
//! Engine::request ─► runner ─► Answer or Fault
//! Engine::snapshot, traffic, notices ◄─ runner
//! ```

use crate::api::{Answer, Code, Fault, Notice, Request, Snapshot, Traffic};
use crate::driver::{FrontendChannels, Runner};
use crate::identity::{IdentityStore, KeychainChoice};
use crate::lock::DirectoryLock;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// Requests that may wait to be heard.
pub(crate) const MAX_REQUESTS: usize = 64;
/// Notices that a slow listener may fall behind.
const MAX_NOTICES: usize = 64;
/// Where this computer listens unless told otherwise.
const LISTEN: &str = "0.0.0.0:0";

/// How an engine is started.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Where everything that is no secret rests; made if it is not there.
    pub data_dir: PathBuf,
    /// Where the keys rest.
    pub keychain: KeychainChoice,
    /// Where this computer listens when it can be reached directly, as `address:port`; `0.0.0.0:0` if absent. A port that
    /// the system chose is remembered and taken again.
    pub listen: Option<String>,
}

/// A running engine. Clones are handles to the same one; it ends when it is [shut down](Self::shutdown) or the last is
/// dropped.
#[derive(Clone)]
pub struct Engine {
    data_dir: Arc<Path>,
    requests: mpsc::Sender<EngineCommand>,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    traffic: watch::Receiver<Arc<Traffic>>,
    notices: broadcast::Sender<Notice>,
    ended: watch::Receiver<Option<Fault>>,
}

/// A request on its way, or the wish to end.
pub(crate) enum EngineCommand {
    Request(Request, oneshot::Sender<Result<Answer, Fault>>),
    Shutdown,
}

impl Engine {
    /// Starts an engine on a data directory, and takes the directory's lock.
    ///
    /// # Errors
    /// [`Code::InUse`], [`Code::Storage`], [`Code::NewerData`], or what opening a key file gives, above all
    /// [`Code::WrongPassphrase`]. The system's keychain is not touched yet: what is wrong with it is in the snapshot.
    pub async fn start(options: EngineOptions) -> Result<Self, Fault> {
        let EngineOptions { data_dir, keychain, listen } = options;
        make_directory(&data_dir)?;
        let lock = DirectoryLock::take(&data_dir)?;
        let place = keychain.place();
        let home = IdentityStore::open(&data_dir, keychain).await?;
        let (requests, asked) = mpsc::channel(MAX_REQUESTS);
        let (snapshot, traffic) = (watch::Sender::default(), watch::Sender::default());
        let (notices, ended) = (broadcast::Sender::new(MAX_NOTICES), watch::Sender::default());
        let engine = Self {
            data_dir: data_dir.as_path().into(),
            requests,
            snapshot: snapshot.subscribe(),
            traffic: traffic.subscribe(),
            notices: notices.clone(),
            ended: ended.subscribe(),
        };
        let faces = FrontendChannels { asked, snapshot, traffic, notices };
        let listen = listen.unwrap_or_else(|| LISTEN.to_owned());
        let runner = Runner::start(data_dir, home, place, listen, faces).await?;
        tokio::spawn(async move {
            let fault = runner.run().await;
            drop(lock);
            ended.send_replace(Some(fault));
        });
        Ok(engine)
    }

    /// Everything visible, whenever it changed.
    pub fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.clone()
    }

    /// Numbers that move, at most twice a second and only when they did.
    pub fn traffic(&self) -> watch::Receiver<Arc<Traffic>> {
        self.traffic.clone()
    }

    /// What people should hear of, from now on. Whoever is too slow misses the oldest.
    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// Asks something. What an answer says is done is on disk; dropping the future does not undo it.
    ///
    /// # Errors
    /// Why it is not done.
    pub async fn request(&self, request: Request) -> Result<Answer, Fault> {
        let (answer, answered) = oneshot::channel();
        if self.requests.send(EngineCommand::Request(request, answer)).await.is_err() {
            return Err(self.why_ended().await);
        }
        match answered.await {
            Ok(answer) => answer,
            Err(_) => Err(self.why_ended().await),
        }
    }

    /// Stops everything: closes services and portals, says goodbye, writes what is to be written, frees the data
    /// directory. Waits until that is done.
    pub async fn shutdown(&self) {
        let _ = self.requests.send(EngineCommand::Shutdown).await;
        self.why_ended().await;
    }

    /// Waits until the engine has ended, and says why: [`Code::Stopped`] when it was asked to.
    pub async fn why_ended(&self) -> Fault {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(fault)) => fault.clone(),
            _ => Fault::new(Code::Stopped, "Postern has stopped. Start it again."),
        }
    }

    /// Where everything that is no secret rests.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }
}

/// Makes a data directory that only its owner can look into.
pub(crate) fn make_directory(path: &Path) -> Result<(), Fault> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| {
        Fault::new(Code::Storage, format!("{} cannot be made: {error}. Choose another place.", path.display()))
    })
}
