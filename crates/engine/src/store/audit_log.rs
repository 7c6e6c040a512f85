//! The audit log: a hash chain, in which every entry contains the hash of the one before.
//!
//! ```text
//! anchor ─hash─► entry n ─hash─► entry n+1 ─ …        hash = SHA-256(previous hash ‖ number ‖ at ‖ event)
//! ```
//!
//! Number and time are 8 bytes each, big-endian; the event is its JSON. The first entry follows 32 zero bytes. Retention
//! deletes the oldest entries in a row and keeps the last hash as the anchor, so the rest can still be verified. An edit, or an
//! entry deleted from the middle, breaks the chain; the deletion of the newest entries does not show.

use super::StoreError;
use crate::api::{AuditEntry, AuditEvent, UnixMillis};
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use std::path::Path;

/// Most entries of one page. Chosen: a page must fit into a line of the control socket.
pub(crate) const MAX_PAGE: u32 = 1_000;
/// Entries that are read at once while the chain is verified. Chosen: bounds memory.
const CHECKED_AT_ONCE: i64 = 1_000;

/// The position of an entry in the chain: its number and hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChainEntry {
    number: u64,
    hash: Vec<u8>,
}

impl ChainEntry {
    fn next(&self, at: u64, event: &str) -> Self {
        let number = self.number + 1;
        let mut digest = Sha256::new();
        digest.update(&self.hash);
        digest.update(number.to_be_bytes());
        digest.update(at.to_be_bytes());
        digest.update(event);
        Self { number, hash: digest.finalize().to_vec() }
    }
}

type Row = (i64, i64, String, Vec<u8>);

/// The end of the chain.
pub(super) async fn last(connection: &mut SqliteConnection) -> Result<ChainEntry, StoreError> {
    let last =
        "SELECT number, hash FROM receipt UNION ALL SELECT number, hash FROM anchor ORDER BY number DESC LIMIT 1";
    let (number, hash): (i64, Vec<u8>) = sqlx::query_as(last).fetch_one(connection).await?;
    Ok(ChainEntry { number: number.cast_unsigned(), hash })
}

/// Appends an entry to the chain that ends with `last`; the new end.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    last: &ChainEntry,
    at: UnixMillis,
    event: &AuditEvent,
) -> Result<ChainEntry, StoreError> {
    let event = serde_json::to_string(event)?;
    let entry = last.next(at.0, &event);
    sqlx::query("INSERT INTO receipt (number, at, deed, hash) VALUES (?, ?, ?, ?)")
        .bind(entry.number.cast_signed())
        .bind(at.0.cast_signed())
        .bind(event)
        .bind(entry.hash.as_slice())
        .execute(connection)
        .await?;
    Ok(entry)
}

/// Deletes the oldest entries in a row that are older than `before`; the chain goes on from the last of them.
pub(super) async fn delete_before(connection: &mut SqliteConnection, before: UnixMillis) -> Result<(), StoreError> {
    let oldest_kept = "SELECT MIN(number) FROM receipt WHERE at >= ?";
    let (kept,): (Option<i64>,) =
        sqlx::query_as(oldest_kept).bind(before.0.cast_signed()).fetch_one(&mut *connection).await?;
    let gone = "SELECT number, hash FROM receipt WHERE number < ? ORDER BY number DESC LIMIT 1";
    let gone: Option<(i64, Vec<u8>)> =
        sqlx::query_as(gone).bind(kept.unwrap_or(i64::MAX)).fetch_optional(&mut *connection).await?;
    let Some((number, hash)) = gone else { return Ok(()) };
    sqlx::query("UPDATE anchor SET number = ?, hash = ?").bind(number).bind(hash).execute(&mut *connection).await?;
    sqlx::query("DELETE FROM receipt WHERE number <= ?").bind(number).execute(&mut *connection).await?;
    Ok(())
}

/// The newest entries below a number, newest first, and whether every hash of the whole log is right.
///
/// Reads over a connection of its own, so that a long log does not delay the store.
pub(crate) async fn read(path: &Path, before: Option<u64>, limit: u32) -> Result<(Vec<AuditEntry>, bool), StoreError> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).disable_statement_logging();
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let page = "SELECT number, at, deed, hash FROM receipt WHERE number < ? ORDER BY number DESC LIMIT ?";
    let rows: Vec<Row> = sqlx::query_as(page)
        .bind(before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX))
        .bind(limit.min(MAX_PAGE))
        .fetch_all(&mut connection)
        .await?;
    let all = rows.len();
    let entries: Vec<AuditEntry> = rows.into_iter().filter_map(entry).collect();
    let intact = entries.len() == all && is_intact(&mut connection).await?;
    connection.close().await?;
    Ok((entries, intact))
}

fn entry((number, at, event, hash): Row) -> Option<AuditEntry> {
    let event = serde_json::from_str(&event).ok()?;
    Some(AuditEntry {
        number: number.cast_unsigned(),
        at: UnixMillis(at.cast_unsigned()),
        deed: event,
        hash: hex::encode(hash),
    })
}

/// Verifies the whole hash chain.
async fn is_intact(connection: &mut SqliteConnection) -> Result<bool, StoreError> {
    // One transaction, so that entries that are appended or deleted meanwhile do not matter.
    let mut view = connection.begin().await?;
    let (number, hash): (i64, Vec<u8>) =
        sqlx::query_as("SELECT number, hash FROM anchor").fetch_one(&mut *view).await?;
    let mut last = ChainEntry { number: number.cast_unsigned(), hash };
    loop {
        let next = "SELECT number, at, deed, hash FROM receipt WHERE number > ? ORDER BY number LIMIT ?";
        let rows: Vec<Row> =
            sqlx::query_as(next).bind(last.number.cast_signed()).bind(CHECKED_AT_ONCE).fetch_all(&mut *view).await?;
        if rows.is_empty() {
            return Ok(true);
        }
        for (number, at, event, hash) in rows {
            let expected = last.next(at.cast_unsigned(), &event);
            if expected != (ChainEntry { number: number.cast_unsigned(), hash }) {
                return Ok(false);
            }
            last = expected;
        }
    }
}
