//! Fair shares of what is bounded: entries are counted by who caused them, so that whoever causes many gets in nobody's way.
//!
//! ```text
//! FairSet    a full set is made room in by the oldest entry of whoever has most
//! FairQueue  everybody's turn comes round; a full queue loses the newest item of whoever has most waiting
//! ```
//!
//! Pure state: no clock, no task, no I/O.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::hash::Hash;
use std::ops::Bound;

/// Entries by who caused them.
pub(crate) struct FairSet<K, V> {
    groups: BTreeMap<K, BTreeMap<u64, V>>,
    /// The groups by size; of those of equal size the one with the oldest entry is last.
    ranks: BTreeSet<(usize, Reverse<u64>, K)>,
    next: u64,
    len: usize,
}

/// Names an entry of a [`FairSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct EntryId<K> {
    pub(crate) cause: K,
    number: u64,
}

impl<K, V> Default for FairSet<K, V> {
    fn default() -> Self {
        Self { groups: BTreeMap::new(), ranks: BTreeSet::new(), next: 0, len: 0 }
    }
}

impl<K: Copy + Ord + Hash, V> FairSet<K, V> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many entries somebody has.
    pub(crate) fn count(&self, cause: &K) -> usize {
        self.groups.get(cause).map_or(0, BTreeMap::len)
    }

    /// The size of the largest group.
    pub(crate) fn largest(&self) -> usize {
        self.ranks.last().map_or(0, |(size, ..)| *size)
    }

    pub(crate) fn insert(&mut self, cause: K, value: V) -> EntryId<K> {
        let number = self.next;
        self.next += 1;
        self.len += 1;
        self.change(cause, |group| group.insert(number, value));
        EntryId { cause, number }
    }

    pub(crate) fn remove(&mut self, id: &EntryId<K>) -> Option<V> {
        let removed = self.change(id.cause, |group| group.remove(&id.number));
        self.len -= usize::from(removed.is_some());
        removed
    }

    /// Removes the oldest entry of whoever has most.
    pub(crate) fn evict(&mut self) -> Option<(K, V)> {
        let (_, _, cause) = *self.ranks.last()?;
        Some((cause, self.evict_of(&cause)?))
    }

    /// Removes the oldest entry of somebody.
    pub(crate) fn evict_of(&mut self, cause: &K) -> Option<V> {
        let (_, value) = self.change(*cause, BTreeMap::pop_first)?;
        self.len -= 1;
        Some(value)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.groups.values().flat_map(BTreeMap::values)
    }

    /// Up to `count` entries behind one of them, or from the first, by cause and age. The entry may have been removed
    /// meanwhile.
    pub(crate) fn after(&self, entry: Option<&EntryId<K>>, count: usize) -> Vec<(EntryId<K>, &V)> {
        let rest = entry.map(|entry| (entry, self.groups.get(&entry.cause)));
        let rest = rest.into_iter().filter_map(|(entry, group)| Some((entry, group?))).flat_map(|(entry, group)| {
            let newer = group.range((Bound::Excluded(entry.number), Bound::Unbounded));
            newer.map(|(number, value)| (EntryId { cause: entry.cause, number: *number }, value))
        });
        let others = entry.map_or(Bound::Unbounded, |entry| Bound::Excluded(entry.cause));
        let others = self.groups.range((others, Bound::Unbounded)).flat_map(|(cause, group)| {
            group.iter().map(|(number, value)| (EntryId { cause: *cause, number: *number }, value))
        });
        rest.chain(others).take(count).collect()
    }

    /// Changes a group, and ranks it anew.
    fn change<T>(&mut self, cause: K, change: impl FnOnce(&mut BTreeMap<u64, V>) -> T) -> T {
        let group = self.groups.entry(cause).or_default();
        let rank = |group: &BTreeMap<u64, V>| {
            group.first_key_value().map(|(oldest, _)| (group.len(), Reverse(*oldest), cause))
        };
        if let Some(rank) = rank(group) {
            self.ranks.remove(&rank);
        }
        let result = change(group);
        match rank(group) {
            Some(rank) => {
                self.ranks.insert(rank);
            }
            None => {
                self.groups.remove(&cause);
            }
        }
        result
    }
}

/// Items that wait, in turns of those who caused them.
pub(crate) struct FairQueue<K, T> {
    waiting: HashMap<K, VecDeque<T>>,
    /// Those that have something waiting; the first is next.
    turns: VecDeque<K>,
    len: usize,
}

/// What came of [`FairQueue::push`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pushed<T> {
    /// The item waits now.
    pub(crate) taken: bool,
    /// The item that waits no longer, or never did.
    pub(crate) lost: Option<T>,
}

