//! The task that owns the connection, and writes what waits for it together.

use crate::file::{FULL_CODE, code};
use crate::records::Records;
use crate::transaction::SqliteTransaction;
use postern_node::identity::Identifier;
use postern_node::reliable::{
    Appended, Draft, Epoch, Incoming, Outgoing, Progress, Stamp, StoreError, StoredMessage, Usage,
};
use sqlx::{Connection, SqliteConnection};
use std::collections::VecDeque;
use tokio::sync::{mpsc, oneshot};

/// Commands that one transaction does: chosen; a sync is then a small part of its cost.
const BATCH_MAX: usize = 64;

pub(crate) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// What is asked of the owner.
pub(crate) enum Command {
    Peers(Answer<Vec<Identifier>>),
    Outgoing(Identifier, Answer<Outgoing>),
    Append(Identifier, Vec<Vec<Draft>>, Answer<Appended>),
    Read { peer: Identifier, after: u64, messages: usize, bytes: usize, answer: Answer<Vec<StoredMessage>> },
    Stamp(Identifier, u64, Answer<Option<Stamp>>),
    Acknowledge(Identifier, u64, Stamp, Answer<Usage>),
    NewEpoch(Identifier, Answer<Outgoing>),
    Incoming(Identifier, Epoch, Answer<Incoming>),
    Commit(Commit, Answer<Vec<u64>>),
    Sync(Answer<()>),
    Begin(Answer<SqliteTransaction>),
    Close(Answer<()>),
}

/// What is written when a message was handled.
#[derive(Default)]
pub(crate) struct Commit {
    pub(crate) progress: Option<Progress>,
    pub(crate) drafts: Vec<Draft>,
}

/// A connection that comes back, and what to do with its transaction.
pub(crate) struct Returned {
    pub(crate) connection: SqliteConnection,
    pub(crate) commit: Option<(Commit, Answer<Vec<u64>>)>,
}

/// How much a command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Effort {
    /// One statement, or none that writes.
    Single,
    /// Several statements that belong together.
    Transaction,
    /// The same, and it is to survive a loss of power.
    Synced,
}

impl Command {
    fn effort(&self) -> Effort {
        match self {
            Self::Append(..) | Self::NewEpoch(..) | Self::Sync(_) | Self::Outgoing(..) => Effort::Synced,
            Self::Acknowledge(..) => Effort::Transaction,
            Self::Commit(commit, _) if !commit.drafts.is_empty() => Effort::Transaction,
            _ => Effort::Single,
        }
    }
}

/// An answer that is given when the transaction is committed; if it is not, the error is.
type Pending = Box<dyn FnOnce(Option<&sqlx::Error>) + Send>;

pub(crate) struct Owner {
    /// Away while it is lent.
    connection: Option<SqliteConnection>,
    records: Records,
    /// Whether commits are synced now.
    is_full: bool,
    /// Commands that one transaction does: one after the disk was found full, so that what needs no room is not refused with what
    /// does; twice as many after each that succeeds.
    batch_max: usize,
}

impl Owner {
    pub(crate) fn new(connection: SqliteConnection, capacity: Usage) -> Self {
        Self { connection: Some(connection), records: Records::new(capacity), is_full: true, batch_max: BATCH_MAX }
    }

