//! Opening the file.

use postern_env::fs;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One migration per schema version; `PRAGMA user_version` counts those that have run.
const MIGRATIONS: [&str; 1] = [include_str!("schema.sql")];
/// How long opening waits for another process that has the file open: enough for one that is just stopping.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes of a page of a new file: three messages of 4 KiB fit one, and a quarter as many pages are written as with SQLite's 4 KiB.
/// A file of before keeps its own.
const PAGE_BYTES: u32 = 16_384;
/// Pages of the write-ahead log before it is merged into the file: 16 MiB, so that a merge covers thousands of messages.
const CHECKPOINT_PAGES: &str = "1024";
/// KiB of pages kept in memory: what the window of one peer takes, so that it is deleted without having to be read.
const CACHE_KIB: &str = "-8192";
/// SQLite's result codes.
const BUSY_CODE: u32 = 5;
const CORRUPT_CODE: u32 = 11;
pub(crate) const FULL_CODE: u32 = 13;
const NOT_A_DATABASE: u32 = 26;

/// Why a file was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it open.
    #[error("the delivery store {} is in use by another process: stop that, or use another file", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It was written by a newer version of the program.
    #[error("the delivery store {} was written by a newer version: use that. Nothing was changed", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// It is damaged, or no database.
    #[error("the delivery store {} is damaged: restore it from a backup, or move it away to begin anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read or written.
    #[error("the delivery store {} cannot be opened: {reason}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

pub(crate) async fn open(path: &Path) -> Result<SqliteConnection, OpenError> {
    let failed = |reason: String| OpenError::Failed { path: path.into(), reason };
    make_private(path).map_err(|error| failed(error.to_string()))?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .page_size(PAGE_BYTES)
        .busy_timeout(LOCK_TIMEOUT)
        .locking_mode(SqliteLockingMode::Exclusive)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .pragma("cache_size", CACHE_KIB)
        .disable_statement_logging();
    let opened = async {
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let is_known = migrate(&mut connection).await?;
        Ok::<_, sqlx::Error>((connection, is_known))
    };
    match opened.await {
        Ok((connection, true)) => Ok(connection),
        Ok((_, false)) => Err(OpenError::Newer { path: path.into() }),
        Err(error) => Err(match code(&error) {
            Some(BUSY_CODE) => OpenError::InUse { path: path.into() },
            Some(CORRUPT_CODE | NOT_A_DATABASE) => OpenError::Damaged { path: path.into() },
            _ => failed(error.to_string()),
        }),
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
///
/// The version is SQLite's `user_version` of the file: a program that has tables of its own there must leave it alone.
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

/// SQLite's primary result code of an error.
pub(crate) fn code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error()?.code()?;
    // An extended code has the primary one in its lowest byte.
    Some(code.parse::<u32>().ok()? & 0xff)
}