impl<K, T> Default for FairQueue<K, T> {
    fn default() -> Self {
        Self { waiting: HashMap::new(), turns: VecDeque::new(), len: 0 }
    }
}

impl<K: Copy + Eq + Hash, T> FairQueue<K, T> {
    /// Appends an item. If more than `capacity` would wait, whoever has most waiting loses their newest item, which may
    /// be this one.
    pub(crate) fn push(&mut self, cause: K, item: T, capacity: usize) -> Pushed<T> {
        let mine = self.waiting.get(&cause).map_or(0, VecDeque::len);
        let mut lost = None;
        if self.len >= capacity {
            let most =
                self.waiting.iter().max_by_key(|(_, items)| items.len()).map(|(cause, items)| (*cause, items.len()));
            match most {
                Some((other, theirs)) if theirs > mine + 1 => lost = self.drop_newest(other),
                _ => return Pushed { taken: false, lost: Some(item) },
            }
        }
        let items = self.waiting.entry(cause).or_default();
        if items.is_empty() {
            self.turns.push_back(cause);
        }
        items.push_back(item);
        self.len += 1;
        Pushed { taken: true, lost }
    }

    fn drop_newest(&mut self, cause: K) -> Option<T> {
        // More than one item waits there, so their turn stays.
        let dropped = self.waiting.get_mut(&cause)?.pop_back()?;
        self.len -= 1;
        Some(dropped)
    }

    /// The oldest item of whoever's turn it is.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let cause = self.turns.pop_front()?;
        let items = self.waiting.get_mut(&cause)?;
        let item = items.pop_front()?;
        self.len -= 1;
        match items.is_empty() {
            true => drop(self.waiting.remove(&cause)),
            false => self.turns.push_back(cause),
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whoever_has_most_gives_way_first_with_their_oldest() {
        let mut set = FairSet::default();
        let friend = set.insert("friend", 0);
        for number in 1..=3 {
            set.insert("flood", number);
        }
        assert_eq!((set.len(), set.largest(), set.count(&"flood")), (4, 3, 3));
        assert_eq!(set.evict(), Some(("flood", 1)));
        assert_eq!(set.evict(), Some(("flood", 2)));
        // Of equal groups the one with the oldest entry.
        assert_eq!(set.evict(), Some(("friend", 0)));
        assert_eq!((set.remove(&friend), set.len()), (None, 1));
        assert_eq!(set.evict(), Some(("flood", 3)));
        assert_eq!((set.evict(), set.len()), (None, 0));
        assert!(set.groups.is_empty() && set.ranks.is_empty());
    }

    #[test]
    fn entries_are_gone_through_in_parts_while_some_are_removed() {
        let mut set = FairSet::default();
        let ids: Vec<_> = (0..10).map(|number| set.insert(number % 3, number)).collect();
        let (mut seen, mut last) = (Vec::new(), None);
        loop {
            let part: Vec<_> = set.after(last.as_ref(), 4).into_iter().map(|(id, value)| (id, *value)).collect();
            let Some((end, _)) = part.last() else { break };
            last = Some(*end);
            seen.extend(part.iter().map(|(_, value)| *value));
            // What was seen last, with its group's others, and one that comes yet.
            set.remove(end);
            set.remove(&ids[8]);
        }
        assert_eq!(seen, [0, 3, 6, 9, 1, 4, 7, 2, 5]);
    }

    #[test]
    fn everybody_has_a_turn_and_a_full_queue_costs_whoever_has_most() {
        let mut queue = FairQueue::default();
        for number in 0..4 {
            assert_eq!(queue.push("flood", number, 4), Pushed { taken: true, lost: None });
        }
        assert_eq!(queue.push("flood", 4, 4), Pushed { taken: false, lost: Some(4) });
        assert_eq!(queue.push("friend", 9, 4), Pushed { taken: true, lost: Some(3) });
        assert_eq!([queue.pop(), queue.pop(), queue.pop()], [Some(0), Some(9), Some(1)]);
        assert_eq!([queue.pop(), queue.pop()], [Some(2), None]);
        assert!(queue.waiting.is_empty() && queue.turns.is_empty() && queue.len == 0);
    }

    proptest! {
        #[test]
        fn a_queue_never_exceeds_its_capacity_and_loses_nothing_else(pushes in prop::collection::vec(0u8..5, 0..60)) {
            let mut queue = FairQueue::default();
            let mut dropped = 0;
            for (number, cause) in pushes.iter().enumerate() {
                dropped += usize::from(queue.push(*cause, number, 8).lost.is_some());
                prop_assert!(queue.len <= 8);
            }
            let left = std::iter::from_fn(|| queue.pop()).count();
            prop_assert_eq!(left + dropped, pushes.len());
        }
    }
}
