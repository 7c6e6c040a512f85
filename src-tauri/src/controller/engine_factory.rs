//! How the controller starts an engine. A running engine is an [`EngineApi`].

use std::future::Future;

use postern_engine::api::{EngineApi, Fault};

/// Starts engines: once when the program starts, and again whenever the user retries.
pub trait EngineFactory: Send + Sync + 'static {
    /// The engine it starts.
    type Engine: EngineApi;
    /// Starts one.
    ///
    /// # Errors
    /// Why it failed: the keychain is locked, the data is in use, …
    fn start(&self) -> impl Future<Output = Result<Self::Engine, Fault>> + Send;
}
