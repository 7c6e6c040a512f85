//! The audit log: a hash chain, in which every entry contains the hash of the one before.
//!
//! ```text
//! base ─hash─► entry n ─hash─► entry n+1 ─ … ─► head        hash = HMAC(key, previous hash ‖ number ‖ at ‖ event)
//!  │                                             │
//!  └──────────── LogAnchor, a file of its own ───┘
//! ```
//!
//! Number and time are 8 bytes each, big-endian; the event is its JSON. The first entry follows 32 zero bytes. The key is one
//! of the identity's and comes from the keychain. Entries that are written while it has not been given, and those of versions
//! before, have SHA-256 of the same instead; a later entry with an HMAC authenticates them, too.
//!
//! Retention and the size limit delete the oldest entries in a row and keep the last hash as the base, so the rest can still be
//! verified. How far the log reaches, from base to head, is kept outside the database ([`anchor`]), so that newest or oldest
//! entries cannot be removed unnoticed, nor an older copy of the file put back. What is found wrong becomes an entry itself.

pub(super) mod anchor;
mod verify;

pub(crate) use verify::{Reader, Verification};

use super::error::StoreError;
use crate::api::{AuditEvent, UnixMillis};
use postern_node::sealed::SelfMacKey;
use sha2::{Digest, Sha256};
use sqlx::SqliteConnection;

/// Most entries of one page. Chosen: a page must fit into a line of the control socket.
pub(crate) const MAX_PAGE: u32 = 1_000;
/// Bytes of all entries; above, the oldest are deleted. Chosen: some hundred thousand entries, years of use by a few friends.
pub(super) const MAX_LOG: u64 = 64 * 1024 * 1024;
/// What is left when entries are deleted because of [`MAX_LOG`]: three quarters, so that it is seldom done.
pub(super) const KEPT_LOG: u64 = MAX_LOG / 4 * 3;
/// Bytes that an entry takes besides its event: hash, numbers, and what SQLite adds. Estimated from the file's size.
const ENTRY_OVERHEAD: u32 = 64;
/// Entries after which the size is looked at again. Chosen: about a megabyte.
pub(super) const SIZE_CHECKED_AFTER: u64 = 4_096;

/// The position of an entry in the chain: its number and hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChainEntry {
    pub(super) number: u64,
    pub(super) hash: Vec<u8>,
}

impl ChainEntry {
    /// The next entry, authenticated with the key if there is one.
    fn next(&self, key: Option<&SelfMacKey>, at: u64, event: &str) -> Self {
        let number = self.number + 1;
        let (number_bytes, at_bytes) = (number.to_be_bytes(), at.to_be_bytes());
        let parts = [&self.hash[..], &number_bytes, &at_bytes, event.as_bytes()];
        let hash = match key {
            Some(key) => key.tag(&parts).to_vec(),
            None => parts.iter().fold(Sha256::new(), |digest, part| digest.chain_update(part)).finalize().to_vec(),
        };
        Self { number, hash }
    }
}

/// The end of the chain.
pub(super) async fn last(connection: &mut SqliteConnection) -> Result<ChainEntry, StoreError> {
    let last =
        "SELECT number, hash FROM receipt UNION ALL SELECT number, hash FROM anchor ORDER BY number DESC LIMIT 1";
    let (number, hash): (i64, Vec<u8>) = sqlx::query_as(last).fetch_one(connection).await?;
    Ok(ChainEntry { number: number.cast_unsigned(), hash })
}

/// The last entry that was deleted, which the chain begins behind.
pub(super) async fn base(connection: &mut SqliteConnection) -> Result<ChainEntry, StoreError> {
    let (number, hash): (i64, Vec<u8>) =
        sqlx::query_as("SELECT number, hash FROM anchor").fetch_one(connection).await?;
    Ok(ChainEntry { number: number.cast_unsigned(), hash })
}

/// The hash of an entry, or of the base.
pub(super) async fn hash_of(connection: &mut SqliteConnection, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let hash = "SELECT hash FROM receipt WHERE number = ?1 UNION ALL SELECT hash FROM anchor WHERE number = ?1";
    let row: Option<(Vec<u8>,)> = sqlx::query_as(hash).bind(number.cast_signed()).fetch_optional(connection).await?;
    Ok(row.map(|(hash,)| hash))
}

