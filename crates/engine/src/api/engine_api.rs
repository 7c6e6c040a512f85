//! The interface of a running engine: what a window, a tray, the command line and the control socket hold.

use super::{Answer, Fault, Notice, Request, Snapshot, Traffic};
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::{broadcast, watch};

/// A running engine, or what stands in for one. Clones are handles to the same engine.
pub trait EngineApi: Clone + Send + Sync + 'static {
    /// The directory of everything the engine stores outside the keychain.
    fn data_dir(&self) -> &Path;

    /// The visible state. Holds the newest snapshot; changes are signalled when a snapshot differs from the one before.
    fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>>;

    /// Byte counts and rates, updated at most twice a second and only when they changed.
    fn traffic(&self) -> watch::Receiver<Arc<Traffic>>;

    /// Notices for the user, from now on. A receiver that falls behind misses the oldest.
    fn notices(&self) -> broadcast::Receiver<Notice>;

    /// Makes a request and waits for its answer. What a successful answer reports is on disk; dropping the future
    /// does not undo the request.
    ///
    /// # Errors
    /// The reason why nothing was done.
    fn request(&self, request: Request) -> impl Future<Output = Result<Answer, Fault>> + Send;

    /// Stops the engine and waits until it has closed every service and portal, written its state, and released the
    /// data directory.
    fn shutdown(&self) -> impl Future<Output = ()> + Send;
}