    pub(crate) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut waiting = VecDeque::new();
        while let Some(command) = commands.recv().await {
            waiting.push_back(command);
            while waiting.len() < BATCH_MAX
                && let Ok(more) = commands.try_recv()
            {
                waiting.push_back(more);
            }
            while let Some(command) = waiting.pop_front() {
                match command {
                    Command::Begin(answer) => self.lend(answer).await,
                    Command::Close(answer) => {
                        self.close().await;
                        let _ = answer.send(Ok(()));
                        return;
                    }
                    first => {
                        let mut batch = vec![first];
                        while batch.len() < self.batch_max
                            && let Some(next) =
                                waiting.pop_front_if(|next| !matches!(next, Command::Begin(_) | Command::Close(_)))
                        {
                            batch.push(next);
                        }
                        self.execute(batch).await;
                    }
                }
                if self.connection.is_none() {
                    return tracing::error!(
                        "a transaction of the delivery store was not given back; the store is closed"
                    );
                }
            }
        }
        self.close().await;
    }

    async fn close(&mut self) {
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the delivery store was not closed cleanly; the next start recovers its write-ahead log");
        }
    }

    /// Does commands in one transaction, if they need one.
    async fn execute(&mut self, batch: Vec<Command>) {
        let Self { connection: Some(connection), records, is_full, batch_max } = self else { return };
        let effort = match batch.len() {
            1 => batch.first().map_or(Effort::Single, Command::effort),
            _ => batch.iter().map(Command::effort).max().map_or(Effort::Single, |most| most.max(Effort::Transaction)),
        };
        let mut pending: Vec<Pending> = Vec::with_capacity(batch.len());
        let done = async {
            begin(connection, is_full, effort).await?;
            let mut commands = batch.into_iter();
            for command in commands.by_ref() {
                let (failed, answer) = do_command(connection, records, command).await;
                pending.push(answer);
                if let Some(error) = failed {
                    pending.extend(commands.map(refusal));
                    return Err(error);
                }
            }
            if effort > Effort::Single {
                sqlx::query("COMMIT").execute(&mut *connection).await?;
            }
            Ok(())
        };
        let result: sqlx::Result<()> = done.await;
        *batch_max = (2 * *batch_max).min(BATCH_MAX);
        if let Err(error) = &result {
            let code = code(error);
            *batch_max = if code == Some(FULL_CODE) { 1 } else { *batch_max };
            roll_back(connection, records, code).await;
        }
        pending.into_iter().for_each(|answer| answer(result.as_ref().err()));
    }

    /// Lends the connection for a transaction and waits until it is back.
    async fn lend(&mut self, answer: Answer<SqliteTransaction>) {
        let Some(mut connection) = self.connection.take() else { return };
        if let Err(error) = begin(&mut connection, &mut self.is_full, Effort::Transaction).await {
            self.connection = Some(connection);
            let _ = answer.send(Err(store_error(&error)));
            return;
        }
        let (back, returned) = oneshot::channel();
        // If nobody waits for it any more, it comes back at once.
        drop(answer.send(Ok(SqliteTransaction::lend(connection, back))));
        let Ok(Returned { mut connection, commit }) = returned.await else { return };
        match commit {
            Some((commit, answer)) => {
                let result = self.finish(&mut connection, commit).await;
                if let Err(error) = &result {
                    let code = matches!(error, StoreError::DiskFull).then_some(FULL_CODE);
                    roll_back(&mut connection, &mut self.records, code).await;
                }
                let _ = answer.send(result);
            }
            None => roll_back(&mut connection, &mut self.records, None).await,
        }
        self.connection = Some(connection);
    }

    async fn finish(&mut self, connection: &mut SqliteConnection, commit: Commit) -> Result<Vec<u64>, StoreError> {
        let sequences = self.records.commit(connection, commit).await.map_err(|error| store_error(&error))??;
        sqlx::query("COMMIT").execute(connection).await.map_err(|error| store_error(&error))?;
        Ok(sequences)
    }
}

/// Undoes a transaction because of an error with this code, if there was one.
async fn roll_back(connection: &mut SqliteConnection, records: &mut Records, code: Option<u32>) {
    records.forget();
    // Some errors have ended the transaction already.
    let _ = sqlx::query("ROLLBACK").execute(&mut *connection).await;
    if code == Some(FULL_CODE) {
        // What the write-ahead log takes may be all that is missing, even to delete what was acknowledged.
        let _ = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(connection).await;
    }
}

