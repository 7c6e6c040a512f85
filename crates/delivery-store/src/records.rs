//! The tables, and what is kept of them in memory: the state of each peer, so that appending needs no reading.

use crate::owner::Commit;
use postern_node::identity::Identifier;
use postern_node::reliable::{
    Appended, Draft, EPOCHS_MAX, Epoch, Incoming, Outgoing, Progress, Stamp, StoreError, StoredMessage, Usage,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};
use std::collections::{HashMap, VecDeque};

/// Bits of an id of `outgoing` that are the sequence: enough for a million messages a second for a week, for each peer.
const SEQUENCE_BITS: u32 = 40;

/// Rows that one statement inserts, the most first: few different statements, so that each is prepared once.
const ROWS_OF_INSERTS: [usize; 4] = [128, 32, 8, 1];

/// The outer result is of the file: if it fails, the transaction has. The inner is what the caller is told; nothing was written
/// then.
type Outcome<T> = sqlx::Result<Result<T, StoreError>>;

pub(crate) struct Records {
    capacity: Usage,
    peers: HashMap<Identifier, PeerRecord>,
}

/// What is known of the messages to one peer.
struct PeerRecord {
    row: i64,
    outgoing: Outgoing,
    /// Of the outstanding messages, in order: the length of each encrypted body.
    lengths: VecDeque<u32>,
}

impl PeerRecord {
    fn id(&self, sequence: u64) -> i64 {
        (self.row << SEQUENCE_BITS) + integer(sequence)
    }
}

