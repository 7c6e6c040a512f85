//! Single instance: one process per data directory, decided by a file lock. A second instance has the first one show its
//! window, or open a link, and exits.
//!
//! ```text
//! claim ──► Primary    holds the lock; its control socket takes links and requests of the command line
//!       └─► Secondary  handed its link to the primary instance; nothing left to do
//! ```
//!
//! The socket is open as soon as the process runs, whether or not the engine has started: a process that waits for a
//! locked keychain shows its window too when it is started again.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use postern_engine::api::Secret;
use postern_engine::control::{Client, ControlError};
use tokio::time::{Instant, sleep};

const LOCK_FILE: &str = "app.lock";
/// How long the primary instance may take from its lock to its open socket. It takes milliseconds; the margin is for a
/// machine that is logging in.
const PRIMARY_STARTUP_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the socket is tried in the meantime: not noticeable to a user who opened a link.
const RETRY_INTERVAL: Duration = Duration::from_millis(25);

/// Which instance this process is.
#[derive(Debug)]
pub enum Claim {
    /// The only one, as long as the lock is held.
    Primary(Lock),
    /// Another one runs, and was notified.
    Secondary,
}

/// The lock on a data directory. The system releases it however the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Claims a data directory. If another instance holds it, has that one show its window, or open `link`.
///
/// # Errors
/// A sentence for the user: the directory cannot be used, or the instance that holds it does not answer.
pub async fn claim(data_dir: &Path, link: Option<Secret>) -> Result<Claim, String> {
    let deadline = Instant::now() + PRIMARY_STARTUP_TIMEOUT;
    loop {
        match Client::connect(data_dir).await {
            Ok(mut primary) => {
                primary.raise(link).await.map_err(|error| error.to_string())?;
                return Ok(Claim::Secondary);
            }
            Err(ControlError::NotRunning { .. }) => {}
            Err(error) => return Err(error.to_string()),
        }
        if let Some(lock) = try_lock(data_dir)? {
            return Ok(Claim::Primary(lock));
        }
        if Instant::now() > deadline {
            return Err("Postern is already running but does not respond. Quit it and start it again.".into());
        }
        sleep(RETRY_INTERVAL).await;
    }
}

fn try_lock(data_dir: &Path) -> Result<Option<Lock>, String> {
    let unusable = |error: std::io::Error| {
        format!(
            "{} cannot be used ({error}). Check its permissions, or choose another directory with --data-dir.",
            data_dir.display()
        )
    };
    let path = data_dir.join(LOCK_FILE);
    let file = File::options().create(true).write(true).truncate(false).open(path).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::engine_proxy::EngineProxy;

    #[tokio::test]
    async fn a_second_instance_has_the_first_open_its_link() {
        let directory = tempfile::tempdir().unwrap();
        let Claim::Primary(_lock) = claim(directory.path(), None).await.unwrap() else {
            panic!("no other instance holds the lock");
        };
        let (inputs, _receiver) = mpsc::channel(1);
        let engine_proxy = EngineProxy::new(directory.path().into(), inputs);
        let (raised, mut raises) = mpsc::unbounded_channel();
        let control =
            postern_engine::control::serve(engine_proxy, move |link| raised.send(link).unwrap()).await.unwrap();

        assert!(matches!(claim(directory.path(), None).await, Ok(Claim::Secondary)));
        assert_eq!(raises.recv().await, Some(None));
        let link = Secret::new("postern://join/x");
        assert!(matches!(claim(directory.path(), Some(link.clone())).await, Ok(Claim::Secondary)));
        assert_eq!(raises.recv().await, Some(Some(link)));
        control.close().await;
    }
}
