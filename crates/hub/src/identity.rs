//! The hub's own identity: stored in the data directory, or new at every start without one.
//!
//! ```text
//! DIR/identity.toml   version, key (the secret), history      readable by its owner only (mode 0600)
//! ```
//!
//! In: the data directory. Out: a vault with the key, and the identity. A file that is damaged or newer is never
//! replaced, and no error shows the key.

use crate::HubError;
use postern_env::{fs, random};
use postern_node::identity::{Identity, Timestamp};
use postern_node::vault::MemoryVault;
use serde::{Deserialize, Serialize};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const FILE: &str = "identity.toml";
const VERSION: u32 = 1;

/// The content of the file. It has no `Debug`, so that nothing can print the key.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct IdentityFile {
    version: u32,
    /// The Ed25519 seed.
    key: String,
    history: String,
}

/// Loads the identity from the data directory, or creates it there the first time; without a directory, a new one.
pub(crate) async fn open(data: Option<&Path>) -> Result<(Arc<MemoryVault>, Identity), HubError> {
    let vault = Arc::new(MemoryVault::in_memory());
    let path = data.map(|data| data.join(FILE));
    let stored = match &path {
        Some(path) => read(path)?,
        None => None,
    };
    let damaged = |reason: String| {
        let path = path.clone().unwrap_or_default();
        HubError::Data { path, reason }
    };
    if let Some(stored) = stored {
        if stored.version != VERSION {
            return Err(damaged("it was written by a newer hub; use that version. Nothing was changed".into()));
        }
        let mut seed = Zeroizing::new([0; 32]);
        let history = hex::decode(&stored.history).ok();
        let decoded = hex::decode_to_slice(&stored.key, &mut *seed).ok().and(history);
        let history = decoded.ok_or_else(|| damaged("it is damaged; restore it, or move it away".into()))?;
        let key = vault.import_ed25519_seed(seed).await.map_err(postern_node::Error::from)?;
        let identity = Identity::load(vault.clone(), key, &history).await;
        let identity = identity.map_err(|error| damaged(format!("it is damaged: {error}")))?;
        return Ok((vault, identity));
    }
    let seed = Zeroizing::new(random::bytes::<32>().map_err(|error| damaged(error.to_string()))?);
    let key = hex::encode(*seed);
    let id = vault.import_ed25519_seed(seed).await.map_err(postern_node::Error::from)?;
    let identity = Identity::create_with_key(vault.clone(), id, Timestamp::now().backdated()).await;
    let identity = identity.map_err(postern_node::Error::from)?;
    if let Some(path) = &path {
        write(path, &IdentityFile { version: VERSION, key, history: hex::encode(identity.export()) })?;
    }
    Ok((vault, identity))
}

fn read(path: &Path) -> Result<Option<IdentityFile>, HubError> {
    let failed = |reason| HubError::Data { path: path.to_owned(), reason };
    let text = match fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error.to_string())),
    };
    // The parser's own error shows the line, and so possibly the key.
    toml::from_str(&text).map(Some).map_err(|_| failed("it is damaged; restore it, or move it away".into()))
}

/// Writes the file atomically: a crash leaves all of it or nothing.
fn write(path: &Path, stored: &IdentityFile) -> Result<(), HubError> {
    let written = || -> std::io::Result<()> {
        let text = Zeroizing::new(toml::to_string(stored).map_err(std::io::Error::other)?);
        let mut file = fs::temporary_file_in(path.parent().unwrap_or(Path::new(".")), ".identity", ".tmp")?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path)?;
        Ok(())
    };
    written().map_err(|error| HubError::Data { path: path.to_owned(), reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_the_same_after_a_restart_and_nobody_else_reads_it() {
        let data = tempfile::tempdir().unwrap();
        let (_, first) = open(Some(data.path())).await.unwrap();
        let (_, second) = open(Some(data.path())).await.unwrap();
        assert_eq!(first.identifier(), second.identifier());
        assert_ne!(open(None).await.unwrap().1.identifier(), first.identifier());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(data.path().join(FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[tokio::test]
    async fn a_damaged_or_newer_file_is_refused_and_left_as_it_is() {
        let data = tempfile::tempdir().unwrap();
        open(Some(data.path())).await.unwrap();
        let path = data.path().join(FILE);
        let good = std::fs::read_to_string(&path).unwrap();
        let (newer, short) = (good.replace("version = 1", "version = 2"), good.replace("key = \"", "key = \"00"));
        for (text, word) in [("", "damaged"), (&*newer, "newer"), (&*short, "damaged"), (&good[..40], "damaged")] {
            std::fs::write(&path, text).unwrap();
            let refused = open(Some(data.path())).await.map(drop).unwrap_err().to_string();
            assert!(refused.contains(word) && refused.contains(FILE), "{refused}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }
}
