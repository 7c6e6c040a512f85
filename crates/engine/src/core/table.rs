//! Records of one sort, in memory and, through the turn, on disk.

use crate::api::{GrantId, InletId, InvitationId, ServiceId};
use crate::core::records::{Contact, Grant, Inlet, Invitation, Received, Record, RecordKey, Service};
use crate::core::transaction::Transaction;
use postern_node::identity::Identifier;
use std::collections::BTreeMap;

/// A record that is found by a key.
pub(crate) trait Kept: Clone + PartialEq {
    type Key: Copy + Ord;
    fn key(&self) -> Self::Key;
    fn record(&self) -> Record;
    fn record_key(key: Self::Key) -> RecordKey;
}

macro_rules! kept {
    ($($name:ident, $key:ty, $field:ident;)*) => {$(
        impl Kept for $name {
            type Key = $key;
            fn key(&self) -> $key {
                self.$field
            }
            fn record(&self) -> Record {
                Record::$name(self.clone())
            }
            fn record_key(key: $key) -> RecordKey {
                RecordKey::$name(key)
            }
        }
    )*};
}

kept! {
    Service, ServiceId, id;
    Invitation, InvitationId, id;
    Grant, GrantId, id;
    Received, InvitationId, id;
    Inlet, InletId, id;
    Contact, Identifier, identifier;
}

/// All records of one sort. What changes here is saved by the turn that changes it: there is no other way in.
pub(crate) struct Table<T: Kept>(BTreeMap<T::Key, T>);

impl<T: Kept> Default for Table<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Kept> Table<T> {
    /// Takes a record as it was loaded.
    pub(crate) fn load(&mut self, record: T) {
        self.0.insert(record.key(), record);
    }

    pub(crate) fn get(&self, key: T::Key) -> Option<&T> {
        self.0.get(&key)
    }

    pub(crate) fn contains(&self, key: T::Key) -> bool {
        self.0.contains_key(&key)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        self.0.values()
    }

    pub(crate) fn find(&self, which: impl Fn(&T) -> bool) -> Option<&T> {
        self.0.values().find(|it| which(it))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    #[cfg(test)]
    pub(crate) fn records(&self) -> impl Iterator<Item = (RecordKey, Record)> {
        self.0.values().map(|it| (T::record_key(it.key()), it.record()))
    }

    pub(crate) fn keys_of(&self, which: impl Fn(&T) -> bool) -> Vec<T::Key> {
        self.0.values().filter(|it| which(it)).map(Kept::key).collect()
    }

    pub(crate) fn put(&mut self, turn: &mut Transaction, record: T) {
        turn.put(T::record_key(record.key()), record.record());
        self.0.insert(record.key(), record);
    }

    /// Changes a record, and saves it if that made a difference. Returns whether it did.
    pub(crate) fn change(&mut self, turn: &mut Transaction, key: T::Key, change: impl FnOnce(&mut T)) -> bool {
        let Some(record) = self.0.get_mut(&key) else { return false };
        let before = record.clone();
        change(record);
        let changed = *record != before;
        if changed {
            turn.put(T::record_key(key), record.record());
        }
        changed
    }

    /// Recalls what of a record rests apart from it, and is there already: nothing is to be saved.
    pub(crate) fn recall(&mut self, key: T::Key, recall: impl FnOnce(&mut T)) {
        if let Some(record) = self.0.get_mut(&key) {
            recall(record);
        }
    }

    pub(crate) fn remove(&mut self, turn: &mut Transaction, key: T::Key) -> Option<T> {
        let removed = self.0.remove(&key)?;
        turn.delete(T::record_key(key));
        Some(removed)
    }
}