/// SQLite's integers are signed.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Records {
    pub(crate) fn new(capacity: Usage) -> Self {
        Self { capacity, peers: HashMap::new() }
    }

    /// The transaction that may have changed what is known was not committed.
    pub(crate) fn forget(&mut self) {
        self.peers.clear();
    }

    pub(crate) async fn peers(&mut self, connection: &mut SqliteConnection) -> sqlx::Result<Vec<Identifier>> {
        let waiting = "SELECT peer FROM outgoing_peer AS p WHERE EXISTS \
                       (SELECT 1 FROM outgoing WHERE id > (p.id << 40) AND id < ((p.id + 1) << 40))";
        let rows = sqlx::query(waiting).fetch_all(connection).await?;
        rows.iter().map(|row| Ok(Identifier::from_bytes(bytes(row, 0)?))).collect()
    }

    /// The record of a peer; read, or made, when it is first needed.
    async fn peer(&mut self, connection: &mut SqliteConnection, peer: &Identifier) -> sqlx::Result<&mut PeerRecord> {
        if !self.peers.contains_key(peer) {
            let record = match load(connection, peer).await? {
                Some(record) => record,
                None => make(connection, peer).await?,
            };
            self.peers.insert(*peer, record);
        }
        Ok(self.peers.get_mut(peer).unwrap_or_else(|| unreachable!("it was just put there")))
    }

    pub(crate) async fn outgoing(
        &mut self,
        connection: &mut SqliteConnection,
        peer: &Identifier,
    ) -> sqlx::Result<Outgoing> {
        Ok(self.peer(connection, peer).await?.outgoing)
    }

    pub(crate) async fn append(
        &mut self,
        connection: &mut SqliteConnection,
        peer: &Identifier,
        groups: Vec<Vec<Draft>>,
    ) -> Outcome<Appended> {
        let capacity = self.capacity;
        let record = self.peer(connection, peer).await?;
        let first = record.outgoing.next;
        let mut fitting = Vec::new();
        for group in &groups {
            let mut after = record.outgoing.used;
            if !group.iter().all(|draft| after.add(draft.sealed_len(), capacity)) {
                break;
            }
            record.outgoing.used = after;
            fitting.extend(group);
        }
        insert(connection, record, &fitting).await?;
        let Outgoing { next, used, .. } = record.outgoing;
        let count = (next - first) as usize;
        Ok(match count {
            0 => Err(StoreError::Full { used, capacity }),
            _ => Ok(Appended { first, count, used, capacity }),
        })
    }

    pub(crate) async fn read(
        &mut self,
        connection: &mut SqliteConnection,
        peer: &Identifier,
        after: u64,
        messages: usize,
        bytes_max: usize,
    ) -> sqlx::Result<Vec<StoredMessage>> {
        let record = self.peer(connection, peer).await?;
        let (from, base) = (record.id(after), record.id(0));
        // The lengths say how many fit, so that none is read in vain.
        let skipped = after.saturating_sub(record.outgoing.acknowledged) as usize;
        let mut room = bytes_max;
        let fitting = record.lengths.iter().skip(skipped).take(messages).enumerate().take_while(|(index, length)| {
            let fits = *index == 0 || **length as usize <= room;
            room = room.saturating_sub(**length as usize);
            fits
        });
        let limit = fitting.count();
        let next = "SELECT id, stamp, sealed FROM outgoing WHERE id > ? AND id <= ? ORDER BY id LIMIT ?";
        let last = record.id(record.outgoing.next - 1);
        let rows = sqlx::query(next).bind(from).bind(last).bind(limit as i64).fetch_all(connection).await?;
        let message = |row: &SqliteRow| {
            let id: i64 = row.try_get(0)?;
            let stamp = Stamp::from_bytes(bytes(row, 1)?);
            Ok(StoredMessage { sequence: (id - base).unsigned_abs(), stamp, sealed: row.try_get(2)? })
        };
        rows.iter().map(message).collect()
    }

    pub(crate) async fn stamp(
        &mut self,
        connection: &mut SqliteConnection,
        peer: &Identifier,
        sequence: u64,
    ) -> sqlx::Result<Option<Stamp>> {
        let id = self.peer(connection, peer).await?.id(sequence);
        let row = sqlx::query("SELECT stamp FROM outgoing WHERE id = ?").bind(id).fetch_optional(connection).await?;
        row.map(|row| Ok(Stamp::from_bytes(bytes(&row, 0)?))).transpose()
    }

    pub(crate) async fn acknowledge(
        &mut self,
        connection: &mut SqliteConnection,
        peer: &Identifier,
        sequence: u64,
        stamp: Stamp,
    ) -> sqlx::Result<Usage> {
        let record = self.peer(connection, peer).await?;
        let (first, last) = (record.id(0), record.id(sequence));
        // Both as one: each of its own would cost two more changes of thread.
        let both = "DELETE FROM outgoing WHERE id > ? AND id <= ?; \
                    UPDATE outgoing_peer SET acknowledged = ?, acknowledged_stamp = ? WHERE id = ?";
        let both = sqlx::query(both).bind(first).bind(last).bind(integer(sequence));
        both.bind(&stamp.as_bytes()[..]).bind(record.row).execute(&mut *connection).await?;
        let outgoing = &mut record.outgoing;
        for _ in outgoing.acknowledged..sequence {
            let Some(length) = record.lengths.pop_front() else { break };
            outgoing.used.messages -= 1;
            outgoing.used.bytes -= u64::from(length);
        }
        (outgoing.acknowledged, outgoing.acknowledged_stamp) = (sequence, stamp);
        Ok(outgoing.used)
    }

    pub(crate) async fn new_epoch(
        &mut self,
        connection: &mut SqliteConnection,
        peer: &Identifier,
    ) -> sqlx::Result<Outgoing> {
        let record = self.peer(connection, peer).await?;
        let epoch = new_epoch()?;
        let outgoing = record.outgoing.in_epoch(epoch);
        let update = "UPDATE outgoing_peer SET epoch = ?, base = ?, acknowledged_stamp = ? WHERE id = ?";
        sqlx::query(update)
            .bind(&epoch.as_bytes()[..])
            .bind(integer(outgoing.base))
            .bind(&outgoing.acknowledged_stamp.as_bytes()[..])
            .bind(record.row)
            .execute(connection)
            .await?;
        record.outgoing = outgoing;
        Ok(outgoing)
    }

    pub(crate) async fn incoming(
        &mut self,
        connection: &mut SqliteConnection,
        peer: &Identifier,
        epoch: &Epoch,
    ) -> sqlx::Result<Incoming> {
        let select = "SELECT last, stamp, begun FROM incoming WHERE peer = ? AND epoch = ?";
        let select = sqlx::query(select).bind(&peer.as_bytes()[..]).bind(&epoch.as_bytes()[..]);
        let Some(row) = select.fetch_optional(connection).await? else { return Ok(Incoming::default()) };
        let (last, begun): (i64, i64) = (row.try_get(0)?, row.try_get(2)?);
        Ok(Incoming {
            last: last.unsigned_abs(),
            stamp: Stamp::from_bytes(bytes(&row, 1)?),
            begun: begun.unsigned_abs(),
        })
    }

    /// Writes progress, and stores messages.
    pub(crate) async fn commit(&mut self, connection: &mut SqliteConnection, commit: Commit) -> Outcome<Vec<u64>> {
        let Commit { progress, drafts } = commit;
        let mut used: HashMap<Identifier, Usage> = HashMap::new();
        for draft in &drafts {
            let present = self.peer(connection, draft.peer()).await?.outgoing.used;
            let used = used.entry(*draft.peer()).or_insert(present);
            if !used.add(draft.sealed_len(), self.capacity) {
                return Ok(Err(StoreError::Full { used: *used, capacity: self.capacity }));
            }
        }
        let mut sequences = Vec::with_capacity(drafts.len());
        for draft in &drafts {
            let record = self.peer(connection, draft.peer()).await?;
            sequences.push(record.outgoing.next);
            insert(connection, record, &[draft]).await?;
            record.outgoing.used.messages += 1;
            record.outgoing.used.bytes += draft.sealed_len() as u64;
        }
        if let Some(progress) = progress {
            write(connection, &progress).await?;
        }
        Ok(Ok(sequences))
    }

    /// Writes something, so that a commit syncs the file.
    pub(crate) async fn touch(&mut self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        sqlx::query("UPDATE synced SET syncs = syncs + 1").execute(connection).await.map(drop)
    }
}

