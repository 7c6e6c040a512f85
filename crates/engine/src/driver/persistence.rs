//! Saving records and audit entries, and deleting audit entries that are too old.
//!
//! In: changes and audit events of the core. Out: transactions of the store, awaited by the event loop. Audit entries are
//! never written before the records that they are about, nor in another order than things happened.

use super::Driver;
use crate::api::{Fault, UnixMillis};
use crate::core::{Change, Now, Record};
use crate::store::{self, StoreError};
use postern_env::time::{self, Duration};

/// How often audit entries that are too old are looked for. Chosen: retention is counted in days.
const RETENTION_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

impl Driver {
    /// Writes audit entries that were not written with a save.
    pub(super) async fn flush_audit(&mut self) -> Result<(), Fault> {
        if self.unwritten_audit.is_empty() { Ok(()) } else { self.save(&[]).await }
    }

    /// Saves changes, and with them the audit entries that wait. They are on disk when this returns.
    pub(super) async fn save(&mut self, changes: &[Change]) -> Result<(), Fault> {
        let saved = self.store.save(changes, &self.unwritten_audit).await;
        saved.map_err(|error| self.storage_fault(&error))?;
        self.unwritten_audit.clear();
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

    /// Deletes audit entries that are older than the retention time, at most once a day.
    pub(super) async fn delete_old_audit_entries(&mut self, now: Now) -> Result<(), Fault> {
        let is_due = self.retention_checked.is_none_or(|last| time::since(last) >= RETENTION_EVERY);
        if is_due && self.retention_days > 0 {
            self.retention_checked = Some(time::now());
            let kept = u64::from(self.retention_days).saturating_mul(DAY_MS);
            let before = UnixMillis(now.wall.0.saturating_sub(kept));
            let deleted = self.store.delete_audit_entries_before(before, now.wall).await;
            deleted.map_err(|error| self.storage_fault(&error))?;
        }
        Ok(())
    }

    /// Anchors the audit log now and then, and keeps it within its size.
    pub(super) async fn look_after_log(&mut self, now: Now) -> Result<(), Fault> {
        self.store.look_after_log(now.wall).await.map_err(|error| self.storage_fault(&error))
    }

    /// Why the database cannot be used.
    pub(super) fn storage_fault(&self, error: &StoreError) -> Fault {
        error.fault(&self.data_dir.join(store::FILE))
    }
}
