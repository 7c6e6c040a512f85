//! Storage of the mailboxes: one SQLite file in the data directory, or memory without one.
//!
//! When a call returns, its change is on the disk. The [`Store`] holds an exclusive lock: no other process uses the file
//! while it is open. It enforces the quotas of [`Capacity`]; rate limits are the service's.
//!
//! Messages are kept only for identities that were here lately. When there is no room, wherever most comes from gives way:
//! identities cost their makers nothing, so they are no measure of whose messages are too many.

use super::usage::{SourceId, Usage};
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
const MIGRATIONS: [&str; 2] = [include_str!("schema.sql"), include_str!("recipients.sql")];
/// A subscription is written down again when the one that is was so long ago: a write a day for each recipient.
const RECORD_AGAIN_AFTER: Duration = Duration::from_secs(24 * 3600);

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
    /// How long ago a recipient may have subscribed last.
    pub(crate) recipient_expiry: Duration,
    /// Recipients that are remembered.
    pub(crate) recipients: u64,
}

/// Who deposits a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Depositor {
    pub(crate) identifier: Identifier,
    pub(crate) source: SourceId,
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
    usage: Usage,
}

impl Store {
    /// Opens or creates the file in a data directory, which must exist; stores in memory without one.
    pub(crate) async fn open(data: Option<&Path>, capacity: Capacity) -> Result<Self, HubError> {
        let file = Database { path: data.map(|data| data.join(FILE)), migrations: &MIGRATIONS, content: "mailboxes" };
        // An acknowledged message is overwritten, not only unlinked.
        let mut connection = file.open(|options| options.pragma("secure_delete", "ON")).await?;
        let (messages, bytes) = totals(&mut connection).await.map_err(|error| file.error(&error))?;
        let usage = Usage::load(&mut connection).await.map_err(|error| file.error(&error))?;
        Ok(Self { connection, capacity, messages, bytes, usage })
    }

