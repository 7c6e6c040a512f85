//! The embedded storage: records in the hub's own database.

use super::database::StreamDatabase;
use super::storage::{Batch, Extent, IndexStorage, Log, NewStream, Pending, Place, Result, StreamStorage};

/// The storage of the services `stream` and `stream_index`.
#[derive(Clone)]
pub(crate) struct EmbeddedStorage {
    database: StreamDatabase,
}

impl EmbeddedStorage {
    pub(crate) fn new(database: StreamDatabase) -> Self {
        Self { database }
    }
}

impl StreamStorage for EmbeddedStorage {
    type Log = EmbeddedLog;

    const SERVICE: &'static str = "embedded";

    fn create(&self, stream: NewStream, _: bool) -> Pending<u64> {
        // There is nothing besides the catalog.
        Box::pin(std::future::ready(Ok(stream.partitions)))
    }

    fn log(&self, _: &str, _: u64, id: i64) -> EmbeddedLog {
        EmbeddedLog { database: self.database.clone(), id, first: 0, end: 0 }
    }

    fn delete(&self, _: String) -> Pending<()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

impl IndexStorage for EmbeddedStorage {
    fn get(&self, place: Place) -> Pending<Option<u64>> {
        self.database.place(place)
    }

    fn save(&self, place: Place, index: u64) -> Result<()> {
        self.database.save_place(place, index)
    }
}

/// A partition's log. Nobody else appends to it.
pub(crate) struct EmbeddedLog {
    database: StreamDatabase,
    id: i64,
    first: u64,
    end: u64,
}

impl Log for EmbeddedLog {
    fn append(&mut self, records: Vec<Vec<u8>>) -> Pending<u64> {
        self.database.append(self.id, records)
    }

    async fn read(&mut self, from: u64, extent: Extent) -> Result<Option<Batch>> {
        let batch = self.database.read(self.id, from, extent).await?;
        match &batch {
            Some(batch) => (self.first, self.end) = (batch.first, self.end.max(batch.next)),
            None => self.end = from,
        }
        Ok(batch)
    }

    fn has_settled(&self) -> bool {
        true
    }

    async fn arrived(&mut self) {
        std::future::pending().await
    }

    fn first(&self) -> u64 {
        self.first
    }

    fn end(&self) -> u64 {
        self.end
    }

    fn trouble(&self) -> Option<String> {
        None
    }
}
