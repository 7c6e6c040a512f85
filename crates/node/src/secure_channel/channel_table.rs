//! The channels that others have opened with a listener: how many there may be, and who makes room for whom.
//!
//! ```text
//! contacts    people that the owner of the node knows; a part of the capacity is theirs alone
//! strangers   everybody else, by where they come from; the oldest unused channel of whoever has most is closed first
//! ```
//!
//! An identity costs its maker nothing, so strangers are counted by where they come from, and contacts by who they are.

use super::handshake_queue::Cause;
use crate::fairness::{EntryId, FairSet};
use crate::identity::Identifier;

/// A stranger's channel that is in use gives way to another stranger only if so many more of its kind come from where it
/// does.
const MANY_MORE: usize = 64;

/// What the table must know of a channel.
pub(super) trait Slot: Clone {
    /// Whether something in this node depends on it, such as an open stream.
    fn is_in_use(&self) -> bool;
    /// Whether it is over.
    fn has_ended(&self) -> bool;
}

/// Whose a channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    Contact(Identifier),
    Stranger(Cause),
}

/// How many channels a table holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Capacity {
    pub(super) all: usize,
    pub(super) strangers: usize,
}

/// Names a channel of a table until it is evicted or removed.
#[derive(Debug, Clone, Copy)]
pub(super) enum SlotId {
    Contact(EntryId<Identifier>),
    Unused(EntryId<Cause>),
    Used(EntryId<Cause>),
}

/// The channels of one listener.
pub(super) struct ChannelTable<S> {
    contacts: FairSet<Identifier, S>,
    /// Of strangers, as far as they are not known to be in use.
    unused: FairSet<Cause, S>,
    /// Of strangers, in use.
    used: FairSet<Cause, S>,
}

impl<S> Default for ChannelTable<S> {
    fn default() -> Self {
        Self { contacts: FairSet::default(), unused: FairSet::default(), used: FairSet::default() }
    }
}

/// No channel makes room for this one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TableFull;

impl<S: Slot> ChannelTable<S> {
    pub(super) fn len(&self) -> usize {
        self.contacts.len() + self.strangers()
    }

    fn strangers(&self) -> usize {
        self.unused.len() + self.used.len()
    }

    /// Adds a channel; the one that must be closed to make room for it, if any.
    pub(super) fn admit(&mut self, peer: Peer, slot: S, capacity: Capacity) -> Result<Option<S>, TableFull> {
        let is_full = self.len() >= capacity.all;
        let evicted = match peer {
            Peer::Contact(_) if !is_full => None,
            Peer::Contact(who) => {
                Some(self.evict_stranger(None).or_else(|| self.evict_contact(&who)).ok_or(TableFull)?)
            }
            Peer::Stranger(_) if !is_full && self.strangers() < capacity.strangers => None,
            Peer::Stranger(cause) => Some(self.evict_stranger(Some(&cause)).ok_or(TableFull)?),
        };
        match peer {
            Peer::Contact(who) => drop(self.contacts.insert(who, slot)),
            Peer::Stranger(cause) => drop(self.unused.insert(cause, slot)),
        }
        Ok(evicted)
    }

    /// Makes room for a stranger's channel, or for a contact's.
    fn evict_stranger(&mut self, stranger: Option<&Cause>) -> Option<S> {
        while let Some((cause, slot)) = self.unused.evict() {
            if slot.has_ended() || !slot.is_in_use() {
                return Some(slot);
            }
            self.used.insert(cause, slot);
        }
        let needed = stranger.map_or(1, |cause| self.used.count(cause) + MANY_MORE);
        (self.used.largest() >= needed).then(|| self.used.evict()).flatten().map(|(_, slot)| slot)
    }

    /// Makes room for another channel of a contact: of whoever has more, else of theirs.
    fn evict_contact(&mut self, who: &Identifier) -> Option<S> {
        match self.contacts.largest() > self.contacts.count(who) + 1 {
            true => self.contacts.evict().map(|(_, slot)| slot),
            false => self.contacts.evict_of(who),
        }
    }

    /// All channels.
    pub(super) fn all(&self) -> Vec<S> {
        let strangers = self.unused.values().chain(self.used.values());
        self.contacts.values().chain(strangers).cloned().collect()
    }

    /// Up to `count` channels behind one of them, or from the first: to go through a large table without holding it for
    /// long. Those that are added meanwhile may be missed.
    pub(super) fn after(&self, last: Option<&SlotId>, count: usize) -> Vec<(SlotId, S)> {
        let (contacts, unused, used) = match last {
            None => (Some(None), Some(None), Some(None)),
            Some(SlotId::Contact(id)) => (Some(Some(id)), Some(None), Some(None)),
            Some(SlotId::Unused(id)) => (None, Some(Some(id)), Some(None)),
            Some(SlotId::Used(id)) => (None, None, Some(Some(id))),
        };
        let mut part = Vec::new();
        if let Some(last) = contacts {
            let found = self.contacts.after(last, count);
            part.extend(found.into_iter().map(|(id, slot)| (SlotId::Contact(id), slot.clone())));
        }
        for (of, last, id) in [(&self.unused, unused, SlotId::Unused as fn(_) -> _), (&self.used, used, SlotId::Used)] {
            if let Some(last) = last {
                let found = of.after(last, count - part.len());
                part.extend(found.into_iter().map(|(of, slot)| (id(of), slot.clone())));
            }
        }
        part
    }