    /// Stored messages, and their bytes.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.messages, self.bytes)
    }

    /// Stores a message; it is on the disk when this returns.
    pub(crate) async fn deposit(
        &mut self,
        from: &Depositor,
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
        if !self.is_recipient(to, now).await? {
            return Ok(Deposited::Refused(Outcome::UnknownRecipient));
        }
        if self.count_from(&from.identifier, to).await? >= self.capacity.messages_per_depositor {
            return Ok(Deposited::Refused(Outcome::RateLimited));
        }
        if !self.make_room_in_mailbox(from.source, to, bytes).await? {
            return Ok(Deposited::Refused(Outcome::MailboxFull));
        }
        if !self.make_room(from.source, bytes).await? {
            return Ok(Deposited::Refused(Outcome::HubFull));
        }
        let insert = "INSERT INTO mail (recipient, digest, depositor, source, deposited, expires, sealed) \
                      VALUES (?, ?, ?, ?, ?, ?, ?)";
        sqlx::query(insert)
            .bind(&to.as_bytes()[..])
            .bind(&digest.as_bytes()[..])
            .bind(&from.identifier.as_bytes()[..])
            .bind(&from.source.0[..])
            .bind(seconds(now))
            .bind(seconds(now.plus(self.capacity.expiry)))
            .bind(sealed)
            .execute(&mut self.connection)
            .await?;
        self.messages += 1;
        self.bytes += bytes;
        self.usage.add(from.source, bytes);
        Ok(Deposited::New)
    }

    async fn count_from(&mut self, from: &Identifier, to: &Identifier) -> sqlx::Result<u64> {
        let count = "SELECT COUNT(*) FROM mail WHERE recipient = ? AND depositor = ?";
        let query = sqlx::query_as(count).bind(&to.as_bytes()[..]).bind(&from.as_bytes()[..]);
        let (count,): (i64,) = query.fetch_one(&mut self.connection).await?;
        Ok(count.unsigned_abs())
    }

    /// Makes room for a message in a mailbox; says whether there is.
    async fn make_room_in_mailbox(&mut self, source: SourceId, to: &Identifier, bytes: u64) -> sqlx::Result<bool> {
        let rows = "SELECT source, COUNT(*), SUM(LENGTH(sealed)) FROM mail WHERE recipient = ? GROUP BY source";
        let rows: Vec<(Vec<u8>, i64, i64)> =
            sqlx::query_as(rows).bind(&to.as_bytes()[..]).fetch_all(&mut self.connection).await?;
        let mut usage = Usage::from_rows(rows);
        loop {
            let all = usage.total();
            let has_room = all.messages < self.capacity.messages_per_recipient
                && all.bytes + bytes <= self.capacity.bytes_per_recipient;
            if has_room || bytes > self.capacity.bytes_per_recipient {
                return Ok(has_room);
            }
            let Some(evicted) = usage.who_gives_way_to(source, bytes) else { return Ok(false) };
            let oldest = "DELETE FROM mail WHERE id = (SELECT MIN(id) FROM mail WHERE source = ? AND recipient = ?) \
                          RETURNING LENGTH(sealed)";
            let query = sqlx::query_as(oldest).bind(&evicted.0[..]).bind(&to.as_bytes()[..]);
            let Some((freed,)): Option<(i64,)> = query.fetch_optional(&mut self.connection).await? else {
                return Ok(false);
            };
            usage.remove(evicted, freed.unsigned_abs());
            self.forget(evicted, freed.unsigned_abs());
        }
    }

    /// Makes room for a message among all; says whether there is.
    async fn make_room(&mut self, source: SourceId, bytes: u64) -> sqlx::Result<bool> {
        loop {
            let has_room = self.messages < self.capacity.messages && self.bytes + bytes <= self.capacity.bytes;
            if has_room || bytes > self.capacity.bytes {
                return Ok(has_room);
            }
            let Some(evicted) = self.usage.who_gives_way_to(source, bytes) else { return Ok(false) };
            let oldest = "DELETE FROM mail WHERE id = (SELECT MIN(id) FROM mail WHERE source = ?) \
                          RETURNING LENGTH(sealed)";
            let query = sqlx::query_as(oldest).bind(&evicted.0[..]);
            let Some((freed,)): Option<(i64,)> = query.fetch_optional(&mut self.connection).await? else {
                return Ok(false);
            };
            self.forget(evicted, freed.unsigned_abs());
        }
    }

    /// Counts a message that was deleted.
    fn forget(&mut self, source: SourceId, bytes: u64) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
        self.usage.remove(source, bytes);
    }

    async fn is_recipient(&mut self, who: &Identifier, now: Timestamp) -> sqlx::Result<bool> {
        let since = seconds(now).saturating_sub(whole_seconds(self.capacity.recipient_expiry));
        Ok(self.subscribed(who).await?.is_some_and(|subscribed| subscribed > since))
    }

    async fn subscribed(&mut self, who: &Identifier) -> sqlx::Result<Option<i64>> {
        let query = sqlx::query_as("SELECT subscribed FROM recipient WHERE identifier = ?").bind(&who.as_bytes()[..]);
        let row: Option<(i64,)> = query.fetch_optional(&mut self.connection).await?;
        Ok(row.map(|(subscribed,)| subscribed))
    }

    /// Whether an identity has subscribed before, and is remembered.
    pub(crate) async fn is_known(&mut self, who: &Identifier) -> sqlx::Result<bool> {
        Ok(self.subscribed(who).await?.is_some())
    }

    /// Records that an identity subscribes: messages are kept for it from now on. Says whether there was room for one more.
    pub(crate) async fn subscribe(&mut self, who: &Identifier, now: Timestamp) -> sqlx::Result<bool> {
        match self.subscribed(who).await? {
            Some(subscribed) if seconds(now) - subscribed < whole_seconds(RECORD_AGAIN_AFTER) => return Ok(true),
            Some(_) => {}
            None => {
                let count = sqlx::query_as("SELECT COUNT(*) FROM recipient");
                let (count,): (i64,) = count.fetch_one(&mut self.connection).await?;
                if count.unsigned_abs() >= self.capacity.recipients {
                    return Ok(false);
                }
            }
        }
        let record = "INSERT INTO recipient (identifier, subscribed) VALUES (?, ?) \
                      ON CONFLICT (identifier) DO UPDATE SET subscribed = excluded.subscribed";
        sqlx::query(record).bind(&who.as_bytes()[..]).bind(seconds(now)).execute(&mut self.connection).await?;
        Ok(true)
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
        let delete = "DELETE FROM mail WHERE recipient = ? AND digest = ? RETURNING source, LENGTH(sealed)";
        let deleted: Option<(Vec<u8>, i64)> = sqlx::query_as(delete)
            .bind(&to.as_bytes()[..])
            .bind(&id.as_bytes()[..])
            .fetch_optional(&mut self.connection)
            .await?;
        let was_there = deleted.is_some();
        if let Some((source, bytes)) = deleted {
            self.forget(SourceId::from_row(&source), bytes.unsigned_abs());
        }
        Ok(was_there)
    }

    /// Deletes expired messages, and recipients that have not been here for long; returns how many messages.
    pub(crate) async fn expire(&mut self, now: Timestamp) -> sqlx::Result<u64> {
        let deleted =
            sqlx::query("DELETE FROM mail WHERE expires <= ?").bind(seconds(now)).execute(&mut self.connection).await?;
        if deleted.rows_affected() > 0 {
            (self.messages, self.bytes) = totals(&mut self.connection).await?;
            self.usage = Usage::load(&mut self.connection).await?;
        }
        let since = seconds(now).saturating_sub(whole_seconds(self.capacity.recipient_expiry));
        sqlx::query("DELETE FROM recipient WHERE subscribed <= ?").bind(since).execute(&mut self.connection).await?;
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

fn whole_seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

async fn totals(connection: &mut SqliteConnection) -> sqlx::Result<(u64, u64)> {
    let all = "SELECT COUNT(*), COALESCE(SUM(LENGTH(sealed)), 0) FROM mail";
    let (messages, bytes): (i64, i64) = sqlx::query_as(all).fetch_one(connection).await?;
    Ok((messages.unsigned_abs(), bytes.unsigned_abs()))
}

#[cfg(test)]
mod tests;