/// Begins what so much effort needs, by one statement at most: each costs two changes of thread.
async fn begin(connection: &mut SqliteConnection, is_full: &mut bool, effort: Effort) -> sqlx::Result<()> {
    let wants_full = effort == Effort::Synced;
    let statement = match (*is_full == wants_full, wants_full, effort > Effort::Single) {
        (true, _, false) => return Ok(()),
        (true, _, true) => "BEGIN IMMEDIATE",
        (false, true, _) => "PRAGMA synchronous = FULL; BEGIN IMMEDIATE",
        (false, false, true) => "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE",
        (false, false, false) => "PRAGMA synchronous = NORMAL",
    };
    let begun = sqlx::query(statement).execute(connection).await;
    // After a failure it is not known; to set it again is safe.
    *is_full = wants_full && begun.is_ok();
    begun.map(drop)
}

/// Executes a command; what it has come to is told later.
async fn do_command(
    connection: &mut SqliteConnection,
    records: &mut Records,
    command: Command,
) -> (Option<sqlx::Error>, Pending) {
    match command {
        Command::Peers(answer) => outcome(records.peers(connection).await.map(Ok), answer),
        Command::Outgoing(peer, answer) => outcome(records.outgoing(connection, &peer).await.map(Ok), answer),
        Command::Append(peer, groups, answer) => outcome(records.append(connection, &peer, groups).await, answer),
        Command::Read { peer, after, messages, bytes, answer } => {
            outcome(records.read(connection, &peer, after, messages, bytes).await.map(Ok), answer)
        }
        Command::Stamp(peer, sequence, answer) => {
            outcome(records.stamp(connection, &peer, sequence).await.map(Ok), answer)
        }
        Command::Acknowledge(peer, sequence, stamp, answer) => {
            outcome(records.acknowledge(connection, &peer, sequence, stamp).await.map(Ok), answer)
        }
        Command::NewEpoch(peer, answer) => outcome(records.new_epoch(connection, &peer).await.map(Ok), answer),
        Command::Incoming(peer, epoch, answer) => {
            outcome(records.incoming(connection, &peer, &epoch).await.map(Ok), answer)
        }
        Command::Commit(commit, answer) => outcome(records.commit(connection, commit).await, answer),
        Command::Sync(answer) => outcome(records.touch(connection).await.map(Ok), answer),
        Command::Begin(answer) => refused(answer),
        Command::Close(answer) => refused(answer),
    }
}

/// The answer to a command that was not executed because one before it failed.
fn refusal(command: Command) -> Pending {
    let (_, pending) = match command {
        Command::Peers(answer) => refused(answer),
        Command::Outgoing(_, answer) | Command::NewEpoch(_, answer) => refused(answer),
        Command::Append(_, _, answer) => refused(answer),
        Command::Read { answer, .. } => refused(answer),
        Command::Stamp(_, _, answer) => refused(answer),
        Command::Acknowledge(_, _, _, answer) => refused(answer),
        Command::Incoming(_, _, answer) => refused(answer),
        Command::Commit(_, answer) => refused(answer),
        Command::Sync(answer) | Command::Close(answer) => refused(answer),
        Command::Begin(answer) => refused(answer),
    };
    pending
}

fn refused<T: Send + 'static>(answer: Answer<T>) -> (Option<sqlx::Error>, Pending) {
    outcome(Ok(Err(StoreError::failed("the delivery store could not begin"))), answer)
}

fn outcome<T: Send + 'static>(
    result: sqlx::Result<Result<T, StoreError>>,
    answer: Answer<T>,
) -> (Option<sqlx::Error>, Pending) {
    let (failed, result) = match result {
        Ok(result) => (None, Some(result)),
        Err(error) => (Some(error), None),
    };
    let pending = move |failed: Option<&sqlx::Error>| {
        let result = match (failed, result) {
            (None, Some(result)) => result,
            (Some(error), _) => Err(store_error(error)),
            (None, None) => Err(StoreError::failed("the delivery store failed")),
        };
        let _ = answer.send(result);
    };
    (failed, Box::new(pending))
}

fn store_error(error: &sqlx::Error) -> StoreError {
    match code(error) {
        Some(FULL_CODE) => StoreError::DiskFull,
        _ => StoreError::failed(error.to_string()),
    }
}