/// Whether any entry has an HMAC.
pub(super) async fn is_keyed(connection: &mut SqliteConnection) -> Result<bool, StoreError> {
    let keyed = "SELECT EXISTS (SELECT 1 FROM receipt WHERE keyed = 1)";
    let (keyed,): (bool,) = sqlx::query_as(keyed).fetch_one(connection).await?;
    Ok(keyed)
}

/// Appends an entry to the chain that ends with `last`; the new end.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    key: Option<&SelfMacKey>,
    last: &ChainEntry,
    at: UnixMillis,
    event: &AuditEvent,
) -> Result<ChainEntry, StoreError> {
    let event = serde_json::to_string(event)?;
    let entry = last.next(key, at.0, &event);
    sqlx::query("INSERT INTO receipt (number, at, deed, hash, keyed) VALUES (?, ?, ?, ?, ?)")
        .bind(entry.number.cast_signed())
        .bind(at.0.cast_signed())
        .bind(event)
        .bind(entry.hash.as_slice())
        .bind(key.is_some())
        .execute(connection)
        .await?;
    Ok(entry)
}

/// The newest of the oldest entries in a row that are older than `before`; nothing if there is none.
pub(super) async fn last_before(
    connection: &mut SqliteConnection,
    before: UnixMillis,
) -> Result<Option<ChainEntry>, StoreError> {
    let oldest_kept = "SELECT MIN(number) FROM receipt WHERE at >= ?";
    let (kept,): (Option<i64>,) =
        sqlx::query_as(oldest_kept).bind(before.0.cast_signed()).fetch_one(&mut *connection).await?;
    newest_below(connection, kept.unwrap_or(i64::MAX)).await
}

/// The newest entry to be deleted so that the newest ones of together `kept` bytes stay; nothing if all are at most `most`.
pub(super) async fn last_over_size(
    connection: &mut SqliteConnection,
    most: u64,
    kept: u64,
) -> Result<Option<ChainEntry>, StoreError> {
    let size = "SELECT COALESCE(SUM(LENGTH(CAST(deed AS BLOB)) + ?), 0) FROM receipt";
    let (size,): (i64,) = sqlx::query_as(size).bind(ENTRY_OVERHEAD).fetch_one(&mut *connection).await?;
    if size.cast_unsigned() <= most {
        return Ok(None);
    }
    let first_over = "SELECT MAX(number) FROM (SELECT number, \
        SUM(LENGTH(CAST(deed AS BLOB)) + ?) OVER (ORDER BY number DESC) AS size FROM receipt) WHERE size > ?";
    let query = sqlx::query_as(first_over).bind(ENTRY_OVERHEAD).bind(kept.cast_signed());
    let (number,): (Option<i64>,) = query.fetch_one(&mut *connection).await?;
    match number {
        Some(number) => newest_below(connection, number + 1).await,
        None => Ok(None),
    }
}

async fn newest_below(connection: &mut SqliteConnection, number: i64) -> Result<Option<ChainEntry>, StoreError> {
    let newest = "SELECT number, hash FROM receipt WHERE number < ? ORDER BY number DESC LIMIT 1";
    let row: Option<(i64, Vec<u8>)> = sqlx::query_as(newest).bind(number).fetch_optional(connection).await?;
    Ok(row.map(|(number, hash)| ChainEntry { number: number.cast_unsigned(), hash }))
}

/// Deletes the entries up to this one; the chain goes on from it.
pub(super) async fn delete_up_to(connection: &mut SqliteConnection, entry: &ChainEntry) -> Result<(), StoreError> {
    let number = entry.number.cast_signed();
    let set = sqlx::query("UPDATE anchor SET number = ?, hash = ?").bind(number).bind(entry.hash.as_slice());
    set.execute(&mut *connection).await?;
    sqlx::query("DELETE FROM receipt WHERE number <= ?").bind(number).execute(&mut *connection).await?;
    Ok(())
}
