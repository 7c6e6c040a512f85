//! Records: one row each, with its body as JSON, and the secret of its ticket in a column of its own, encrypted.
//!
//! The body never contains the secret. Writing a record that does not know its secret keeps the stored one.

use super::error::StoreError;
use crate::core::{Change, Record, RecordKey, TicketSecret};
use postern_node::sealed::SelfSealingKey;
use sqlx::SqliteConnection;
use zeroize::Zeroizing;

/// All records, and how many rows could not be read.
pub(super) async fn load(connection: &mut SqliteConnection) -> Result<(Vec<Record>, usize), StoreError> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT kind, body FROM record ORDER BY kind, id").fetch_all(connection).await?;
    let all = rows.len();
    let decoded = rows.into_iter().filter_map(|(kind, body)| {
        let record = decode(&kind, &body);
        if record.is_none() {
            tracing::error!(%kind, "a stored record cannot be decoded; it is left as it is");
        }
        record
    });
    let records: Vec<Record> = decoded.collect();
    let unreadable = all - records.len();
    Ok((records, unreadable))
}

/// Encrypts the secrets that an older version stored in plaintext.
pub(super) async fn seal(connection: &mut SqliteConnection, key: &SelfSealingKey) -> Result<(), StoreError> {
    let plaintext = "SELECT kind, id, secret FROM record WHERE length(secret) = 32";
    let rows: Vec<(String, String, Vec<u8>)> = sqlx::query_as(plaintext).fetch_all(&mut *connection).await?;
    for (kind, id, secret) in rows {
        let secret = Zeroizing::new(secret);
        let sealed = key.seal(&context(&kind, &id), &secret)?;
        let update = sqlx::query("UPDATE record SET secret = ? WHERE kind = ? AND id = ?");
        update.bind(sealed).bind(kind).bind(id).execute(&mut *connection).await?;
    }
    Ok(())
}

/// All secrets, decrypted. Those that were encrypted with another key are left out.
pub(super) async fn secrets(
    connection: &mut SqliteConnection,
    key: &SelfSealingKey,
) -> Result<Vec<(RecordKey, TicketSecret)>, StoreError> {
    let sealed = "SELECT kind, id, secret FROM record WHERE secret IS NOT NULL";
    let rows: Vec<(String, String, Vec<u8>)> = sqlx::query_as(sealed).fetch_all(connection).await?;
    let all = rows.len();
    let opened: Vec<_> = rows
        .into_iter()
        .filter_map(|(kind, id, sealed)| {
            let secret = key.open(&context(&kind, &id), &sealed).ok()?;
            let secret = TicketSecret::new(secret.as_slice().try_into().ok()?);
            let key = match kind.as_str() {
                "invitation" => RecordKey::Invitation(id.parse().ok()?),
                "received" => RecordKey::Received(id.parse().ok()?),
                _ => return None,
            };
            Some((key, secret))
        })
        .collect();
    if opened.len() < all {
        tracing::error!(
            count = all - opened.len(),
            "secrets of invitations cannot be decrypted with this identity's key; their links cannot be shown"
        );
    }
    Ok(opened)
}

/// The associated data of a secret: it can be decrypted only as that of its record.
fn context(kind: &str, id: &str) -> Vec<u8> {
    format!("{kind}/{id}").into_bytes()
}

/// Writes or deletes one record.
pub(super) async fn apply(
    connection: &mut SqliteConnection,
    key: Option<&SelfSealingKey>,
    change: &Change,
) -> Result<(), StoreError> {
    match change {
        Change::Put(record) => {
            let (kind, id) = name(&record.key());
            let sealed = match (record.secret(), key) {
                (Some(secret), Some(key)) => Some(key.seal(&context(kind, &id), secret.reveal())?),
                (Some(_), None) => return Err(StoreError::NoKey),
                (None, _) => None,
            };
            sqlx::query(
                "INSERT INTO record (kind, id, body, secret) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE \
                 SET body = excluded.body, secret = coalesce(excluded.secret, secret)",
            )
            .bind(kind)
            .bind(id)
            .bind(encode(record)?)
            .bind(sealed)
            .execute(connection)
            .await?;
        }
        Change::Delete(key) => {
            let (kind, id) = name(key);
            sqlx::query("DELETE FROM record WHERE kind = ? AND id = ?").bind(kind).bind(id).execute(connection).await?;
        }
    }
    Ok(())
}

fn encode(record: &Record) -> serde_json::Result<String> {
    match record {
        Record::Profile(profile) => serde_json::to_string(profile),
        Record::Service(service) => serde_json::to_string(service),
        Record::Invitation(invitation) => serde_json::to_string(invitation),
        Record::Grant(grant) => serde_json::to_string(grant),
        Record::Received(received) => serde_json::to_string(received),
        Record::Inlet(inlet) => serde_json::to_string(inlet),
        Record::Contact(contact) => serde_json::to_string(contact),
    }
}

fn decode(kind: &str, body: &str) -> Option<Record> {
    let record = match kind {
        "profile" => serde_json::from_str(body).map(Record::Profile),
        "service" => serde_json::from_str(body).map(Record::Service),
        "invitation" => serde_json::from_str(body).map(Record::Invitation),
        "grant" => serde_json::from_str(body).map(Record::Grant),
        "received" => serde_json::from_str(body).map(Record::Received),
        "inlet" => serde_json::from_str(body).map(Record::Inlet),
        "contact" => serde_json::from_str(body).map(Record::Contact),
        _ => return None,
    };
    record.ok()
}

fn name(key: &RecordKey) -> (&'static str, String) {
    match key {
        RecordKey::Profile => ("profile", String::new()),
        RecordKey::Service(id) => ("service", id.to_string()),
        RecordKey::Invitation(id) => ("invitation", id.to_string()),
        RecordKey::Grant(id) => ("grant", id.to_string()),
        RecordKey::Received(id) => ("received", id.to_string()),
        RecordKey::Inlet(id) => ("inlet", id.to_string()),
        RecordKey::Contact(identifier) => ("contact", identifier.to_string()),
    }
}
