//! The file `streams.db`: the catalog of streams, the records of the embedded service, and where clients have stopped.
//!
//! ```text
//! partitions, services ── commands ─► task ─► SQLite      the task owns the connection and all accounts of bytes
//! ```
//!
//! When a request is answered, its change is on the disk. Appends that wait together are committed together, so that many
//! partitions share the cost of one write to the disk. Without a data directory, all is in memory.

mod catalog;
mod places;
mod records;

pub(crate) use catalog::CatalogEntry;

use super::settings::Quotas;
use super::storage::{Batch, Extent, NewStream, Pending, Place, Result, StorageError};
use crate::HubError;
use crate::sqlite::Database;
use places::Unsaved;
use postern_env::task::{self, JoinHandle};
use postern_env::time::{self, Duration};
use postern_node::identity::{Identifier, Timestamp};
use records::{Accounts, LogUsage};
use sqlx::sqlite::SqliteAutoVacuum;
use sqlx::{Connection, SqliteConnection};
use std::path::Path;
use tokio::sync::{mpsc, oneshot};

/// The file, in the data directory.
const FILE: &str = "streams.db";
/// One migration for each schema version.
const MIGRATIONS: [&str; 1] = [include_str!("database/schema.sql")];
/// Commands that wait for the task; more are refused as unavailable.
const COMMANDS: usize = 1_024;
/// Bytes of appends that one transaction takes: chosen, so that others do not wait for a long one.
const TRANSACTION_BYTES: usize = 4 * 1024 * 1024;
/// How often old records are deleted. They live for days, so ten minutes more do not matter to anybody.
const SWEEP_INTERVAL: Duration = Duration::from_secs(600);

/// A handle to the file. It is closed when the last one is dropped.
#[derive(Clone)]
pub(crate) struct StreamDatabase {
    commands: mpsc::Sender<Command>,
}

type Reply<T> = oneshot::Sender<Result<T>>;

