//! Opening the hub's SQLite files: mailboxes and streams, each a file in the data directory, or memory without one.
//!
//! In: a path, the migrations of its schema, and options. Out: a connection that has the file alone, until it is closed. A
//! file that is damaged, newer, or in use is refused and left as it is.

use crate::HubError;
use postern_env::fs;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long opening waits for another hub that has the file open: enough for one that is just stopping.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// SQLite's result codes: the file is locked, corrupt, or not a database.
const BUSY_CODE: u32 = 5;
const CORRUPT_CODE: u32 = 11;
const NOT_A_DATABASE: u32 = 26;

/// A file to open.
pub(crate) struct Database<'a> {
    /// Memory, if there is none.
    pub(crate) path: Option<PathBuf>,
    /// One script for each schema version; `PRAGMA user_version` counts those that have run.
    pub(crate) migrations: &'a [&'static str],
    /// What is lost with the file, for people: "mailboxes".
    pub(crate) content: &'static str,
}

impl Database<'_> {
    /// Opens or creates it, readable by its owner only. `adjust` adds options to those that every file has: alone, with
    /// a write-ahead log, and each commit on the disk.
    pub(crate) async fn open(
        &self,
        adjust: impl FnOnce(SqliteConnectOptions) -> SqliteConnectOptions,
    ) -> Result<SqliteConnection, HubError> {
        let name = self.path.clone().unwrap_or_else(|| ":memory:".into());
        let failed = |reason| HubError::Data { path: name.clone(), reason };
        if let Some(path) = &self.path {
            make_private(path).map_err(|error| failed(error.to_string()))?;
        }
        let options = SqliteConnectOptions::new()
            .filename(&name)
            .busy_timeout(LOCK_TIMEOUT)
            .locking_mode(SqliteLockingMode::Exclusive)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging();
        let opened = async {
            let mut connection = SqliteConnection::connect_with(&adjust(options)).await?;
            Ok((migrate(&mut connection, self.migrations).await?, connection))
        };
        match opened.await {
            Ok((true, connection)) => Ok(connection),
            Ok((false, _)) => {
                Err(failed("it was written by a newer hub; use that version. Nothing was changed".into()))
            }
            Err(error) => Err(self.error(&error)),
        }
    }

    /// Why the file cannot be used.
    pub(crate) fn error(&self, error: &sqlx::Error) -> HubError {
        let path = self.path.clone().unwrap_or_else(|| ":memory:".into());
        match code(error) {
            Some(BUSY_CODE) => HubError::InUse { path },
            Some(CORRUPT_CODE | NOT_A_DATABASE) => {
                let reason = format!("it is damaged; restore it, or move it away to start with empty {}", self.content);
                HubError::Data { path, reason }
            }
            _ => HubError::Data { path, reason: error.to_string() },
        }
    }
}

/// Creates the file before SQLite does, readable by its owner only; SQLite gives the write-ahead log the same permissions.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = fs::options();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    fs::open_with(&options, path).map(drop)
}

/// Runs the migrations that are missing; returns whether the schema is one that this program knows.
async fn migrate(connection: &mut SqliteConnection, migrations: &[&'static str]) -> sqlx::Result<bool> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let (version,): (i64,) = sqlx::query_as("PRAGMA user_version").fetch_one(&mut *transaction).await?;
    let todo = usize::try_from(version).ok().and_then(|done| migrations.get(done..));
    let Some(todo) = todo else { return Ok(false) };
    for script in todo {
        sqlx::raw_sql(*script).execute(&mut *transaction).await?;
    }
    let version = AssertSqlSafe(format!("PRAGMA user_version = {}", migrations.len()));
    sqlx::raw_sql(version).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(true)
}

/// SQLite's primary result code of an error.
fn code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error()?.code()?;
    // An extended code has the primary one in its lowest byte.
    Some(code.parse::<u32>().ok()? & 0xff)
}
