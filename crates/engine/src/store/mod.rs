//! The store: one SQLite database in the data directory, with records, the audit log and settings.
//!
//! ```text
//! Change ────────► save ──┐ one transaction, on disk when it returns        ┌─► load ─► State
//! AuditEvent ─► append ───┴─► postern.db (records, audit log: a hash chain) ┴─► audit_log::Reader ─► frontends
//! ```
//!
//! A database of a newer version is refused and left as it is. A damaged one is renamed, never deleted and never written to
//! again. Only its owner can read the file.

pub(crate) mod audit_log;
mod error;
mod log_protection;
mod records;

use crate::api::{AuditEvent, Code, Fault, UnixMillis};
use crate::core::{Change, Record, RecordKey, TicketSecret};
pub(crate) use audit_log::anchor::AnchorState;
pub(crate) use error::StoreError;
use log_protection::LogState;
pub(crate) use log_protection::{LOG_KEY, anchor_restored};
use postern_env::fs;
use postern_node::sealed::SelfSealingKey;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};
use std::path::{Path, PathBuf};

/// The database file, in the data directory.
pub(crate) const FILE: &str = "postern.db";
/// Suffixes of the files that SQLite keeps: the database, its write-ahead log and its shared memory.
const COMPANIONS: [&str; 3] = ["", "-wal", "-shm"];
/// One script for each version of the schema; `PRAGMA user_version` says how many have run.
const MIGRATIONS: [&str; 4] = [
    include_str!("schema.sql"),
    include_str!("sealed.sql"),
    include_str!("histories.sql"),
    include_str!("log_key.sql"),
];
/// The setting that says that no secret is stored in plaintext any more.
const SEALED: &str = "secrets-sealed";

/// The open database. There is one in the process, and nothing else writes to the file.
pub(crate) struct Store {
    connection: SqliteConnection,
    path: PathBuf,
    /// The key that encrypts secrets; nothing before the identity is loaded.
    key: Option<SelfSealingKey>,
    /// The end of the audit log's hash chain, and what protects it.
    log: LogState,
}

/// What opening found.
pub(crate) struct OpenedStore {
    pub(crate) store: Store,
    pub(crate) records: Vec<Record>,
    /// What was found damaged, for the user.
    pub(crate) damage: Option<Fault>,
}

impl Store {
    /// Opens the database in a data directory that exists, or creates it.
    pub(crate) async fn open(data_dir: &Path, now: UnixMillis) -> Result<OpenedStore, Fault> {
        let path = data_dir.join(FILE);
        match Self::open_file(&path).await {
            Ok(opened) => Ok(opened),
            Err(StoreError::Damaged) => {
                let aside = set_aside(&path, "damaged", now).map_err(|error| StoreError::from(error).fault(&path))?;
                let mut opened = Self::open_file(&path).await.map_err(|error| error.fault(&path))?;
                opened.damage = Some(Fault::new(
                    Code::DamagedData,
                    format!(
                        "The stored data was damaged. It was kept as {} and Postern began anew, as the same person. \
                         Restore a backup to have your services and portals again.",
                        aside.display()
                    ),
                ));
                Ok(opened)
            }
            Err(error) => Err(error.fault(&path)),
        }
    }

    async fn open_file(path: &Path) -> Result<OpenedStore, StoreError> {
        make_private(path)?;
        let mut connection = connect(path).await?;
        migrate(&mut connection).await?;
        let (health,): (String,) = sqlx::query_as("PRAGMA quick_check(1)").fetch_one(&mut connection).await?;
        if health != "ok" {
            drop(connection.close().await);
            return Err(StoreError::Damaged);
        }
        let (records, unreadable) = records::load(&mut connection).await?;
        let damage = (unreadable > 0).then(|| {
            Fault::new(
                Code::DamagedData,
                format!("{unreadable} stored entries cannot be read and were left as they are. Update Postern."),
            )
        });
        let log = LogState::open(&mut connection, path).await?;
        Ok(OpenedStore { store: Self { connection, path: path.to_owned(), key: None, log }, records, damage })
    }

    /// Writes changes and audit entries in one transaction; when this returns they are on disk.
    pub(crate) async fn save(
        &mut self,
        changes: &[Change],
        audit: &[(UnixMillis, AuditEvent)],
    ) -> Result<(), StoreError> {
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        for change in changes {
            records::apply(&mut transaction, self.key.as_ref(), change).await?;
        }
        let mut last = self.log.last.clone();
        for (at, event) in audit {
            last = audit_log::append(&mut transaction, self.log.key(), &last, *at, event).await?;
        }
        transaction.commit().await?;
        self.log.last = last;
        Ok(())
    }

