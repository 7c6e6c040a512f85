//! Reading the audit log: pages for frontends, and the verification of all of it.
//!
//! Both use a connection of their own, so that a long log does not delay the store.

use super::{ChainEntry, MAX_PAGE, base};
use crate::api::{AuditEntry, AuditEvent, UnixMillis};
use crate::store::error::StoreError;
use postern_node::sealed::SelfMacKey;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use std::path::PathBuf;

/// Entries that are read at once while the chain is verified. Chosen: bounds memory.
const CHECKED_AT_ONCE: i64 = 1_000;
/// Problems that a verification lists; the log has more then. Chosen: a page of text.
const MAX_PROBLEMS: usize = 20;

/// Reads the log of a database.
#[derive(Clone)]
pub(crate) struct Reader {
    pub(crate) path: PathBuf,
    /// Nothing before the keychain has given it: what needs it counts as not verified.
    pub(crate) key: Option<SelfMacKey>,
    /// The log was not what its anchor says when the engine started.
    pub(crate) is_doubtful: bool,
}

/// What a verification of the whole log has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Verification {
    pub(crate) entries: u64,
    /// How many of them are authenticated with the key, by themselves or by a later one.
    pub(crate) authenticated: u64,
    /// What is wrong, as sentences.
    pub(crate) problems: Vec<String>,
    /// What could not be checked or is not protected, as sentences.
    pub(crate) remarks: Vec<String>,
    /// Whether an entry with an HMAC was found already.
    is_keyed: bool,
    /// The entries without one that were found behind it, up to the next with one.
    unkeyed: Option<(u64, u64)>,
}

type Row = (i64, i64, String, Vec<u8>, bool);

impl Reader {
    /// The newest entries below a number, newest first, and whether their hashes follow from each other. Reads the page and one
    /// entry more, however long the log is.
    pub(crate) async fn page(&self, before: Option<u64>, limit: u32) -> Result<(Vec<AuditEntry>, bool), StoreError> {
        let mut connection = self.connect().await?;
        let limit = limit.min(MAX_PAGE);
        let page = "SELECT number, at, deed, hash, keyed FROM receipt WHERE number < ? ORDER BY number DESC LIMIT ?";
        let mut rows: Vec<Row> = sqlx::query_as(page)
            .bind(before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX))
            .bind(limit + 1)
            .fetch_all(&mut connection)
            .await?;
        let mut last = match rows.len() > limit as usize {
            true => rows.pop().map(|(number, _, _, hash, _)| ChainEntry { number: number.cast_unsigned(), hash }),
            false => Some(base(&mut connection).await?),
        };
        connection.close().await?;
        let mut is_intact = !self.is_doubtful;
        for row in rows.iter().rev() {
            is_intact &= last.as_ref().is_some_and(|last| self.follows(last, row));
            last = Some(ChainEntry { number: row.0.cast_unsigned(), hash: row.3.clone() });
        }
        let all = rows.len();
        let entries: Vec<AuditEntry> = rows.into_iter().filter_map(entry).collect();
        is_intact &= entries.len() == all;
        Ok((entries, is_intact))
    }

    /// Verifies the whole chain, and lists what the log says about itself.
    pub(crate) async fn verify(&self) -> Result<Verification, StoreError> {
        let mut connection = self.connect().await?;
        // One transaction, so that entries that are appended or deleted meanwhile do not matter.
        let mut view = connection.begin().await?;
        let mut last = base(&mut view).await?;
        let mut found = Verification::default();
        loop {
            let next = "SELECT number, at, deed, hash, keyed FROM receipt WHERE number > ? ORDER BY number LIMIT ?";
            let rows: Vec<Row> = sqlx::query_as(next)
                .bind(last.number.cast_signed())
                .bind(CHECKED_AT_ONCE)
                .fetch_all(&mut *view)
                .await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                self.check(&mut found, &last, &row);
                last = ChainEntry { number: row.0.cast_unsigned(), hash: row.3 };
            }
        }
        drop(view);
        connection.close().await?;
        found.summarize(self.key.is_some());
        Ok(found)
    }

    fn check(&self, found: &mut Verification, last: &ChainEntry, row: &Row) {
        let number = row.0.cast_unsigned();
        found.entries += 1;
        if number != last.number + 1 {
            found.problem(format!("{} missing.", range(last.number + 1, number - 1)));
        } else if !self.follows(last, row) {
            found.problem(format!("Entry {number} or the one before it was changed."));
        } else if row.4 && self.key.is_some() {
            found.authenticated = found.entries;
        }
        found.note_key(number, row.4);
        match serde_json::from_str(&row.2) {
            Ok(AuditEvent::Log { what, first, last }) => found.read(number, &what, first, last),
            Ok(_) => {}
            Err(_) => found.problem(format!("Entry {number} cannot be read.")),
        }
    }

    /// Whether an entry is the next behind `last`. An HMAC counts as right while the key is not there.
    fn follows(&self, last: &ChainEntry, (number, at, event, hash, keyed): &Row) -> bool {
        let key = match (keyed, &self.key) {
            (false, _) => None,
            (true, Some(key)) => Some(key),
            (true, None) => return number.cast_unsigned() == last.number + 1,
        };
        last.next(key, at.cast_unsigned(), event) == ChainEntry { number: number.cast_unsigned(), hash: hash.clone() }
    }

    async fn connect(&self) -> Result<SqliteConnection, StoreError> {
        let options = SqliteConnectOptions::new().filename(&self.path).read_only(true).disable_statement_logging();
        Ok(SqliteConnection::connect_with(&options).await?)
    }
}

