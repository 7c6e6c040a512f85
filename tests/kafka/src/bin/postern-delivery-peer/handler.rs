//! The two kinds of handlers: one whose effect is in the store's transaction, and one whose effect is in a file.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use postern_delivery_store::SqliteDeliveryStore;
use postern_node::WorkerError;
use postern_node::reliable::{DeliveryStore, Handler, Received};
use sqlx::Row;

use crate::traffic::Traffic;

/// How many effects there are, those of earlier runs included.
#[derive(Clone, Default)]
pub(crate) struct Effects(Arc<AtomicU64>);

impl Effects {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Writes the number of each message into a table, through the transaction that marks it as handled.
#[derive(Clone)]
pub(crate) struct Transactional {
    traffic: Traffic,
    effects: Effects,
    /// Which of the two programs this is, as soon as the first message has told.
    accepts: Option<bool>,
}

impl Transactional {
    pub(crate) async fn open(store: &SqliteDeliveryStore, traffic: Traffic, effects: Effects) -> Result<Self> {
        let mut setup = store.transaction().await?;
        // No uniqueness: an effect that takes place twice must be seen.
        let table = "CREATE TABLE IF NOT EXISTS effects (place INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER NOT NULL) STRICT";
        sqlx::query(table).execute(setup.connection()).await?;
        setup.commit().await?;
        effects.0.store(self::effects(store).await?.0, Ordering::Relaxed);
        Ok(Self { traffic, effects, accepts: None })
    }
}

impl Handler<SqliteDeliveryStore> for Transactional {
    async fn handle(&mut self, message: &mut Received<'_, SqliteDeliveryStore>) -> Result<(), WorkerError> {
        let number = check(self.traffic, &mut self.accepts, message.body())?;
        let transaction = message.transaction().await?;
        let insert = sqlx::query("INSERT INTO effects (number) VALUES (?)").bind(number as i64);
        insert.execute(transaction.connection()).await?;
        // Numbers are 1, 2, …: the last one is how many there are.
        self.effects.0.store(number, Ordering::Relaxed);
        Ok(())
    }
}

/// What the transactional handler has done: how many effects, and whether they are 1, 2, 3, ….
pub(crate) async fn effects(store: &SqliteDeliveryStore) -> Result<(u64, bool)> {
    let mut transaction = store.transaction().await?;
    // Places have no holes: a transaction that did not take place gives its place to the next.
    let query = "SELECT count(*), count(*) FILTER (WHERE number <> place) FROM effects";
    let row = sqlx::query(query).fetch_one(transaction.connection()).await?;
    let (count, elsewhere): (i64, i64) = (row.get(0), row.get(1));
    Ok((count as u64, elsewhere == 0))
}

/// Writes a line for each call, which is there as soon as it is written: a number, and whether it was delivered before.
#[derive(Clone)]
pub(crate) struct Plain {
    traffic: Traffic,
    effects: Effects,
    accepts: Option<bool>,
    file: Arc<File>,
    die_at: Option<u64>,
}

impl Plain {
    pub(crate) fn open(path: &Path, traffic: Traffic, effects: Effects, die_at: Option<u64>) -> Result<Self> {
        let file = File::options().create(true).append(true).open(path).context("Failed to open the effects")?;
        let lines = std::fs::read_to_string(path).context("Failed to read the effects")?.lines().count();
        effects.0.store(lines as u64, Ordering::Relaxed);
        Ok(Self { traffic, effects, accepts: None, file: Arc::new(file), die_at })
    }
}

impl<S: DeliveryStore> Handler<S> for Plain {
    async fn handle(&mut self, message: &mut Received<'_, S>) -> Result<(), WorkerError> {
        let number = check(self.traffic, &mut self.accepts, message.body())?;
        let redelivered = message.redelivered();
        (&*self.file).write_all(format!("{number} {redelivered}\n").as_bytes())?;
        self.effects.0.fetch_add(1, Ordering::Relaxed);
        if self.die_at == Some(number) && !redelivered {
            // Between the effect and the mark.
            std::process::abort();
        }
        Ok(())
    }
}

/// The number of a message, whose every byte must be what was sent.
fn check(traffic: Traffic, accepts: &mut Option<bool>, body: &[u8]) -> Result<u64, WorkerError> {
    let candidates = accepts.map_or(vec![false, true], |accepts| vec![accepts]);
    let found = candidates.into_iter().find_map(|sender| Some((sender, traffic.number(sender, body)?)));
    let (sender, number) = found.ok_or("a message arrived that nobody sent")?;
    *accepts = Some(sender);
    Ok(number)
}
