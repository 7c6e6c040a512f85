//! Records: one row each, its body as JSON.

use super::StoreError;
use crate::machine::{Change, Record, RecordKey};
use sqlx::SqliteConnection;

/// All records, and how many rows could not be read.
pub(super) async fn load(connection: &mut SqliteConnection) -> Result<(Vec<Record>, usize), StoreError> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT kind, body FROM record ORDER BY kind, id").fetch_all(connection).await?;
    let all = rows.len();
    let read = rows.into_iter().filter_map(|(kind, body)| {
        let record = decode(&kind, &body);
        if record.is_none() {
            tracing::error!(%kind, "a stored record cannot be read");
        }
        record
    });
    let records: Vec<Record> = read.collect();
    let unreadable = all - records.len();
    Ok((records, unreadable))
}

pub(super) async fn apply(connection: &mut SqliteConnection, change: &Change) -> Result<(), StoreError> {
    match change {
        Change::Put(record) => {
            let (kind, id) = name(&key(record));
            let body = encode(record)?;
            sqlx::query(
                "INSERT INTO record (kind, id, body) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body",
            )
            .bind(kind)
            .bind(id)
            .bind(body)
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

fn key(record: &Record) -> RecordKey {
    match record {
        Record::Profile(_) => RecordKey::Profile,
        Record::Service(service) => RecordKey::Service(service.id),
        Record::Invitation(invitation) => RecordKey::Invitation(invitation.id),
        Record::Grant(grant) => RecordKey::Grant(grant.id),
        Record::Received(received) => RecordKey::Received(received.id),
        Record::Inlet(inlet) => RecordKey::Inlet(inlet.id),
        Record::Contact(contact) => RecordKey::Contact(contact.identifier),
    }
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
