//! Protecting the audit log: its key, its anchor outside the database, and its size.
//!
//! ```text
//! open ─► key arrives: is the log what the anchor says? ─► what is wrong becomes an entry ─► anchored: running
//!                                                            once a minute, if entries were added ─► anchored: running
//!                                                            clean stop ───────────────────────────► anchored: stopped
//! ```

use super::Store;
use super::audit_log::anchor::{self, AnchorState, LogAnchor, StoredAnchor};
use super::audit_log::{self, ChainEntry, KEPT_LOG, MAX_LOG, Reader, SIZE_CHECKED_AFTER};
use super::error::StoreError;
use crate::api::{AuditEvent, UnixMillis};
use postern_env::time::{self, Duration, Instant};
use postern_node::sealed::SelfMacKey;
use sqlx::{Connection, SqliteConnection};
use std::path::{Path, PathBuf};

/// Purpose of the key that authenticates the audit log. Part of the stored format.
pub(crate) const LOG_KEY: &[u8] = b"postern log 1";
/// The log is anchored so often while entries are added. Chosen: what a crash leaves unprotected, against a file that is
/// written and synced.
const ANCHOR_EVERY: Duration = Duration::from_secs(60);

/// The audit log's end, and what protects it.
pub(super) struct LogState {
    /// The end of the chain.
    pub(super) last: ChainEntry,
    /// The database.
    path: PathBuf,
    /// The end of the chain when the database was opened.
    opened: ChainEntry,
    /// Nothing before the keychain has given it.
    key: Option<SelfMacKey>,
    /// The entry that was anchored last in this run, and when.
    anchored: Option<(u64, Instant)>,
    /// The entry at which the size was looked at.
    sized: u64,
    /// The anchor has shown at the start that something is wrong.
    is_doubtful: bool,
}

impl LogState {
    pub(super) async fn open(connection: &mut SqliteConnection, path: &Path) -> Result<Self, StoreError> {
        let last = audit_log::last(connection).await?;
        Ok(Self {
            opened: last.clone(),
            last,
            path: path.to_owned(),
            key: None,
            anchored: None,
            sized: 0,
            is_doubtful: false,
        })
    }

    pub(super) fn key(&self) -> Option<&SelfMacKey> {
        self.key.as_ref()
    }

    fn data_dir(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }
}

impl Store {
    /// Authenticates the log with this key from now on, and compares it with its anchor. What is wrong is written to the log.
    pub(crate) async fn protect_log(&mut self, key: SelfMacKey, now: UnixMillis) -> Result<(), StoreError> {
        if self.log.key.is_some() {
            return Ok(());
        }
        let events = self.compare_with_anchor(&key).await?;
        let is_wrong = |it: &AuditEvent| matches!(it, AuditEvent::Log { what, .. } if is_alarm(what));
        self.log.is_doubtful = events.iter().any(is_wrong);
        self.log.key = Some(key);
        let events: Vec<_> = events.into_iter().map(|event| (now, event)).collect();
        self.save(&[], &events).await?;
        self.anchor_log(AnchorState::Running, now).await
    }

    /// What the anchor shows to have happened to the log while the engine did not run.
    async fn compare_with_anchor(&mut self, key: &SelfMacKey) -> Result<Vec<AuditEvent>, StoreError> {
        let log = |what: &str, entries: Option<(u64, u64)>| AuditEvent::Log {
            what: what.to_owned(),
            first: entries.map(|(first, _)| first),
            last: entries.map(|(_, last)| last),
        };
        let anchor = match anchor::read(self.log.data_dir(), key)? {
            StoredAnchor::Valid(anchor) => anchor,
            StoredAnchor::Invalid => return Ok(vec![log("anchor-invalid", None)]),
            StoredAnchor::Missing if audit_log::is_keyed(&mut self.connection).await? => {
                return Ok(vec![log("anchor-missing", None)]);
            }
            StoredAnchor::Missing => return Ok(vec![log("key-started", None)]),
        };
        let mut events = Vec::new();
        let (opened, head) = (self.log.opened.number, anchor.head.number);
        let base = audit_log::base(&mut self.connection).await?.number;
        if base > anchor.base {
            events.push(log("missing", Some((anchor.base + 1, base))));
        }
        if opened < head {
            events.push(log("missing", Some((opened + 1, head))));
        } else if base <= head
            && audit_log::hash_of(&mut self.connection, head).await?.as_ref() != Some(&anchor.head.hash)
        {
            events.push(log("replaced", Some((anchor.base + 1, head))));
        }
        match anchor.state {
            AnchorState::Restored => events.push(log("restored", None)),
            AnchorState::Running if opened >= head => events.push(log("unprotected", Some((head + 1, opened)))),
            AnchorState::Stopped if opened > head => events.push(log("unprotected", Some((head + 1, opened)))),
            AnchorState::Running | AnchorState::Stopped => {}
        }
        Ok(events)
    }

