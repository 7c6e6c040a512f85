//! Saving records and audit entries, and deleting audit entries that are too old.
//!
//! In: changes and audit events of the core. Out: transactions of the store, awaited by the event loop. Audit entries are
//! never written before the records that they are about, nor in another order than things happened.

use super::requests::stopped;
use super::{Driver, EngineCommand};
use crate::api::{Fault, UnixMillis};
use crate::core::{Change, Now, Record};
use crate::store::{self, StoreError};
use postern_env::time::{self, Duration, Instant};

/// How often audit entries that are too old are looked for. Chosen: retention is counted in days.
const RETENTION_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// How often a write that failed is tried again. Chosen: soon after there is space again, everything works.
pub(super) const RETRY_WRITE_EVERY: Duration = Duration::from_secs(1);
/// Audit entries that are kept in memory while the disk cannot be written; above, the driver waits for the disk. Chosen: about a
/// megabyte.
const MAX_KEPT_AUDIT: usize = 4_096;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// That the database cannot be written.
pub(super) struct Unwritable {
    /// Why, for frontends.
    pub(super) fault: Fault,
    /// When it was tried last.
    tried: Instant,
}

impl Driver {
    /// Writes audit entries that were not written with a save. While that fails, they are kept for later, up to a limit.
    pub(super) async fn flush_audit(&mut self) -> Result<(), Fault> {
        if self.unwritten_audit.is_empty() {
            return Ok(());
        }
        if self.unwritten_audit.len() >= MAX_KEPT_AUDIT {
            return self.save(&[]).await;
        }
        if self.unwritable.as_ref().is_some_and(|it| time::since(it.tried) < RETRY_WRITE_EVERY) {
            return Ok(());
        }
        let saved = self.try_save(&[]).await;
        self.unless_passing(saved).await
    }

    /// Saves changes, and with them the audit entries that wait. They are on disk when this returns.
    ///
    /// While the disk cannot be written, this waits and tries again; meanwhile requests of frontends are refused with the reason.
    ///
    /// # Errors
    /// The database is damaged, or the engine is to stop ([`Code::Stopped`]).
    pub(super) async fn save(&mut self, changes: &[Change]) -> Result<(), Fault> {
        loop {
            let saved = self.try_save(changes).await;
            let is_saved = saved.is_ok();
            self.unless_passing(saved).await?;
            if is_saved {
                return Ok(());
            }
            self.answer_pending_requests();
            self.refuse_requests_until_retry().await?;
        }
    }

    /// Saves changes, and with them the audit entries that wait, or fails.
    pub(super) async fn try_save(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        self.store.save(changes, &self.unwritten_audit).await?;
        self.unwritten_audit.clear();
        if self.unwritable.take().is_some() {
            tracing::info!("the database can be written again");
        }
        for change in changes {
            if let Change::Put(Record::Profile(profile)) = change
                && self.retention_days != profile.retention_days
            {
                self.retention_days = profile.retention_days;
                self.retention_checked = None;
            }
        }
        Ok(())
    }

    /// Reports a write that failed and may succeed later; other failures are returned.
    pub(super) async fn unless_passing(&mut self, written: Result<(), StoreError>) -> Result<(), Fault> {
        let Err(error) = written else { return Ok(()) };
        if !error.may_pass() {
            return Err(self.storage_fault(&error));
        }
        // Later attempts fail because of the first failure; its reason is the one to tell.
        let fault = match self.unwritable.take() {
            Some(last) => last.fault,
            None => {
                tracing::error!(%error, "the database cannot be written; it is tried again");
                error.write_fault(&self.data_dir.join(store::FILE))
            }
        };
        self.publish_unwritable(&fault);
        self.unwritable = Some(Unwritable { fault, tried: time::now() });
        if let Err(error) = self.store.reconnect().await {
            tracing::debug!(%error, "the database cannot be opened again yet");
        }
        Ok(())
    }

    /// Tells those whose requests wait for the disk that they do. What they asked for is done once it can be written.
    fn answer_pending_requests(&mut self) {
        let Some(unwritable) = &self.unwritable else { return };
        for (_, response) in self.pending_requests.drain() {
            // Nobody may be waiting any more.
            let _ = response.send(Err(unwritable.fault.clone()));
        }
    }

    /// Waits until it is time to write again.
    ///
    /// # Errors
    /// The engine is to stop.
    async fn refuse_requests_until_retry(&mut self) -> Result<(), Fault> {
        let retry_at = time::now() + RETRY_WRITE_EVERY;
        loop {
            let command = tokio::select! {
                command = self.frontends.commands.recv() => command,
                () = time::sleep_until(retry_at) => return Ok(()),
            };
            match (command, &self.unwritable) {
                (None | Some(EngineCommand::Shutdown), _) => return Err(stopped()),
                (Some(EngineCommand::Request(_, response)), Some(unwritable)) => {
                    // Nobody may be waiting any more.
                    let _ = response.send(Err(unwritable.fault.clone()));
                }
                (Some(EngineCommand::Request(_, response)), None) => drop(response),
            }
        }
    }

    /// Deletes audit entries that are older than the retention time, at most once a day.
    async fn delete_old_audit_entries(&mut self, now: Now) -> Result<(), StoreError> {
        let is_due = self.retention_checked.is_none_or(|last| time::since(last) >= RETENTION_EVERY);
        if is_due && self.retention_days > 0 {
            self.retention_checked = Some(time::now());
            let kept = u64::from(self.retention_days).saturating_mul(DAY_MS);
            let before = UnixMillis(now.wall.0.saturating_sub(kept));
            self.store.delete_audit_entries_before(before, now.wall).await?;
        }
        Ok(())
    }

    /// Anchors the audit log now and then, and keeps it within its age and its size.
    pub(super) async fn maintain_store(&mut self, now: Now) -> Result<(), Fault> {
        let maintained = match self.delete_old_audit_entries(now).await {
            Ok(()) => self.store.look_after_log(now.wall).await,
            failed => failed,
        };
        if maintained.is_ok() && self.unwritten_audit.is_empty() {
            self.unwritable = None;
        }
        self.unless_passing(maintained).await
    }

    /// Why the database cannot be used.
    pub(super) fn storage_fault(&self, error: &StoreError) -> Fault {
        error.fault(&self.data_dir.join(store::FILE))
    }
}
