//! Where messages wait: one SQLite file in the data directory, or memory.
//!
//! What was answered is on the disk. Nobody but the [`Store`] touches the file while it is open.

use crate::HubError;
use postern_node::identity::{Identifier, Timestamp};
use postern_node::mailbox::{Mail, MailId, Outcome};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteRow, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, SqliteConnection};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file, in the data directory.
const FILE: &str = "hub.db";
/// One script for each version of the schema; `PRAGMA user_version` says how many have run.
const MIGRATIONS: [&str; 1] = [include_str!("schema.sql")];
/// How long opening waits for another hub that has the file open.
const BUSY: Duration = Duration::from_secs(1);
/// SQLite's codes: the file is locked, damaged, or none of its own.
const BUSY_CODE: u32 = 5;
const CORRUPT_CODE: u32 = 11;
const NOT_A_DATABASE: u32 = 26;

/// How much may wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Capacity {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    pub(crate) messages_of_one: u64,
    pub(crate) bytes_of_one: u64,
    /// For one recipient from one depositor.
    pub(crate) messages_between: u64,
    pub(crate) expiry: Duration,
}

/// A message in the store, in the order of arrival.
pub(crate) struct Waiting {
    pub(crate) row: i64,
    pub(crate) mail: Mail,
}

/// What a deposit came to.
pub(crate) enum Deposited {
    New,
    /// The same message waits already.
    Again,
    Refused(Outcome),
}

/// All messages that wait.
pub(crate) struct Store {
    connection: SqliteConnection,
    capacity: Capacity,
    messages: u64,
    bytes: u64,
}

impl Store {
    /// Opens the file in a data directory that exists, or makes it; memory without one.
    pub(crate) async fn open(data: Option<&Path>, capacity: Capacity) -> Result<Self, HubError> {
        let path = data.map_or_else(|| PathBuf::from(":memory:"), |data| data.join(FILE));
        let failed = |reason| HubError::Data { path: path.clone(), reason };
        if data.is_some() {
            make_private(&path).map_err(|error| failed(error.to_string()))?;
        }
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .busy_timeout(BUSY)
            .locking_mode(SqliteLockingMode::Exclusive)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // What was acknowledged is gone, not only forgotten.
            .pragma("secure_delete", "ON")
            .disable_statement_logging();
        let opened = async {
            let mut connection = SqliteConnection::connect_with(&options).await?;
            let is_known = migrate(&mut connection).await?;
            let (messages, bytes) = match is_known {
                true => totals(&mut connection).await?,
                false => (0, 0),
            };
            Ok((is_known, Self { connection, capacity, messages, bytes }))
        };
        match opened.await {
            Ok((true, store)) => Ok(store),
            Ok((false, _)) => Err(failed("it was written by a newer hub: use that one; nothing was changed".into())),
            Err(error) if code(&error) == Some(BUSY_CODE) => Err(HubError::InUse { path }),
            Err(error) => Err(failed(reason(&error))),
        }
    }

    /// Messages that wait, and their bytes.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.messages, self.bytes)
    }

    /// Keeps a message, on the disk when this returns.
    pub(crate) async fn deposit(
        &mut self,
        from: &Identifier,
        to: &Identifier,
        sealed: &[u8],
        now: Timestamp,
    ) -> sqlx::Result<Deposited> {
        let digest = MailId::of(sealed);
        let bytes = sealed.len() as u64;
        let known = sqlx::query("SELECT 1 FROM mail WHERE recipient = ? AND digest = ?")
            .bind(&to.as_bytes()[..])
            .bind(&digest.as_bytes()[..])
            .fetch_optional(&mut self.connection)
            .await?;
        if known.is_some() {
            return Ok(Deposited::Again);
        }
        let of_one = "SELECT COUNT(*), COALESCE(SUM(LENGTH(sealed)), 0), COALESCE(SUM(depositor = ?), 0) \
                      FROM mail WHERE recipient = ?";
        let (messages_of_one, bytes_of_one, between): (i64, i64, i64) = sqlx::query_as(of_one)
            .bind(&from.as_bytes()[..])
            .bind(&to.as_bytes()[..])
            .fetch_one(&mut self.connection)
            .await?;
        let capacity = &self.capacity;
        if self.messages >= capacity.messages || self.bytes + bytes > capacity.bytes {
            return Ok(Deposited::Refused(Outcome::HubFull));
        }
        if between as u64 >= capacity.messages_between {
            return Ok(Deposited::Refused(Outcome::RateLimited));
        }
        if messages_of_one as u64 >= capacity.messages_of_one || bytes_of_one as u64 + bytes > capacity.bytes_of_one {
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

    /// Of the oldest `most` messages for `to`, those behind row `after`.
    pub(crate) async fn waiting(
        &mut self,
        to: &Identifier,
        after: i64,
        most: usize,
        now: Timestamp,
    ) -> sqlx::Result<Vec<Waiting>> {
        let oldest = "SELECT id, deposited, sealed FROM mail WHERE id > ? AND id IN \
                      (SELECT id FROM mail WHERE recipient = ? AND expires > ? ORDER BY id LIMIT ?) ORDER BY id";
        let rows = sqlx::query(oldest)
            .bind(after)
            .bind(&to.as_bytes()[..])
            .bind(seconds(now))
            .bind(most as i64)
            .fetch_all(&mut self.connection)
            .await?;
        rows.iter().map(waiting).collect()
    }

    /// Forgets a message of this recipient's; says whether there was one.
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

    /// Forgets what is too old; says how many.
    pub(crate) async fn expire(&mut self, now: Timestamp) -> sqlx::Result<u64> {
        let deleted =
            sqlx::query("DELETE FROM mail WHERE expires <= ?").bind(seconds(now)).execute(&mut self.connection).await?;
        if deleted.rows_affected() > 0 {
            (self.messages, self.bytes) = totals(&mut self.connection).await?;
        }
        Ok(deleted.rows_affected())
    }

    /// Leaves the file as one whole.
    pub(crate) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the mailbox database was not closed cleanly");
        }
    }
}

fn waiting(row: &SqliteRow) -> sqlx::Result<Waiting> {
    let sealed: Vec<u8> = row.try_get("sealed")?;
    let deposited: i64 = row.try_get("deposited")?;
    let mail = Mail { id: MailId::of(&sealed), deposited: Timestamp(deposited.unsigned_abs()), sealed };
    Ok(Waiting { row: row.try_get("id")?, mail })
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

/// Makes the file before SQLite does, for its owner only; SQLite gives its companions the same permissions.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Brings the schema up to date; says whether it is one that this program knows.
async fn migrate(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let (version,): (i64,) = sqlx::query_as("PRAGMA user_version").fetch_one(&mut *transaction).await?;
    let todo = usize::try_from(version).ok().and_then(|done| MIGRATIONS.get(done..));
    let Some(todo) = todo else { return Ok(false) };
    for script in todo {
        sqlx::raw_sql(*script).execute(&mut *transaction).await?;
    }
    let version = AssertSqlSafe(format!("PRAGMA user_version = {}", MIGRATIONS.len()));
    sqlx::raw_sql(version).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(true)
}

/// SQLite's code for what went wrong.
fn code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error()?.code()?;
    // Extended codes have the plain one in their lowest byte.
    Some(code.parse::<u32>().ok()? & 0xff)
}

/// Why the file cannot be used, for people.
fn reason(error: &sqlx::Error) -> String {
    match code(error) {
        Some(CORRUPT_CODE | NOT_A_DATABASE) => {
            "it is damaged: restore it, or move it away to begin with empty mailboxes".into()
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