fn new_epoch() -> sqlx::Result<Epoch> {
    Epoch::random().map_err(sqlx::Error::Io)
}

fn bytes<const N: usize>(row: &SqliteRow, column: usize) -> sqlx::Result<[u8; N]> {
    let bytes: &[u8] = row.try_get(column)?;
    bytes.try_into().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

async fn load(connection: &mut SqliteConnection, peer: &Identifier) -> sqlx::Result<Option<PeerRecord>> {
    let select = "SELECT id, epoch, base, acknowledged, acknowledged_stamp FROM outgoing_peer WHERE peer = ?";
    let row = sqlx::query(select).bind(&peer.as_bytes()[..]).fetch_optional(&mut *connection).await?;
    let Some(row) = row else { return Ok(None) };
    let (id, base, acknowledged): (i64, i64, i64) = (row.try_get(0)?, row.try_get(2)?, row.try_get(3)?);
    let mut record =
        PeerRecord { row: id, outgoing: Outgoing::new(Epoch::from_bytes(bytes(&row, 1)?)), lengths: VecDeque::new() };
    let select = "SELECT LENGTH(sealed) FROM outgoing WHERE id > ? AND id < ? ORDER BY id";
    let select = sqlx::query_as(select).bind(record.id(0)).bind((id + 1) << SEQUENCE_BITS);
    let lengths: Vec<(i64,)> = select.fetch_all(connection).await?;
    record.lengths = lengths.into_iter().map(|(length,)| length as u32).collect();
    let (messages, sum) = (record.lengths.len() as u64, record.lengths.iter().map(|length| u64::from(*length)).sum());
    let outgoing = &mut record.outgoing;
    outgoing.base = base.unsigned_abs();
    outgoing.acknowledged = acknowledged.unsigned_abs();
    outgoing.acknowledged_stamp = Stamp::from_bytes(bytes(&row, 4)?);
    outgoing.next = outgoing.acknowledged + messages + 1;
    outgoing.used = Usage { messages, bytes: sum };
    Ok(Some(record))
}

async fn make(connection: &mut SqliteConnection, peer: &Identifier) -> sqlx::Result<PeerRecord> {
    let epoch = new_epoch()?;
    let outgoing = Outgoing::new(epoch);
    let insert =
        "INSERT INTO outgoing_peer (peer, epoch, base, acknowledged, acknowledged_stamp) VALUES (?, ?, 0, 0, ?)";
    let inserted = sqlx::query(insert)
        .bind(&peer.as_bytes()[..])
        .bind(&epoch.as_bytes()[..])
        .bind(&outgoing.acknowledged_stamp.as_bytes()[..])
        .execute(connection)
        .await?;
    Ok(PeerRecord { row: inserted.last_insert_rowid(), outgoing, lengths: VecDeque::new() })
}

/// Stores messages, for which there is room and which are counted as used. Several rows are written by one statement, as each
/// statement costs two changes of thread.
async fn insert(connection: &mut SqliteConnection, record: &mut PeerRecord, drafts: &[&Draft]) -> sqlx::Result<()> {
    let mut left = drafts;
    for rows in ROWS_OF_INSERTS {
        while let Some((now, later)) = left.split_at_checked(rows) {
            insert_rows(connection, record, now).await?;
            left = later;
        }
    }
    Ok(())
}

async fn insert_rows(
    connection: &mut SqliteConnection,
    record: &mut PeerRecord,
    drafts: &[&Draft],
) -> sqlx::Result<()> {
    let values = vec!["(?, ?, ?)"; drafts.len()].join(", ");
    let statement = AssertSqlSafe(format!("INSERT INTO outgoing (id, stamp, sealed) VALUES {values}"));
    let mut insert = sqlx::query(statement);
    let mut lengths = Vec::with_capacity(drafts.len());
    for (sequence, draft) in (record.outgoing.next..).zip(drafts) {
        let sealed = draft.seal(sequence).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
        lengths.push(sealed.len() as u32);
        insert = insert.bind(record.id(sequence)).bind(draft.stamp().as_bytes().to_vec()).bind(sealed);
    }
    insert.execute(connection).await?;
    record.outgoing.next += drafts.len() as u64;
    record.lengths.extend(lengths);
    Ok(())
}

/// Writes progress. It never goes back, in whatever order it is written.
async fn write(connection: &mut SqliteConnection, progress: &Progress) -> sqlx::Result<()> {
    let Progress { peer, epoch, incoming } = progress;
    // In an UPDATE, names of columns are the values of before.
    let update = "UPDATE incoming SET stamp = CASE WHEN ?1 > last THEN ?2 ELSE stamp END, last = MAX(last, ?1), \
                  begun = MAX(begun, ?3) WHERE peer = ?4 AND epoch = ?5";
    let (last, begun) = (integer(incoming.last), integer(incoming.begun));
    let (stamp, peer, epoch) = (&incoming.stamp.as_bytes()[..], &peer.as_bytes()[..], &epoch.as_bytes()[..]);
    let update = sqlx::query(update).bind(last).bind(stamp).bind(begun).bind(peer).bind(epoch);
    if update.execute(&mut *connection).await?.rows_affected() == 1 {
        return Ok(());
    }
    let insert = "INSERT INTO incoming (last, stamp, begun, peer, epoch) VALUES (?, ?, ?, ?, ?)";
    let insert = sqlx::query(insert).bind(last).bind(stamp).bind(begun).bind(peer).bind(epoch);
    insert.execute(&mut *connection).await?;
    let forget = "DELETE FROM incoming WHERE peer = ? AND id NOT IN \
                  (SELECT id FROM incoming WHERE peer = ? ORDER BY id DESC LIMIT ?)";
    sqlx::query(forget).bind(peer).bind(peer).bind(EPOCHS_MAX as i64).execute(connection).await?;
    Ok(())
}
