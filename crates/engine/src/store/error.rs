//! Why the database cannot be used, and what is said about it.

use crate::api::{Code, Fault};
use postern_node::sealed::SealedError;
use std::path::Path;

/// SQLite's primary result codes for a damaged file: `SQLITE_CORRUPT` and `SQLITE_NOTADB`.
const CORRUPT: [&str; 2] = ["11", "26"];

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
        let code = error.as_database_error().and_then(|error| error.code());
        match code {
            // Extended result codes contain the primary one in their lowest byte.
            Some(code) if code.parse().is_ok_and(|code: u32| CORRUPT.contains(&(code & 0xff).to_string().as_str())) => {
                Self::Damaged
            }
            _ => Self::Sqlite(error),
        }
    }
}

impl StoreError {
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
