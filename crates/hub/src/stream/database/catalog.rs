//! The catalog: which streams there are, of which service, whose they are, and with whom they are shared.

use super::signed;
use crate::stream::storage::NewStream;
use postern_node::identity::{Identifier, Timestamp};
use sqlx::{Connection, Row, SqliteConnection};

/// A stream in the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CatalogEntry {
    pub(crate) name: String,
    pub(crate) owner: Option<Identifier>,
    pub(crate) shared: Vec<Identifier>,
    pub(crate) used: Timestamp,
    /// The logs of its partitions.
    pub(crate) logs: Vec<i64>,
}

pub(super) async fn load(connection: &mut SqliteConnection, service: &str) -> sqlx::Result<Vec<CatalogEntry>> {
    let all = sqlx::query("SELECT id, name, owner, used FROM stream WHERE service = ?").bind(service);
    let mut entries = Vec::new();
    for row in all.fetch_all(&mut *connection).await? {
        let (stream, used): (i64, i64) = (row.try_get("id")?, row.try_get("used")?);
        let shared: Vec<(Vec<u8>,)> = sqlx::query_as("SELECT identity FROM share WHERE stream = ?")
            .bind(stream)
            .fetch_all(&mut *connection)
            .await?;
        let owner: Option<Vec<u8>> = row.try_get("owner")?;
        entries.push(CatalogEntry {
            name: row.try_get("name")?,
            owner: owner.and_then(identifier),
            shared: shared.into_iter().filter_map(|(identity,)| identifier(identity)).collect(),
            used: Timestamp(used.unsigned_abs()),
            logs: logs(&mut *connection, stream).await?,
        });
    }
    Ok(entries)
}

async fn logs(connection: &mut SqliteConnection, stream: i64) -> sqlx::Result<Vec<i64>> {
    let logs: Vec<(i64,)> = sqlx::query_as("SELECT id FROM log WHERE stream = ? ORDER BY partition")
        .bind(stream)
        .fetch_all(connection)
        .await?;
    Ok(logs.into_iter().map(|(log,)| log).collect())
}

/// Adds a stream; the ids of its logs.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    service: &str,
    stream: &NewStream,
    now: Timestamp,
) -> sqlx::Result<Vec<i64>> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let (id,): (i64,) =
        sqlx::query_as("INSERT INTO stream (service, name, owner, used) VALUES (?, ?, ?, ?) RETURNING id")
            .bind(service)
            .bind(&stream.name)
            .bind(stream.owner.as_ref().map(|owner| owner.as_bytes().to_vec()))
            .bind(signed(now.0))
            .fetch_one(&mut *transaction)
            .await?;
    let mut logs = Vec::new();
    for partition in 0..stream.partitions {
        let (log,): (i64,) = sqlx::query_as("INSERT INTO log (stream, partition) VALUES (?, ?) RETURNING id")
            .bind(id)
            .bind(signed(partition))
            .fetch_one(&mut *transaction)
            .await?;
        logs.push(log);
    }
    transaction.commit().await?;
    Ok(logs)
}

/// Deletes a stream with its records; the ids that its logs had.
pub(super) async fn delete(connection: &mut SqliteConnection, service: &str, name: &str) -> sqlx::Result<Vec<i64>> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let stream: Option<(i64,)> = sqlx::query_as("SELECT id FROM stream WHERE service = ? AND name = ?")
        .bind(service)
        .bind(name)
        .fetch_optional(&mut *transaction)
        .await?;
    let Some((stream,)) = stream else { return Ok(Vec::new()) };
    let logs = logs(&mut transaction, stream).await?;
    for log in &logs {
        super::records::delete_all(&mut transaction, *log).await?;
    }
    sqlx::query("DELETE FROM stream WHERE id = ?").bind(stream).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(logs)
}

pub(super) async fn set_used(
    connection: &mut SqliteConnection,
    service: &str,
    used: &[(String, Timestamp)],
) -> sqlx::Result<()> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for (name, time) in used {
        sqlx::query("UPDATE stream SET used = ? WHERE service = ? AND name = ?")
            .bind(signed(time.0))
            .bind(service)
            .bind(name)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await
}

pub(super) async fn share(
    connection: &mut SqliteConnection,
    service: &str,
    name: &str,
    identities: &[Identifier],
) -> sqlx::Result<()> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for identity in identities {
        let insert = "INSERT OR IGNORE INTO share (stream, identity) \
                      SELECT id, ? FROM stream WHERE service = ? AND name = ?";
        sqlx::query(insert).bind(&identity.as_bytes()[..]).bind(service).bind(name).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

fn identifier(bytes: Vec<u8>) -> Option<Identifier> {
    bytes.try_into().ok().map(Identifier::from_bytes)
}
