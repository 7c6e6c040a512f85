//! Relay names that identities had recently: reserved for them while they are offline.

use crate::address::Address;
use crate::identity::Identifier;
use postern_env::time::{Duration, Instant};
use std::collections::{BTreeMap, HashMap};

/// How long a name stays its identity's after the relay has ended.
pub const RESERVED_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// The names, and until when they are reserved.
#[derive(Default)]
pub(super) struct ReservedNames {
    names: HashMap<Address, (Identifier, u64)>,
    /// By the order in which they were reserved.
    order: BTreeMap<u64, (Address, Instant)>,
    next: u64,
}

impl ReservedNames {
    /// Whether somebody else than `owner` has the name.
    pub(super) fn is_others(&self, name: &Address, owner: Option<Identifier>, now: Instant) -> bool {
        let Some((whose, number)) = self.names.get(name) else { return false };
        let holds = self.order.get(number).is_some_and(|(_, until)| *until > now);
        holds && owner != Some(*whose)
    }

    /// Keeps the name for `owner` from now on. Above `max` names, those reserved first are given up.
    pub(super) fn reserve(&mut self, name: Address, owner: Identifier, max: usize, now: Instant) {
        self.release(&name);
        self.names.insert(name.clone(), (owner, self.next));
        self.order.insert(self.next, (name, now + RESERVED_FOR));
        self.next += 1;
        while let Some(first) = self.order.first_entry() {
            if self.names.len() <= max && first.get().1 > now {
                break;
            }
            let (name, _) = first.remove();
            self.names.remove(&name);
        }
    }

    pub(super) fn release(&mut self, name: &Address) {
        if let Some((_, number)) = self.names.remove(name) {
            self.order.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(byte: u8) -> Identifier {
        Identifier::from_bytes([byte; 32])
    }

    #[test]
    fn a_name_is_kept_for_its_owner_and_for_a_time() {
        let (mut reserved, now) = (ReservedNames::default(), Instant::now());
        let name = Address::from("name");
        assert!(!reserved.is_others(&name, None, now));
        reserved.reserve(name.clone(), who(1), 9, now);
        assert!(reserved.is_others(&name, None, now) && reserved.is_others(&name, Some(who(2)), now));
        assert!(!reserved.is_others(&name, Some(who(1)), now));
        assert!(reserved.is_others(&name, Some(who(2)), now + RESERVED_FOR - Duration::from_secs(1)));
        assert!(!reserved.is_others(&name, Some(who(2)), now + RESERVED_FOR));
        reserved.release(&name);
        assert!(!reserved.is_others(&name, Some(who(2)), now));
    }

    #[test]
    fn the_oldest_are_given_up_first() {
        let (mut reserved, now) = (ReservedNames::default(), Instant::now());
        for name in ["a", "b", "a", "c"] {
            reserved.reserve(name.into(), who(1), 2, now);
        }
        assert!(!reserved.is_others(&"b".into(), None, now));
        assert!(reserved.is_others(&"a".into(), None, now) && reserved.is_others(&"c".into(), None, now));
        reserved.reserve("d".into(), who(1), 9, now + RESERVED_FOR);
        assert_eq!((reserved.names.len(), reserved.order.len()), (1, 1));
    }
}
