//! A transaction that the owner of the connection has lent.

use crate::owner::{Answer, Commit, Returned};
use postern_node::reliable::StoreError;
use sqlx::SqliteConnection;
use tokio::sync::oneshot;

/// A transaction: what a handler, or the program, writes its own tables through. Dropping it undoes what was written.
///
/// While it is open nothing else is written, so it should not be kept waiting. It ends with the handler, or with
/// [`commit`](Self::commit): statements that begin or end transactions do not belong into it.
pub struct SqliteTransaction {
    lent: Option<(SqliteConnection, oneshot::Sender<Returned>)>,
}

impl SqliteTransaction {
    pub(crate) fn lend(connection: SqliteConnection, back: oneshot::Sender<Returned>) -> Self {
        Self { lent: Some((connection, back)) }
    }

    /// The connection: what `sqlx` executes statements on.
    pub fn connection(&mut self) -> &mut SqliteConnection {
        match &mut self.lent {
            Some((connection, _)) => connection,
            None => unreachable!("it is given back only when the transaction ends"),
        }
    }

    /// Makes what was written permanent.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was changed.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.finish(Commit::default()).await.map(drop)
    }

    pub(crate) async fn finish(mut self, commit: Commit) -> Result<Vec<u64>, StoreError> {
        let (answer, answered): (Answer<Vec<u64>>, _) = oneshot::channel();
        let closed = || StoreError::failed("the file was closed");
        let (connection, back) = self.lent.take().ok_or_else(closed)?;
        back.send(Returned { connection, commit: Some((commit, answer)) }).map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }
}

impl Drop for SqliteTransaction {
    fn drop(&mut self) {
        if let Some((connection, back)) = self.lent.take() {
            let _ = back.send(Returned { connection, commit: None });
        }
    }
}