    /// Anchors the log if entries were added and the last time is long enough ago, and looks at its size.
    pub(crate) async fn look_after_log(&mut self, now: UnixMillis) -> Result<(), StoreError> {
        if self.log.last.number >= self.log.sized + SIZE_CHECKED_AFTER {
            self.limit_log(now).await?;
        }
        let is_due = self
            .log
            .anchored
            .is_some_and(|(number, at)| number != self.log.last.number && time::since(at) >= ANCHOR_EVERY);
        if is_due { self.anchor_log(AnchorState::Running, now).await } else { Ok(()) }
    }

    /// Anchors the log as it is, if it has a key.
    pub(crate) async fn anchor_log(&mut self, state: AnchorState, now: UnixMillis) -> Result<(), StoreError> {
        let base = audit_log::base(&mut self.connection).await?.number;
        self.write_anchor(state, base, now)
    }

    fn write_anchor(&mut self, state: AnchorState, base: u64, now: UnixMillis) -> Result<(), StoreError> {
        let Some(key) = &self.log.key else { return Ok(()) };
        let anchor = LogAnchor { head: self.log.last.clone(), base, at: now, state };
        anchor::write(self.log.data_dir(), key, &anchor)?;
        self.log.anchored = Some((anchor.head.number, time::now()));
        Ok(())
    }

    /// Deletes the oldest entries if all together are too large.
    async fn limit_log(&mut self, now: UnixMillis) -> Result<(), StoreError> {
        self.log.sized = self.log.last.number;
        match audit_log::last_over_size(&mut self.connection, MAX_LOG, KEPT_LOG).await? {
            Some(entry) => self.delete_audit_entries_up_to(&entry, now).await,
            None => Ok(()),
        }
    }

    /// Deletes the audit entries that are older, as far as they are the oldest in a row.
    pub(crate) async fn delete_audit_entries_before(
        &mut self,
        before: UnixMillis,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        match audit_log::last_before(&mut self.connection, before).await? {
            Some(entry) => self.delete_audit_entries_up_to(&entry, now).await,
            None => Ok(()),
        }
    }

    /// The anchor first: a crash in between leaves entries that might have been deleted, which is no alarm. While the key of
    /// an anchored log is not there, nothing is deleted, because the anchor would not say so.
    async fn delete_audit_entries_up_to(&mut self, entry: &ChainEntry, now: UnixMillis) -> Result<(), StoreError> {
        if self.log.key.is_none() && audit_log::is_keyed(&mut self.connection).await? {
            return Ok(());
        }
        self.write_anchor(AnchorState::Running, entry.number, now)?;
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        audit_log::delete_up_to(&mut transaction, entry).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Reads and verifies the log beside the store.
    pub(crate) fn log_reader(&self) -> Reader {
        Reader { path: self.log.path.clone(), key: self.log.key.clone(), is_doubtful: self.log.is_doubtful }
    }
}

/// Whether what an entry says about the log is that it was tampered with.
fn is_alarm(what: &str) -> bool {
    matches!(what, "missing" | "replaced" | "anchor-missing" | "anchor-invalid")
}

/// Anchors the log of a database that was restored from a backup and that nothing has opened yet.
pub(crate) async fn anchor_restored(path: &Path, key: &SelfMacKey, now: UnixMillis) -> Result<(), StoreError> {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let head = audit_log::last(&mut connection).await?;
    let base = audit_log::base(&mut connection).await?.number;
    connection.close().await?;
    let anchor = LogAnchor { head, base, at: now, state: AnchorState::Restored };
    anchor::write(path.parent().unwrap_or(Path::new(".")), key, &anchor)?;
    Ok(())
}

#[cfg(test)]
mod tests;