    pub(super) fn remove(&mut self, id: &SlotId) -> Option<S> {
        match id {
            SlotId::Contact(id) => self.contacts.remove(id),
            SlotId::Unused(id) => self.unused.remove(id),
            SlotId::Used(id) => self.used.remove(id),
        }
    }

    /// Adds a channel of somebody who became a contact.
    pub(super) fn promote(&mut self, who: Identifier, slot: S) {
        self.contacts.insert(who, slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;

    #[derive(Debug, Clone, PartialEq, Eq)]
    struct Fake(u32, Rc<Cell<bool>>);

    impl Slot for Fake {
        fn is_in_use(&self) -> bool {
            self.1.get()
        }

        fn has_ended(&self) -> bool {
            false
        }
    }

    const CAPACITY: Capacity = Capacity { all: 6, strangers: 4 };

    fn contact(byte: u8) -> Peer {
        Peer::Contact(Identifier::from_bytes([byte; 32]))
    }

    fn stranger(network: u8) -> Peer {
        Peer::Stranger(Cause::Address(std::net::IpAddr::from([192, 0, 2, network]).into()))
    }

    /// The number of the channel that makes room.
    fn admit(table: &mut ChannelTable<Fake>, peer: Peer, number: u32, in_use: bool) -> Result<Option<u32>, TableFull> {
        let slot = Fake(number, Rc::new(Cell::new(in_use)));
        table.admit(peer, slot, CAPACITY).map(|evicted| evicted.map(|it| it.0))
    }

    #[test]
    fn a_flood_of_strangers_keeps_no_contact_and_no_other_stranger_out() {
        let mut table = ChannelTable::default();
        assert_eq!(admit(&mut table, stranger(2), 0, false), Ok(None));
        for number in 1..4 {
            assert_eq!(admit(&mut table, stranger(1), number, false), Ok(None));
        }
        // The rest is the contacts'; a flood makes room for itself.
        assert_eq!(admit(&mut table, stranger(1), 4, false), Ok(Some(1)));
        assert_eq!(admit(&mut table, stranger(3), 5, false), Ok(Some(2)));
        for (person, number) in [(1, 10), (2, 11)] {
            assert_eq!(admit(&mut table, contact(person), number, false), Ok(None));
        }
        // When all is full, strangers make room for contacts.
        for number in 12..16 {
            assert!(matches!(admit(&mut table, contact(3), number, true), Ok(Some(0..=5))));
        }
        // Then whoever of the contacts has most.
        assert_eq!(admit(&mut table, contact(4), 16, true), Ok(Some(12)));
        assert_eq!(admit(&mut table, contact(3), 17, true), Ok(Some(13)));
        assert_eq!(table.len(), CAPACITY.all);
    }

    #[test]
    fn what_is_in_use_stays_while_anything_else_can_make_room() {
        let mut table = ChannelTable::default();
        for number in 0..4 {
            assert_eq!(admit(&mut table, stranger(1), number, number != 2), Ok(None));
        }
        assert_eq!(admit(&mut table, stranger(2), 4, true), Ok(Some(2)));
        assert_eq!(admit(&mut table, stranger(2), 5, true), Err(TableFull));
        assert_eq!(table.len(), 4);
    }

    #[test]
    fn a_table_is_gone_through_in_parts() {
        let mut table = ChannelTable::default();
        for (peer, number, in_use) in [
            (contact(1), 0, false),
            (contact(2), 1, true),
            (stranger(1), 2, true),
            (stranger(2), 3, false),
            (stranger(2), 4, false),
        ] {
            assert_eq!(admit(&mut table, peer, number, in_use), Ok(None));
        }
        // Makes the one in use known as such.
        assert_eq!(admit(&mut table, stranger(1), 5, false), Ok(None));
        assert_eq!(admit(&mut table, stranger(3), 6, false), Ok(Some(3)));
        let (mut seen, mut last) = (Vec::new(), None);
        loop {
            let part = table.after(last.as_ref(), 2);
            let Some((end, _)) = part.last() else { break };
            last = Some(*end);
            assert!(part.len() <= 2);
            seen.extend(part.iter().map(|(_, slot)| slot.0));
            assert!(part.iter().all(|(id, slot)| table.remove(id).is_some_and(|removed| removed == *slot)));
        }
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2, 4, 5, 6]);
        assert_eq!(table.len(), 0);
    }
}
