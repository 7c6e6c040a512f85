//! Why the database cannot be used, and what is said about it.

use crate::api::{Code, Fault};
use postern_node::sealed::SealedError;
use std::path::Path;

/// SQLite's primary result codes for a damaged file: `SQLITE_CORRUPT` and `SQLITE_NOTADB`.
const CORRUPT: [u32; 2] = [11, 26];
/// `SQLITE_FULL`: the disk, or the user's quota, is full.
const FULL: u32 = 13;
/// Result codes of writes that may succeed later: `SQLITE_BUSY`, `SQLITE_LOCKED`, `SQLITE_READONLY`, `SQLITE_IOERR`, `SQLITE_FULL`,
/// `SQLITE_CANTOPEN`.
const PASSING: [u32; 6] = [5, 6, 8, 10, FULL, 14];

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("it was written by a newer Postern")]
    Newer,
    #[error("it is damaged")]
    Damaged,
    #[error(transparent)]
    Sqlite(sqlx::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("a record cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("a secret cannot be sealed: {0}")]
    Sealing(#[from] SealedError),
    #[error("the key that seals secrets is not there")]
    NoKey,
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match primary_code(&error) {
            Some(code) if CORRUPT.contains(&code) => Self::Damaged,
            _ => Self::Sqlite(error),
        }
    }
}

/// SQLite's primary result code; extended ones contain it in their lowest byte.
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

impl StoreError {
    /// Whether writing may succeed later: the disk is full, read-only or busy, or failed.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            // A transaction that SQLite itself has rolled back leaves the connection unusable; it is opened again.
            Self::Sqlite(sqlx::Error::InvalidSavePointStatement) => true,
            Self::Sqlite(error) => primary_code(error).is_some_and(|code| PASSING.contains(&code)),
            Self::Io(_) => true,
            _ => false,
        }
    }

    /// That the database cannot be written for now.
    pub(crate) fn write_fault(&self, path: &Path) -> Fault {
        let path = path.display();
        let sentence = match self {
            Self::Sqlite(error) if primary_code(error) == Some(FULL) => {
                format!("{path} cannot be written: the disk is full. Free some space.")
            }
            other => format!("{path} cannot be written: {other}. Check the disk and the permissions."),
        };
        Fault::new(
            Code::Storage,
            format!("{sentence} Open connections go on, nothing can be changed, and Postern tries again."),
        )
    }

    pub(crate) fn fault(&self, path: &Path) -> Fault {
        let path = path.display();
        match self {
            Self::Newer => Fault::new(
                Code::NewerData,
                format!("{path} was written by a newer version of Postern. Install that one; nothing was changed."),
            ),
            Self::Damaged => Fault::new(Code::DamagedData, format!("{path} is damaged.")),
            other => Fault::new(
                Code::Storage,
                format!(
                    "{path} cannot be used: {other}. Check the disk and the permissions, then start Postern again."
                ),
            ),
        }
    }
}
