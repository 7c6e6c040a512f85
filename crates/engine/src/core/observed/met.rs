//! The key histories of people who are not contacts.

use crate::core::limits::{MAX_MET, MAX_MET_BYTES};
use crate::core::schema::KeyHistory;
use postern_node::identity::Identifier;
use std::collections::BTreeMap;

/// The key histories of people who were met and are not contacts, bounded in number and bytes.
#[derive(Default)]
pub(crate) struct MetHistories {
    histories: BTreeMap<Identifier, KeyHistory>,
    bytes: usize,
}

impl MetHistories {
    /// Remembers a history in place of an older one; others make room for it.
    pub(crate) fn put(&mut self, person: Identifier, history: KeyHistory) {
        self.take(person);
        let size = history.encoded.len();
        while self.histories.len() >= MAX_MET || (self.bytes + size > MAX_MET_BYTES && !self.histories.is_empty()) {
            let Some((_, forgotten)) = self.histories.pop_first() else { break };
            self.bytes -= forgotten.encoded.len();
        }
        self.bytes += size;
        self.histories.insert(person, history);
    }

    pub(crate) fn get(&self, person: Identifier) -> Option<&KeyHistory> {
        self.histories.get(&person)
    }

    /// Removes a history and returns it.
    pub(crate) fn take(&mut self, person: Identifier) -> Option<KeyHistory> {
        let history = self.histories.remove(&person)?;
        self.bytes -= history.encoded.len();
        Some(history)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.histories.len()
    }
}
