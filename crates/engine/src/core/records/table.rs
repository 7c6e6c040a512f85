//! Records of one kind, in memory and, through the transaction, on disk.

use crate::api::{GrantId, InletId, InvitationId, ServiceId};
use crate::core::schema::{Contact, Grant, Inlet, Invitation, Received, Record, RecordKey, Service};
use crate::core::transaction::Transaction;
use postern_node::identity::Identifier;
use std::collections::BTreeMap;

/// A record with a key.
pub(crate) trait Keyed: Clone + PartialEq {
    type Key: Copy + Ord;
    fn key(&self) -> Self::Key;
    fn record(&self) -> Record;
    fn record_key(key: Self::Key) -> RecordKey;
}

macro_rules! keyed {
    ($($name:ident, $key:ty, $field:ident;)*) => {$(
        impl Keyed for $name {
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

keyed! {
    Service, ServiceId, id;
    Invitation, InvitationId, id;
    Grant, GrantId, id;
    Received, InvitationId, id;
    Inlet, InletId, id;
    Contact, Identifier, identifier;
}

/// All records of one kind. Only the record modules can change it, and every change goes through a transaction, which
/// saves it.
pub(crate) struct Table<T: Keyed>(BTreeMap<T::Key, T>);

impl<T: Keyed> Default for Table<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Keyed> Table<T> {
    /// Adds a record that was loaded from disk.
    pub(super) fn load(&mut self, record: T) {
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
        self.0.values().filter(|it| which(it)).map(Keyed::key).collect()
    }

    /// Adds or replaces a record.
    pub(super) fn put(&mut self, tx: &mut Transaction, record: T) {
        tx.put(T::record_key(record.key()), record.record());
        self.0.insert(record.key(), record);
    }

    /// Changes a record, and saves it if that made a difference. Returns whether it did.
    pub(super) fn change(&mut self, tx: &mut Transaction, key: T::Key, change: impl FnOnce(&mut T)) -> bool {
        let Some(record) = self.0.get_mut(&key) else { return false };
        let before = record.clone();
        change(record);
        let changed = *record != before;
        if changed {
            tx.put(T::record_key(key), record.record());
        }
        changed
    }

    /// Sets a part of a record that is stored apart from it, and on disk already: nothing is saved.
    pub(super) fn set_transient(&mut self, key: T::Key, set: impl FnOnce(&mut T)) {
        if let Some(record) = self.0.get_mut(&key) {
            set(record);
        }
    }

    pub(super) fn remove(&mut self, tx: &mut Transaction, key: T::Key) -> Option<T> {
        let removed = self.0.remove(&key)?;
        tx.delete(T::record_key(key));
        Some(removed)
    }
}
