//! Records: appending, reading, and deleting the oldest where a quota or their age demands it.

use super::{Append, signed};
use crate::stream::settings::Quotas;
use crate::stream::storage::{Batch, Extent, Result, StorageError};
use postern_node::identity::{Identifier, Timestamp};
use postern_node::stream::{Record, Status};
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};
use std::collections::HashMap;
use std::time::Duration;

/// Where a log's indexes begin in the ids of records: a log has room for 2^40 of them, far more than it will have.
const INDEX_BITS: u32 = 40;
/// What a record takes besides its data: the row, and its part of the pages. It makes empty records count.
const RECORD_OVERHEAD: u64 = 32;
/// Rows of one statement: with few different numbers of rows, prepared statements are found again.
const ROWS_PER_INSERT: usize = 64;
/// Rows that are looked at together to find the oldest that have to go.
const ROWS_PER_SCAN: i64 = 256;

/// How much a log has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LogUsage {
    owner: Option<Identifier>,
    /// The part that this partition has of the stream's quota.
    quota: u64,
    first: u64,
    next: u64,
    bytes: u64,
}

/// The bytes of all logs, by log and by owner.
pub(super) struct Accounts {
    quotas: Quotas,
    logs: HashMap<i64, LogUsage>,
    /// Streams without an owner are one account.
    owners: HashMap<Option<Identifier>, u64>,
    total: u64,
}

impl Accounts {
    pub(super) async fn load(connection: &mut SqliteConnection, quotas: Quotas) -> sqlx::Result<Self> {
        let mut accounts = Self { quotas, logs: HashMap::new(), owners: HashMap::new(), total: 0 };
        let all = "SELECT log.id, log.next, stream.owner, \
                   (SELECT COUNT(*) FROM log AS other WHERE other.stream = stream.id) AS partitions \
                   FROM log JOIN stream ON log.stream = stream.id";
        for row in sqlx::query(all).fetch_all(&mut *connection).await? {
            let (log, next): (i64, i64) = (row.try_get("id")?, row.try_get("next")?);
            let (owner, partitions): (Option<Vec<u8>>, i64) = (row.try_get("owner")?, row.try_get("partitions")?);
            let owner = owner.and_then(|owner| owner.try_into().ok()).map(Identifier::from_bytes);
            accounts.open(log, owner, partitions.unsigned_abs());
            let usage = "SELECT COALESCE(SUM(LENGTH(data) + ?), 0), MIN(id) FROM record WHERE id BETWEEN ? AND ?";
            let (bytes, oldest): (i64, Option<i64>) = sqlx::query_as(usage)
                .bind(signed(RECORD_OVERHEAD))
                .bind(id(log, 0))
                .bind(last_id(log))
                .fetch_one(&mut *connection)
                .await?;
            let next = next.unsigned_abs();
            let Some(usage) = accounts.usage(log) else { continue };
            let first = oldest.map_or(next, index);
            accounts.set(log, LogUsage { first, next, bytes: bytes.unsigned_abs(), ..usage });
        }
        Ok(accounts)
    }

    pub(super) fn expiry(&self) -> Duration {
        self.quotas.expiry
    }

    /// A new, empty log.
    pub(super) fn open(&mut self, log: i64, owner: Option<Identifier>, partitions: u64) {
        let quota = self.quotas.bytes_per_stream / partitions.max(1);
        self.logs.insert(log, LogUsage { owner, quota, first: 0, next: 0, bytes: 0 });
    }

    pub(super) fn close(&mut self, log: i64) {
        if let Some(usage) = self.usage(log) {
            self.set(log, LogUsage { bytes: 0, ..usage });
            self.logs.remove(&log);
        }
    }

    pub(super) fn usage(&self, log: i64) -> Option<LogUsage> {
        self.logs.get(&log).copied()
    }

    pub(super) fn set(&mut self, log: i64, usage: LogUsage) {
        let before = self.logs.insert(log, usage).map_or(0, |before| before.bytes);
        self.total = self.total - before + usage.bytes;
        let owner = self.owners.entry(usage.owner).or_default();
        *owner = *owner - before + usage.bytes;
        if *owner == 0 {
            self.owners.remove(&usage.owner);
        }
    }

    /// By how much a log's quota, its owner's, or that of all would be exceeded.
    fn excess(&self, usage: &LogUsage, more: u64) -> u64 {
        let owner = self.owners.get(&usage.owner).copied().unwrap_or_default();
        let of_owner = self.quotas.bytes_of(usage.owner.as_ref());
        let used = [(usage.bytes, usage.quota), (owner, of_owner), (self.total, self.quotas.bytes)];
        used.into_iter().map(|(used, quota)| (used + more).saturating_sub(quota)).max().unwrap_or_default()
    }
}

/// Appends to a log; where a quota is used up, the log's own oldest records go, never another's.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    accounts: &mut Accounts,
    append: &Append,
    now: Timestamp,
) -> sqlx::Result<Result<u64>> {
    let log = append.log;
    let Some(mut usage) = accounts.usage(log) else { return Ok(Err(deleted())) };
    let bytes = append.records.iter().map(|record| record.len() as u64 + RECORD_OVERHEAD).sum();
    let excess = accounts.excess(&usage, bytes);
    if excess > usage.bytes {
        return Ok(Err(full()));
    }
    if excess > 0 {
        usage = trim(connection, log, usage, |freed, _| freed < excess).await?;
    }
    insert(connection, log, usage.next, &append.records, now).await?;
    usage.next += append.records.len() as u64;
    usage.bytes += bytes;
    sqlx::query("UPDATE log SET next = ? WHERE id = ?").bind(signed(usage.next)).bind(log).execute(connection).await?;
    accounts.set(log, usage);
    Ok(Ok(usage.next.saturating_sub(1)))
}

