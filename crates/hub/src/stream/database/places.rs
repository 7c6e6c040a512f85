//! Where clients have stopped. Saves are gathered and written together a moment later: one that a crash loses makes its
//! client read some records again, as it may anyway. The table is bounded: above that, what was saved longest ago goes.

use super::signed;
use crate::stream::storage::Place;
use postern_env::time::{self, Duration, Instant};
use postern_node::identity::Timestamp;
use sqlx::{Connection, SqliteConnection};
use std::collections::HashMap;

/// Places of one identity: chosen; some for each of its streams. Those without an identity count as one.
const PLACES_PER_IDENTITY: i64 = 1_024;
/// Places of all together: with their names, each at most 200 bytes, they take up to about 32 MiB.
const PLACES: i64 = 65_536;
/// How long a save waits for others: chosen; short beside the seconds in which a client is back after a crash.
const SAVE_DELAY: Duration = Duration::from_millis(200);
/// Saves that wait; more are written at once.
const UNSAVED: usize = 1_024;

/// Saves that are not in the file yet.
#[derive(Default)]
pub(super) struct Unsaved {
    places: HashMap<Place, u64>,
    due: Option<Instant>,
}

impl Unsaved {
    /// Remembers a save; says whether they have to be written now.
    pub(super) fn insert(&mut self, place: Place, index: u64) -> bool {
        self.places.insert(place, index);
        self.due.get_or_insert_with(|| time::now() + SAVE_DELAY);
        self.places.len() >= UNSAVED
    }

    /// Waits until they have to be written.
    pub(super) async fn due(&self) {
        match self.due {
            Some(due) => time::sleep_until(due).await,
            None => std::future::pending().await,
        }
    }

    /// Writes them. If that fails they are lost.
    pub(super) async fn write(&mut self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        let Self { places, .. } = std::mem::take(self);
        if places.is_empty() {
            return Ok(());
        }
        let now = Timestamp::now();
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        for (place, index) in places {
            save(&mut transaction, &place, index, now).await?;
        }
        transaction.commit().await
    }

    pub(super) async fn get(&self, connection: &mut SqliteConnection, place: &Place) -> sqlx::Result<Option<u64>> {
        if let Some(index) = self.places.get(place) {
            return Ok(Some(*index));
        }
        let (identity, partition) = key(place);
        let found: Option<(i64,)> =
            sqlx::query_as("SELECT next FROM place WHERE identity = ? AND client = ? AND stream = ? AND partition = ?")
                .bind(identity)
                .bind(&place.client)
                .bind(&place.stream)
                .bind(partition)
                .fetch_optional(connection)
                .await?;
        Ok(found.map(|(next,)| next.unsigned_abs()))
    }
}

async fn save(connection: &mut SqliteConnection, place: &Place, index: u64, now: Timestamp) -> sqlx::Result<()> {
    let (identity, partition) = key(place);
    let update = "UPDATE place SET next = ?, saved = ? \
                  WHERE identity = ? AND client = ? AND stream = ? AND partition = ?";
    let updated = sqlx::query(update)
        .bind(signed(index))
        .bind(signed(now.0))
        .bind(&identity)
        .bind(&place.client)
        .bind(&place.stream)
        .bind(partition)
        .execute(&mut *connection)
        .await?;
    if updated.rows_affected() > 0 {
        return Ok(());
    }
    make_room(connection, &identity).await?;
    let insert = "INSERT INTO place (next, saved, identity, client, stream, partition) VALUES (?, ?, ?, ?, ?, ?)";
    sqlx::query(insert)
        .bind(signed(index))
        .bind(signed(now.0))
        .bind(&identity)
        .bind(&place.client)
        .bind(&place.stream)
        .bind(partition)
        .execute(connection)
        .await
        .map(drop)
}

/// Deletes the oldest place of an identity that has too many, and the oldest of all if all together do.
async fn make_room(connection: &mut SqliteConnection, identity: &[u8]) -> sqlx::Result<()> {
    let (of_identity, all): (i64, i64) =
        sqlx::query_as("SELECT (SELECT COUNT(*) FROM place WHERE identity = ?), (SELECT COUNT(*) FROM place)")
            .bind(identity)
            .fetch_one(&mut *connection)
            .await?;
    if of_identity >= PLACES_PER_IDENTITY {
        let oldest = "DELETE FROM place WHERE (identity, client, stream, partition) IN \
                      (SELECT identity, client, stream, partition FROM place WHERE identity = ? ORDER BY saved LIMIT 1)";
        sqlx::query(oldest).bind(identity).execute(&mut *connection).await?;
    } else if all >= PLACES {
        let oldest = "DELETE FROM place WHERE (identity, client, stream, partition) IN \
                      (SELECT identity, client, stream, partition FROM place ORDER BY saved LIMIT 1)";
        sqlx::query(oldest).execute(&mut *connection).await?;
    }
    Ok(())
}

pub(super) async fn expire(connection: &mut SqliteConnection, oldest: Timestamp) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM place WHERE saved < ?").bind(signed(oldest.0)).execute(connection).await.map(drop)
}

/// The columns that stand for whose place it is and which partition.
fn key(place: &Place) -> (Vec<u8>, i64) {
    let identity = place.identity.as_ref().map_or_else(Vec::new, |identity| identity.as_bytes().to_vec());
    (identity, place.partition.map_or(-1, signed))
}
