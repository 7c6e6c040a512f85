//! Receipts: what happened, each line chained to the one before.
//!
//! ```text
//! anchor ─hash─► receipt n ─hash─► receipt n+1 ─ …        hash = SHA-256(hash before ‖ number ‖ at ‖ deed)
//! ```
//!
//! Numbers are 8 bytes each, big-endian; the deed is its JSON. The first receipt follows 32 zero bytes. Retention removes the oldest receipts in a row and keeps
//! the last hash as the anchor, so what is left can still be checked.

use super::StoreError;
use crate::api::{AuditEntry, AuditEvent, UnixMillis};
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use std::path::Path;

/// Most receipts that are read at once.
pub(crate) const MAX_PAGE: u32 = 1_000;
/// Receipts whose hashes are checked at once.
const CHECKED_AT_ONCE: i64 = 1_000;

/// A place in the chain: a receipt's number and hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChainEntry {
    number: u64,
    hash: Vec<u8>,
}

impl ChainEntry {
    fn next(&self, at: u64, deed: &str) -> Self {
        let number = self.number + 1;
        let mut digest = Sha256::new();
        digest.update(&self.hash);
        digest.update(number.to_be_bytes());
        digest.update(at.to_be_bytes());
        digest.update(deed);
        Self { number, hash: digest.finalize().to_vec() }
    }
}

type Row = (i64, i64, String, Vec<u8>);

/// Where the chain ends now.
pub(super) async fn last(connection: &mut SqliteConnection) -> Result<ChainEntry, StoreError> {
    let last =
        "SELECT number, hash FROM receipt UNION ALL SELECT number, hash FROM anchor ORDER BY number DESC LIMIT 1";
    let (number, hash): (i64, Vec<u8>) = sqlx::query_as(last).fetch_one(connection).await?;
    Ok(ChainEntry { number: number.cast_unsigned(), hash })
}

/// Adds a receipt behind `last`; the new end of the chain.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    last: &ChainEntry,
    at: UnixMillis,
    deed: &AuditEvent,
) -> Result<ChainEntry, StoreError> {
    let deed = serde_json::to_string(deed)?;
    let link = last.next(at.0, &deed);
    sqlx::query("INSERT INTO receipt (number, at, deed, hash) VALUES (?, ?, ?, ?)")
        .bind(link.number.cast_signed())
        .bind(at.0.cast_signed())
        .bind(deed)
        .bind(link.hash.as_slice())
        .execute(connection)
        .await?;
    Ok(link)
}

/// Removes the oldest receipts in a row that are older than `before`.
pub(super) async fn forget(connection: &mut SqliteConnection, before: UnixMillis) -> Result<(), StoreError> {
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

/// The newest receipts below a number, newest first, and whether every hash of the whole log holds.
///
/// It reads beside the store, at its own pace.
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
    let receipts: Vec<AuditEntry> = rows.into_iter().filter_map(receipt).collect();
    let intact = receipts.len() == all && is_intact(&mut connection).await?;
    connection.close().await?;
    Ok((receipts, intact))
}

fn receipt((number, at, deed, hash): Row) -> Option<AuditEntry> {
    let deed = serde_json::from_str(&deed).ok()?;
    Some(AuditEntry {
        number: number.cast_unsigned(),
        at: UnixMillis(at.cast_unsigned()),
        deed,
        hash: hex::encode(hash),
    })
}

async fn is_intact(connection: &mut SqliteConnection) -> Result<bool, StoreError> {
    // One view of the file, whatever is appended or removed meanwhile.
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
        for (number, at, deed, hash) in rows {
            let expected = last.next(at.cast_unsigned(), &deed);
            if expected != (ChainEntry { number: number.cast_unsigned(), hash }) {
                return Ok(false);
            }
            last = expected;
        }
    }
}
