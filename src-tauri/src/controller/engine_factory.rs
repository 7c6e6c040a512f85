//! How the controller starts an engine. A running engine is an [`EngineApi`].

use std::future::Future;
use std::path::PathBuf;

use postern_engine::api::{EngineApi, Fault};
use postern_engine::keys::Passphrase;

/// Starts engines: once when the program starts, and again whenever the user retries.
pub trait EngineFactory: Send + Sync + 'static {
    /// The engine it starts.
    type Engine: EngineApi;
    /// Starts one.
    ///
    /// # Errors
    /// Why it failed: the keychain is locked, the data is in use, …
    fn start(&self) -> impl Future<Output = Result<Self::Engine, Fault>> + Send;
    /// Keeps the identity's key in a file encrypted with this passphrase, from the next start on; opens the file if there is one.
    fn use_key_file(&self, passphrase: Passphrase);
    /// Restores a backup, while no engine runs and nobody is set up.
    ///
    /// # Errors
    /// Why it failed: the passphrase is wrong, the file is damaged, … The next start is as the one before.
    fn restore(&self, file: PathBuf, passphrase: Passphrase) -> impl Future<Output = Result<(), Fault>> + Send;
    /// Whether there is a key file: then a start needs its passphrase.
    fn has_key_file(&self) -> bool;
}