async fn insert(
    connection: &mut SqliteConnection,
    log: i64,
    first: u64,
    records: &[Vec<u8>],
    now: Timestamp,
) -> sqlx::Result<()> {
    let mut next = id(log, first);
    for rows in records.chunks(ROWS_PER_INSERT) {
        let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO record (id, stored, data) ");
        query.push_values(rows, |mut row, data| {
            row.push_bind(next).push_bind(signed(now.0)).push_bind(data.as_slice());
            next += 1;
        });
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Deletes a log's oldest records while `goes` says so of the bytes freed before, and the time when the record was stored.
async fn trim(
    connection: &mut SqliteConnection,
    log: i64,
    mut usage: LogUsage,
    goes: impl Fn(u64, Timestamp) -> bool,
) -> sqlx::Result<LogUsage> {
    let mut freed = 0;
    loop {
        let oldest = "SELECT id, stored, LENGTH(data) FROM record WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?";
        let rows: Vec<(i64, i64, i64)> = sqlx::query_as(oldest)
            .bind(id(log, usage.first))
            .bind(last_id(log))
            .bind(ROWS_PER_SCAN)
            .fetch_all(&mut *connection)
            .await?;
        let before = usage.first;
        for (row, stored, len) in &rows {
            if !goes(freed, Timestamp(stored.unsigned_abs())) {
                break;
            }
            let bytes = len.unsigned_abs() + RECORD_OVERHEAD;
            freed += bytes;
            usage.bytes -= bytes;
            usage.first = index(*row) + 1;
        }
        if usage.first == before {
            return Ok(usage);
        }
        sqlx::query("DELETE FROM record WHERE id BETWEEN ? AND ?")
            .bind(id(log, before))
            .bind(id(log, usage.first) - 1)
            .execute(&mut *connection)
            .await?;
    }
}

/// Deletes records that were stored before `oldest`.
pub(super) async fn expire(
    connection: &mut SqliteConnection,
    accounts: &mut Accounts,
    oldest: Timestamp,
) -> sqlx::Result<()> {
    let logs: Vec<(i64, LogUsage)> = accounts.logs.iter().map(|(log, usage)| (*log, *usage)).collect();
    for (log, usage) in logs.into_iter().filter(|(_, usage)| usage.bytes > 0) {
        let usage = trim(connection, log, usage, |_, stored| stored < oldest).await?;
        accounts.set(log, usage);
    }
    Ok(())
}

/// Deletes all records of a log.
pub(super) async fn delete_all(connection: &mut SqliteConnection, log: i64) -> sqlx::Result<()> {
    let delete = sqlx::query("DELETE FROM record WHERE id BETWEEN ? AND ?").bind(id(log, 0)).bind(last_id(log));
    delete.execute(connection).await.map(drop)
}

/// Reads from an index: nothing if that is the end, a batch without records if it is outside of what is kept.
pub(super) async fn read(
    connection: &mut SqliteConnection,
    log: i64,
    usage: Option<LogUsage>,
    from: u64,
    extent: Extent,
) -> sqlx::Result<Option<Batch>> {
    let LogUsage { first, next, .. } = usage.unwrap_or(LogUsage { owner: None, quota: 0, first: 0, next: 0, bytes: 0 });
    if from == next {
        return Ok(None);
    }
    if !(first..next).contains(&from) {
        return Ok(Some(Batch { first, next: if from < first { first } else { next }, records: Vec::new() }));
    }
    let (begin, end) = (id(log, from), end_of(connection, log, from, extent).await?);
    let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as("SELECT id, data FROM record WHERE id BETWEEN ? AND ? ORDER BY id")
        .bind(begin)
        .bind(end)
        .fetch_all(connection)
        .await?;
    let records: Vec<Record> = rows.into_iter().map(|(row, data)| Record { index: index(row), data }).collect();
    let next = records.last().map_or(next, |record| record.index + 1);
    Ok(Some(Batch { first, next, records }))
}

/// The last row of a read from `from`.
async fn end_of(connection: &mut SqliteConnection, log: i64, from: u64, extent: Extent) -> sqlx::Result<i64> {
    let rows: Vec<(i64, i64)> =
        sqlx::query_as("SELECT id, LENGTH(data) FROM record WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?")
            .bind(id(log, from))
            .bind(last_id(log))
            .bind(signed(extent.records.max(1) as u64))
            .fetch_all(connection)
            .await?;
    let mut bytes = 0;
    let fitting = rows.iter().take_while(|(_, len)| {
        bytes += len.unsigned_abs();
        bytes <= extent.bytes as u64
    });
    let end = fitting.last().or(rows.first()).map_or(id(log, from), |(row, _)| *row);
    Ok(end)
}

fn id(log: i64, index: u64) -> i64 {
    (log << INDEX_BITS) + signed(index)
}

fn last_id(log: i64) -> i64 {
    id(log + 1, 0) - 1
}

fn index(id: i64) -> u64 {
    id.unsigned_abs() & ((1 << INDEX_BITS) - 1)
}

fn full() -> StorageError {
    let reason = "the quota of bytes is used up by other streams: delete some, or raise [streams] bytes in hub.toml";
    StorageError::new(Status::Full, reason)
}

fn deleted() -> StorageError {
    StorageError::unavailable("the stream was deleted; create it again")
}
