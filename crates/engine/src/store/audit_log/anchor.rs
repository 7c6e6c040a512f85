//! How far the audit log reached: a file beside the identity's, outside the database, authenticated with the log's key.
//!
//! It is written once a minute while entries are added, when the oldest are deleted, and when the engine stops; never for each
//! entry. What was added after it is authenticated by its HMACs, but its removal would not show.

use super::ChainEntry;
use crate::api::UnixMillis;
use postern_env::fs;
use postern_node::sealed::SelfMacKey;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The file, in the data directory.
const FILE: &str = "log-anchor.json";
const VERSION: u32 = 1;
/// What the HMAC begins with, so that no entry of the log has the same.
const DOMAIN: &[u8] = b"postern log anchor 1";

/// What the log reached when it was anchored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogAnchor {
    /// The newest entry.
    pub(crate) head: ChainEntry,
    /// The number of the last entry that was deleted in order.
    pub(crate) base: u64,
    pub(crate) at: UnixMillis,
    pub(crate) state: AnchorState,
}

/// In which situation the log was anchored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AnchorState {
    /// The engine was running.
    Running,
    /// The engine had stopped, so nothing comes behind it.
    Stopped,
    /// A backup was restored, and the engine has not run since.
    Restored,
}

/// What the file says.
pub(crate) enum StoredAnchor {
    Missing,
    /// It was changed, or is of another identity.
    Invalid,
    Valid(LogAnchor),
}

#[derive(Serialize, Deserialize)]
struct Record {
    version: u32,
    number: u64,
    hash: String,
    base: u64,
    at: UnixMillis,
    state: AnchorState,
    mac: String,
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE)
}

/// Reads the file, and checks that this key has written it.
pub(crate) fn read(data_dir: &Path, key: &SelfMacKey) -> std::io::Result<StoredAnchor> {
    let text = match fs::read_to_string(path(data_dir)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(StoredAnchor::Missing),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => return Ok(StoredAnchor::Invalid),
        Err(error) => return Err(error),
    };
    let read = || {
        let record: Record = serde_json::from_str(&text).ok().filter(|it: &Record| it.version == VERSION)?;
        let head = ChainEntry { number: record.number, hash: hex::decode(&record.hash).ok()? };
        let anchor = LogAnchor { head, base: record.base, at: record.at, state: record.state };
        let mac = hex::decode(&record.mac).ok()?;
        anchor.with_parts(|parts| key.verifies(parts, &mac)).then_some(anchor)
    };
    Ok(read().map_or(StoredAnchor::Invalid, StoredAnchor::Valid))
}

/// Replaces the file: after a crash there is the old one or the new one.
pub(crate) fn write(data_dir: &Path, key: &SelfMacKey, anchor: &LogAnchor) -> std::io::Result<()> {
    let record = Record {
        version: VERSION,
        number: anchor.head.number,
        hash: hex::encode(&anchor.head.hash),
        base: anchor.base,
        at: anchor.at,
        state: anchor.state,
        mac: hex::encode(anchor.with_parts(|parts| key.tag(parts))),
    };
    let mut file = fs::temporary_file_in(data_dir, ".tmp", "")?;
    serde_json::to_writer(&mut file, &record)?;
    file.flush()?;
    file.as_file().sync_all()?;
    file.persist(path(data_dir)).map_err(|refused| refused.error)?;
    Ok(())
}

impl LogAnchor {
    /// What is authenticated; every part but the last has a fixed length.
    fn with_parts<T>(&self, look: impl FnOnce(&[&[u8]]) -> T) -> T {
        let state = [match self.state {
            AnchorState::Running => 0,
            AnchorState::Stopped => 1,
            AnchorState::Restored => 2_u8,
        }];
        let numbers = [self.head.number, self.base, self.at.0].map(u64::to_be_bytes);
        look(&[DOMAIN, &state, &numbers[0], &numbers[1], &numbers[2], &self.head.hash])
    }
}
