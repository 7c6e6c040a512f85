//! Who may use a stream, who is asking, and which names there are.

use crate::authorization::Party;
use bytes::Bytes;
use postern_node::identity::Identifier;
use postern_node::stream::NAME_LEN_MAX;
use postern_node::{Address, Routed};
use std::collections::BTreeSet;

/// Identities that one stream is shared with.
pub(crate) const SHARED_MAX: usize = 256;

/// Who may use a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Access {
    /// Nobody's: everybody may who knows its name.
    pub(crate) owner: Option<Identifier>,
    pub(crate) shared: BTreeSet<Identifier>,
}

impl Access {
    /// Who somebody is to it, whose identity a secure channel with the hub proves.
    pub(crate) fn party(&self, peer: Option<&Identifier>) -> Party {
        match (&self.owner, peer) {
            (None, Some(_)) => Party::Shared,
            (None, None) => Party::Anonymous,
            (Some(owner), Some(peer)) if owner == peer => Party::Owner,
            (Some(_), Some(peer)) if self.shared.contains(peer) => Party::Shared,
            (Some(_), _) => Party::Stranger,
        }
    }
}

/// Who asks, for rate limits: an identity, or a connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    Identity(Identifier),
    Connection(Option<Address>),
}

impl Client {
    pub(crate) fn of(message: &Routed<Bytes>) -> Self {
        match message.peer() {
            Some(peer) => Self::Identity(*peer),
            None => Self::Connection(message.return_route().front()),
        }
    }
}

/// Whether a stream, or a client of the index service, may have this name (`docs/wire.md` §15.2).
pub(crate) fn is_valid_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=NAME_LEN_MAX).contains(&name.len()) && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_with_an_owner_is_for_the_owner_and_whom_it_is_shared_with() {
        let [owner, friend, stranger] = [1, 2, 3].map(|byte| Identifier::from_bytes([byte; 32]));
        let access = Access { owner: Some(owner), shared: [friend].into() };
        let parties = |access: &Access| [Some(&owner), Some(&friend), Some(&stranger), None].map(|it| access.party(it));
        assert_eq!(parties(&access), [Party::Owner, Party::Shared, Party::Stranger, Party::Stranger]);
        let nobodys = [Party::Shared, Party::Shared, Party::Shared, Party::Anonymous];
        assert_eq!(parties(&Access::default()), nobodys);
    }

    #[test]
    fn names_are_those_that_kafka_takes() {
        for good in ["a", "Bob-to_Alice.1", &"x".repeat(NAME_LEN_MAX)] {
            assert!(is_valid_name(good), "{good}");
        }
        for bad in ["", "a b", "a/b", "ä", "a\0", &"x".repeat(NAME_LEN_MAX + 1)] {
            assert!(!is_valid_name(bad), "{bad}");
        }
    }
}