enum Command {
    Append(Append),
    Read { log: i64, from: u64, extent: Extent, reply: Reply<Option<Batch>> },
    Catalog { service: &'static str, reply: Reply<Vec<CatalogEntry>> },
    AddStream { service: &'static str, stream: NewStream, reply: Reply<Vec<i64>> },
    DeleteStream { service: &'static str, name: String, reply: Reply<()> },
    SetUsed { service: &'static str, used: Vec<(String, Timestamp)>, reply: Reply<()> },
    Share { service: &'static str, name: String, identities: Vec<Identifier>, reply: Reply<()> },
    GetPlace { place: Place, reply: Reply<Option<u64>> },
    SavePlace { place: Place, index: u64 },
}

/// Records for one log.
struct Append {
    log: i64,
    records: Vec<Vec<u8>>,
    /// Gets the index of the last.
    reply: Reply<u64>,
}

impl Append {
    fn bytes(&self) -> usize {
        self.records.iter().map(Vec::len).sum()
    }
}

impl StreamDatabase {
    /// Opens or creates the file in a data directory, which must exist; stores in memory without one. The task ends when
    /// the last handle is dropped.
    pub(crate) async fn open(data: Option<&Path>, quotas: Quotas) -> Result<(Self, JoinHandle<()>), HubError> {
        let file = Database { path: data.map(|data| data.join(FILE)), migrations: &MIGRATIONS, content: "streams" };
        let adjust = |options: sqlx::sqlite::SqliteConnectOptions| {
            options.auto_vacuum(SqliteAutoVacuum::Incremental).foreign_keys(true)
        };
        let mut connection = file.open(adjust).await?;
        let accounts = Accounts::load(&mut connection, quotas).await.map_err(|error| file.error(&error))?;
        let (commands, received) = mpsc::channel(COMMANDS);
        let task = DatabaseTask { connection, accounts, unsaved: Unsaved::default() };
        Ok((Self { commands }, task::spawn(task.run(received))))
    }

    /// Appends at once, behind earlier calls; the work ends when the records are on the disk.
    pub(crate) fn append(&self, log: i64, records: Vec<Vec<u8>>) -> Pending<u64> {
        self.request_at_once(|reply| Command::Append(Append { log, records, reply }))
    }

    /// Reads records from an index; as [`Log::read`](super::storage::Log::read).
    pub(crate) async fn read(&self, log: i64, from: u64, extent: Extent) -> Result<Option<Batch>> {
        self.request(|reply| Command::Read { log, from, extent, reply }).await
    }

    /// All streams of a service.
    pub(crate) async fn catalog(&self, service: &'static str) -> Result<Vec<CatalogEntry>> {
        self.request(|reply| Command::Catalog { service, reply }).await
    }

    /// Adds a stream to the catalog; the ids of its logs.
    pub(crate) async fn add_stream(&self, service: &'static str, stream: NewStream) -> Result<Vec<i64>> {
        self.request(|reply| Command::AddStream { service, stream, reply }).await
    }

    /// Removes a stream with its records.
    pub(crate) async fn delete_stream(&self, service: &'static str, name: String) -> Result<()> {
        self.request(|reply| Command::DeleteStream { service, name, reply }).await
    }

    /// Remembers when streams were used.
    pub(crate) async fn set_used(&self, service: &'static str, used: Vec<(String, Timestamp)>) -> Result<()> {
        self.request(|reply| Command::SetUsed { service, used, reply }).await
    }

    /// Lets more identities use a stream.
    pub(crate) async fn share(&self, service: &'static str, name: String, with: Vec<Identifier>) -> Result<()> {
        self.request(|reply| Command::Share { service, name, identities: with, reply }).await
    }

    /// What was saved for a place.
    pub(crate) fn place(&self, place: Place) -> Pending<Option<u64>> {
        self.request_at_once(|reply| Command::GetPlace { place, reply })
    }

    /// Saves a place, before later calls.
    pub(crate) fn save_place(&self, place: Place, index: u64) -> Result<()> {
        self.commands.try_send(Command::SavePlace { place, index }).map_err(refused)
    }

    async fn request<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T> {
        let (reply, replied) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| stopped())?;
        replied.await.unwrap_or_else(|_| Err(stopped()))
    }

    fn request_at_once<T: Send + 'static>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Pending<T> {
        let (reply, replied) = oneshot::channel();
        let sent = self.commands.try_send(command(reply)).map_err(refused);
        Box::pin(async move {
            sent?;
            replied.await.unwrap_or_else(|_| Err(stopped()))
        })
    }
}

fn refused(error: mpsc::error::TrySendError<Command>) -> StorageError {
    match error {
        mpsc::error::TrySendError::Full(_) => {
            StorageError::unavailable("the hub's disk is busy; try again in a second")
        }
        mpsc::error::TrySendError::Closed(_) => stopped(),
    }
}

fn stopped() -> StorageError {
    StorageError::unavailable("the hub is stopping; try again when it is back")
}

/// The state of the file, owned by its only task.
struct DatabaseTask {
    connection: SqliteConnection,
    accounts: Accounts,
    unsaved: Unsaved,
}

impl DatabaseTask {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut sweep = time::interval(SWEEP_INTERVAL);
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.handle_with_waiting(command, &mut commands).await,
                    None => break,
                },
                () = self.unsaved.due() => self.write_places().await,
                _ = sweep.tick() => self.sweep().await,
            }
        }
        self.write_places().await;
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the stream database was not closed cleanly; the next start recovers its write-ahead log");
        }
    }

    /// Handles a command, and appends that wait behind it in the same transaction.
    async fn handle_with_waiting(&mut self, command: Command, commands: &mut mpsc::Receiver<Command>) {
        let Command::Append(append) = command else { return self.handle(command).await };
        let mut bytes = append.bytes();
        let mut appends = vec![append];
        while bytes < TRANSACTION_BYTES {
            match commands.try_recv() {
                Ok(Command::Append(append)) => {
                    bytes += append.bytes();
                    appends.push(append);
                }
                Ok(other) => {
                    self.append(appends).await;
                    return self.handle(other).await;
                }
                Err(_) => break,
            }
        }
        self.append(appends).await;
    }

    /// Commits appends together; if that fails, none is stored.
    async fn append(&mut self, appends: Vec<Append>) {
        let before: Vec<(i64, LogUsage)> =
            appends.iter().filter_map(|append| Some((append.log, self.accounts.usage(append.log)?))).collect();
        match self.append_in_transaction(&appends).await {
            Ok(results) => {
                appends.into_iter().zip(results).for_each(|(append, result)| drop(append.reply.send(result)));
            }
            Err(error) => {
                let failed = failed(&error);
                before.into_iter().rev().for_each(|(log, usage)| self.accounts.set(log, usage));
                appends.into_iter().for_each(|append| drop(append.reply.send(Err(failed.clone()))));
            }
        }
    }

    async fn append_in_transaction(&mut self, appends: &[Append]) -> sqlx::Result<Vec<Result<u64>>> {
        let now = Timestamp::now();
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let mut results = Vec::with_capacity(appends.len());
        for append in appends {
            results.push(records::append(&mut transaction, &mut self.accounts, append, now).await?);
        }
        transaction.commit().await?;
        Ok(results)
    }

    async fn handle(&mut self, command: Command) {
        let connection = &mut self.connection;
        match command {
            Command::Append(append) => self.append(vec![append]).await,
            Command::Read { log, from, extent, reply } => {
                let usage = self.accounts.usage(log);
                answer(reply, records::read(connection, log, usage, from, extent).await);
            }
            Command::Catalog { service, reply } => answer(reply, catalog::load(connection, service).await),
            Command::AddStream { service, stream, reply } => {
                let added = catalog::add(connection, service, &stream, Timestamp::now()).await;
                if let Ok(logs) = &added {
                    logs.iter().for_each(|log| self.accounts.open(*log, stream.owner, stream.partitions));
                }
                answer(reply, added);
            }
            Command::DeleteStream { service, name, reply } => {
                let deleted = catalog::delete(connection, service, &name).await;
                answer(reply, deleted.map(|logs| logs.iter().for_each(|log| self.accounts.close(*log))));
            }
            Command::SetUsed { service, used, reply } => {
                answer(reply, catalog::set_used(connection, service, &used).await);
            }
            Command::Share { service, name, identities, reply } => {
                answer(reply, catalog::share(connection, service, &name, &identities).await);
            }
            Command::GetPlace { place, reply } => answer(reply, self.unsaved.get(connection, &place).await),
            Command::SavePlace { place, index } => {
                if self.unsaved.insert(place, index) {
                    self.write_places().await;
                }
            }
        }
    }

    async fn write_places(&mut self) {
        if let Err(error) = self.unsaved.write(&mut self.connection).await {
            failed(&error);
        }
    }

    async fn sweep(&mut self) {
        let oldest = Timestamp(Timestamp::now().0.saturating_sub(self.accounts.expiry().as_secs()));
        let swept = async {
            records::expire(&mut self.connection, &mut self.accounts, oldest).await?;
            places::expire(&mut self.connection, oldest).await?;
            sqlx::raw_sql("PRAGMA incremental_vacuum").execute(&mut self.connection).await
        };
        if let Err(error) = swept.await {
            failed(&error);
        }
    }
}

fn answer<T>(reply: Reply<T>, result: sqlx::Result<T>) {
    // The requester may have given up.
    let _ = reply.send(result.map_err(|error| failed(&error)));
}

/// SQLite's integers are signed.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Logs what failed, and says what the client is told: not the error, which may name the hub's files.
fn failed(error: &sqlx::Error) -> StorageError {
    tracing::error!(%error, "the stream database failed; the request is refused as unavailable");
    StorageError::unavailable("the hub's disk failed (see the hub's log); try again later")
}

#[cfg(test)]
mod tests;