impl Verification {
    /// Whether nothing is wrong.
    pub(crate) fn is_intact(&self) -> bool {
        self.problems.is_empty()
    }

    fn problem(&mut self, sentence: String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(sentence);
        }
    }

    /// Notes whether an entry has an HMAC. Those without one behind the first that has one stay remarkable, although a later one
    /// shows that nobody has changed them since.
    fn note_key(&mut self, number: u64, is_keyed: bool) {
        if !is_keyed {
            if self.is_keyed {
                self.unkeyed = Some((self.unkeyed.map_or(number, |(first, _)| first), number));
            }
            return;
        }
        self.is_keyed = true;
        if let Some((first, last)) = self.unkeyed.take().filter(|_| self.remarks.len() < MAX_PROBLEMS) {
            self.remarks.push(format!(
                "{} without the key of the log, as while the keychain is closed: somebody else who can write the file could have \
                 added them.",
                range(first, last)
            ));
        }
    }

    /// What an entry says about the log.
    fn read(&mut self, number: u64, what: &str, first: Option<u64>, last: Option<u64>) {
        let entries = range(first.unwrap_or_default(), last.unwrap_or_default());
        match what {
            "missing" => self.problem(format!(
                "{entries} missing, noticed at entry {number}: entries were removed, or an older copy of the data was put back."
            )),
            "replaced" => self.problem(format!("{entries} replaced by others, noticed at entry {number}.")),
            "anchor-missing" => self.problem(format!(
                "The file that says how far the log reached was missing at entry {number}: entries before it may have been removed."
            )),
            "anchor-invalid" => self.problem(format!(
                "The file that says how far the log reached was changed before entry {number}: entries before it may have been \
                 removed."
            )),
            "unprotected" if self.remarks.len() < MAX_PROBLEMS => self.remarks.push(format!(
                "Postern was not stopped in order before entry {number}: had entries behind number {} been removed then, it would \
                 not show.",
                first.unwrap_or_default().saturating_sub(1)
            )),
            "restored" if self.remarks.len() < MAX_PROBLEMS => {
                self.remarks.push(format!("At entry {number} a backup was restored."));
            }
            _ => {}
        }
    }

    fn summarize(&mut self, has_key: bool) {
        if !has_key {
            self.remarks.push(
                "The keychain has not given the key of the log, or keeps it in memory only: anybody who can write the file could \
                 have written these entries."
                    .to_owned(),
            );
        } else if self.authenticated < self.entries {
            let count = self.entries - self.authenticated;
            self.remarks.push(format!(
                "The newest {count} entries were written before the keychain was open, and are not authenticated."
            ));
        }
    }
}

/// A range of entries, with the verb.
fn range(first: u64, last: u64) -> String {
    if first >= last { format!("Entry {first} is") } else { format!("Entries {first} to {last} are") }
}

fn entry((number, at, event, hash, _): Row) -> Option<AuditEntry> {
    let event = serde_json::from_str(&event).ok()?;
    Some(AuditEntry {
        number: number.cast_unsigned(),
        at: UnixMillis(at.cast_unsigned()),
        deed: event,
        hash: hex::encode(hash),
    })
}
