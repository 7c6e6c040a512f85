//! Storage of the mailboxes: one SQLite file in the data directory, or memory without one.
//!
//! When a call returns, its change is on the disk. The [`Store`] holds an exclusive lock: no other process uses the file
//! while it is open. It enforces the quotas of [`Capacity`]; rate limits are the service's.

use crate::HubError;
use crate::sqlite::Database;
use postern_node::identity::{Identifier, Timestamp};
use postern_node::mailbox::{Mail, MailId, Outcome};
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Row, SqliteConnection};
use std::path::Path;
use std::time::Duration;

/// The file, in the data directory.
const FILE: &str = "hub.db";
/// One migration for each schema version.
const MIGRATIONS: [&str; 1] = [include_str!("schema.sql")];

/// The quotas of the mailboxes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Capacity {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    pub(crate) messages_per_recipient: u64,
    pub(crate) bytes_per_recipient: u64,
    /// Messages for one recipient from one depositor.
    pub(crate) messages_per_depositor: u64,
    pub(crate) expiry: Duration,
}

/// A message in the store, in the order of arrival.
pub(crate) struct StoredMail {
    pub(crate) row: i64,
    pub(crate) mail: Mail,
}

/// The result of a deposit.
pub(crate) enum Deposited {
    New,
    /// The same message is stored already.
    Duplicate,
    Refused(Outcome),
}

/// All messages that are stored.
pub(crate) struct Store {
    connection: SqliteConnection,
    capacity: Capacity,
    messages: u64,
    bytes: u64,
}

impl Store {
    /// Opens or creates the file in a data directory, which must exist; stores in memory without one.
    pub(crate) async fn open(data: Option<&Path>, capacity: Capacity) -> Result<Self, HubError> {
        let file = Database { path: data.map(|data| data.join(FILE)), migrations: &MIGRATIONS, content: "mailboxes" };
        // An acknowledged message is overwritten, not only unlinked.
        let mut connection = file.open(|options| options.pragma("secure_delete", "ON")).await?;
        let (messages, bytes) = totals(&mut connection).await.map_err(|error| file.error(&error))?;
        Ok(Self { connection, capacity, messages, bytes })
    }

    /// Stored messages, and their bytes.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.messages, self.bytes)
    }

    /// Stores a message; it is on the disk when this returns.
    pub(crate) async fn deposit(
        &mut self,
        from: &Identifier,
        to: &Identifier,
        sealed: &[u8],
        now: Timestamp,
    ) -> sqlx::Result<Deposited> {
        let digest = MailId::of(sealed);
        let bytes = sealed.len() as u64;
        let duplicate = sqlx::query("SELECT 1 FROM mail WHERE recipient = ? AND digest = ?")
            .bind(&to.as_bytes()[..])
            .bind(&digest.as_bytes()[..])
            .fetch_optional(&mut self.connection)
            .await?;
        if duplicate.is_some() {
            return Ok(Deposited::Duplicate);
        }
        let usage = "SELECT COUNT(*), COALESCE(SUM(LENGTH(sealed)), 0), COALESCE(SUM(depositor = ?), 0) \
                      FROM mail WHERE recipient = ?";
        let (messages_per_recipient, bytes_per_recipient, from_depositor): (i64, i64, i64) = sqlx::query_as(usage)
            .bind(&from.as_bytes()[..])
            .bind(&to.as_bytes()[..])
            .fetch_one(&mut self.connection)
            .await?;
        let capacity = &self.capacity;
        if self.messages >= capacity.messages || self.bytes + bytes > capacity.bytes {
            return Ok(Deposited::Refused(Outcome::HubFull));
        }
        if from_depositor as u64 >= capacity.messages_per_depositor {
            return Ok(Deposited::Refused(Outcome::RateLimited));
        }
        if messages_per_recipient as u64 >= capacity.messages_per_recipient
            || bytes_per_recipient as u64 + bytes > capacity.bytes_per_recipient
        {
            return Ok(Deposited::Refused(Outcome::MailboxFull));
        }
        let insert = "INSERT INTO mail (recipient, digest, depositor, deposited, expires, sealed) \
                      VALUES (?, ?, ?, ?, ?, ?)";
        sqlx::query(insert)
            .bind(&to.as_bytes()[..])
            .bind(&digest.as_bytes()[..])
            .bind(&from.as_bytes()[..])
            .bind(seconds(now))
            .bind(seconds(now.plus(capacity.expiry)))
            .bind(sealed)
            .execute(&mut self.connection)
            .await?;
        self.messages += 1;
        self.bytes += bytes;
        Ok(Deposited::New)
    }

    /// Of the oldest `limit` messages for `to`, those after row `after`.
    pub(crate) async fn waiting(
        &mut self,
        to: &Identifier,
        after: i64,
        limit: usize,
        now: Timestamp,
    ) -> sqlx::Result<Vec<StoredMail>> {
        let oldest = "SELECT id, deposited, sealed FROM mail WHERE id > ? AND id IN \
                      (SELECT id FROM mail WHERE recipient = ? AND expires > ? ORDER BY id LIMIT ?) ORDER BY id";
        let rows = sqlx::query(oldest)
            .bind(after)
            .bind(&to.as_bytes()[..])
            .bind(seconds(now))
            .bind(limit as i64)
            .fetch_all(&mut self.connection)
            .await?;
        rows.iter().map(stored_mail).collect()
    }

    /// Deletes a message of this recipient; returns whether there was one.
    pub(crate) async fn acknowledge(&mut self, to: &Identifier, id: MailId) -> sqlx::Result<bool> {
        let delete = "DELETE FROM mail WHERE recipient = ? AND digest = ? RETURNING LENGTH(sealed)";
        let deleted: Option<(i64,)> = sqlx::query_as(delete)
            .bind(&to.as_bytes()[..])
            .bind(&id.as_bytes()[..])
            .fetch_optional(&mut self.connection)
            .await?;
        if let Some((bytes,)) = deleted {
            self.messages -= 1;
            self.bytes -= bytes as u64;
        }
        Ok(deleted.is_some())
    }

    /// Deletes expired messages; returns how many.
    pub(crate) async fn expire(&mut self, now: Timestamp) -> sqlx::Result<u64> {
        let deleted =
            sqlx::query("DELETE FROM mail WHERE expires <= ?").bind(seconds(now)).execute(&mut self.connection).await?;
        if deleted.rows_affected() > 0 {
            (self.messages, self.bytes) = totals(&mut self.connection).await?;
        }
        Ok(deleted.rows_affected())
    }

    /// Closes the file, with the write-ahead log merged into it.
    pub(crate) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the mailbox database was not closed cleanly; the next start recovers its write-ahead log");
        }
    }
}

fn stored_mail(row: &SqliteRow) -> sqlx::Result<StoredMail> {
    let sealed: Vec<u8> = row.try_get("sealed")?;
    let deposited: i64 = row.try_get("deposited")?;
    let mail = Mail { id: MailId::of(&sealed), deposited: Timestamp(deposited.unsigned_abs()), sealed };
    Ok(StoredMail { row: row.try_get("id")?, mail })
}

/// SQLite's integers are signed.
fn seconds(time: Timestamp) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

async fn totals(connection: &mut SqliteConnection) -> sqlx::Result<(u64, u64)> {
    let all = "SELECT COUNT(*), COALESCE(SUM(LENGTH(sealed)), 0) FROM mail";
    let (messages, bytes): (i64, i64) = sqlx::query_as(all).fetch_one(connection).await?;
    Ok((messages.unsigned_abs(), bytes.unsigned_abs()))
}

#[cfg(test)]
mod tests;
