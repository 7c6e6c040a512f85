//! What the controller needs of the engine, and how it starts one.

use std::future::Future;
use std::sync::Arc;

use postern_engine::api::{Answer, Fault, Notice, Request, Snapshot, Traffic};
use tokio::sync::{broadcast, watch};

/// A running engine; clones are the same one.
pub trait Engine: Clone + Send + Sync + 'static {
    /// Everything visible, whenever it changed.
    fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>>;
    /// Numbers that move.
    fn traffic(&self) -> watch::Receiver<Arc<Traffic>>;
    /// What a person should hear of.
    fn notices(&self) -> broadcast::Receiver<Notice>;
    /// Asks for something.
    ///
    /// # Errors
    /// The engine's fault.
    fn request(&self, request: Request) -> impl Future<Output = Result<Answer, Fault>> + Send;
    /// Ends it in good order.
    fn shutdown(&self) -> impl Future<Output = ()> + Send;
}

/// What makes an engine, as often as it is asked to.
pub trait EngineFactory: Send + Sync + 'static {
    /// What it makes.
    type Engine: Engine;
    /// Makes one.
    ///
    /// # Errors
    /// Why there is none: the keychain is locked, the data is in use, …
    fn start(&self) -> impl Future<Output = Result<Self::Engine, Fault>> + Send;
}