    /// Opens the database again after a failed write, because a transaction that SQLite itself has rolled back leaves the connection
    /// unusable.
    pub(crate) async fn reconnect(&mut self) -> Result<(), StoreError> {
        // Before the old connection is closed: the last one to close would delete the write-ahead log, which then needs space again.
        let connection = connect(&self.path).await?;
        let old = std::mem::replace(&mut self.connection, connection);
        // What a failed connection says at its end is of no use.
        drop(old.close().await);
        Ok(())
    }

    /// Sets the key that encrypts secrets, and decrypts those that are stored. Plaintext of an older version is encrypted first,
    /// and wiped from the file.
    pub(crate) async fn unlock(&mut self, key: SelfSealingKey) -> Result<Vec<(RecordKey, TicketSecret)>, StoreError> {
        if self.setting(SEALED).await?.is_none() {
            let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
            records::seal(&mut transaction, &key).await?;
            transaction.commit().await?;
            // Free pages and the write-ahead log would still contain the plaintext.
            sqlx::raw_sql("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut self.connection).await?;
            self.set(SEALED, "1").await?;
        }
        let secrets = records::secrets(&mut self.connection, &key).await?;
        self.key = Some(key);
        Ok(secrets)
    }

    /// The value of a setting.
    pub(crate) async fn setting(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        let value = "SELECT value FROM setting WHERE name = ?";
        let row: Option<(String,)> = sqlx::query_as(value).bind(name).fetch_optional(&mut self.connection).await?;
        Ok(row.map(|(value,)| value))
    }

    /// Stores a setting.
    pub(crate) async fn set(&mut self, name: &str, value: &str) -> Result<(), StoreError> {
        let set = "INSERT INTO setting VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value";
        sqlx::query(set).bind(name).bind(value).execute(&mut self.connection).await?;
        Ok(())
    }

    /// Writes a copy of the whole database to a path where no file exists yet.
    pub(crate) async fn copy_to(&mut self, path: &Path) -> Result<(), StoreError> {
        let path = path.to_string_lossy().into_owned();
        sqlx::query("VACUUM INTO ?").bind(path).execute(&mut self.connection).await?;
        Ok(())
    }

    pub(crate) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the database was not closed cleanly; SQLite recovers it at the next start");
        }
    }
}

async fn connect(path: &Path) -> Result<SqliteConnection, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("secure_delete", "ON")
        .disable_statement_logging();
    Ok(SqliteConnection::connect_with(&options).await?)
}

/// Creates the file before SQLite does, readable by its owner only; SQLite gives its other files the same permissions.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = fs::options();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    fs::open_with(&options, path)?;
    Ok(())
}

async fn migrate(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let (version,): (i64,) = sqlx::query_as("PRAGMA user_version").fetch_one(&mut *transaction).await?;
    let done = usize::try_from(version).map_err(|_| StoreError::Damaged)?;
    let Some(todo) = MIGRATIONS.get(done..) else { return Err(StoreError::Newer) };
    for script in todo {
        sqlx::raw_sql(*script).execute(&mut *transaction).await?;
    }
    if !todo.is_empty() {
        let version = AssertSqlSafe(format!("PRAGMA user_version = {}", MIGRATIONS.len()));
        sqlx::raw_sql(version).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Renames a database and SQLite's other files, with the reason (`damaged`, `unused`) in the name.
pub(crate) fn set_aside(path: &Path, reason: &str, now: UnixMillis) -> std::io::Result<PathBuf> {
    let seconds = now.0 / 1000;
    let free = |number: u64| {
        let name = if number == 0 {
            format!("{FILE}.{reason}-{seconds}")
        } else {
            format!("{FILE}.{reason}-{seconds}-{number}")
        };
        Some(path.with_file_name(name)).filter(|aside| fs::metadata(aside).is_err())
    };
    let aside = (0..).find_map(free).unwrap_or_else(|| path.to_owned());
    for companion in COMPANIONS {
        let [from, to] = [path, &aside].map(|path| {
            let mut name = path.as_os_str().to_owned();
            name.push(companion);
            PathBuf::from(name)
        });
        match fs::rename(from, to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(aside)
}

#[cfg(test)]
mod tests;
