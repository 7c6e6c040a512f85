//! What the two ends of a connection say.

use crate::address::{Address, MAX_ADDRESS_LEN};
use crate::wire::bare;

/// Where a hub takes subscriptions.
pub const CONGESTION_SERVICE: &str = "congestion_notices";

const SUBSCRIBE: u8 = 0;
const SUBSCRIBED: u8 = 1;
const MARK: u8 = 2;
const CONFIRMED: u8 = 3;
const CONGESTED: u8 = 4;
const CLEARED: u8 = 5;

/// A message between the two ends of a connection. A hop is an address in their routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notice {
    /// Asks for notices, to the end of the return route.
    Subscribe,
    /// They come, and are taken at the return route.
    Subscribed,
    /// So many bytes were sent along the connection with this hop behind it, modulo 2^64.
    Mark { hop: Address, position: u64 },
    /// What came up to that position has been passed on, or nearly.
    Confirmed { hop: Address, position: u64 },
    /// Messages that came from this hop wait, or need no longer wait.
    Congestion { hop: Address, congested: bool },
}

impl Notice {
    pub(super) fn encode(&self) -> Vec<u8> {
        let about = |kind: u8, hop: &Address| {
            let mut out = vec![kind, hop.kind()];
            bare::push_data(&mut out, hop.value());
            out
        };
        let at = |kind: u8, hop: &Address, position: u64| {
            let mut out = about(kind, hop);
            out.extend_from_slice(&position.to_le_bytes());
            out
        };
        match self {
            Self::Subscribe => vec![SUBSCRIBE],
            Self::Subscribed => vec![SUBSCRIBED],
            Self::Mark { hop, position } => at(MARK, hop, *position),
            Self::Confirmed { hop, position } => at(CONFIRMED, hop, *position),
            Self::Congestion { hop, congested } => about(if *congested { CONGESTED } else { CLEARED }, hop),
        }
    }

    /// Reads a notice; bytes behind it are ignored.
    pub(super) fn read(input: &[u8]) -> Option<Self> {
        let (&kind, rest) = input.split_first()?;
        match kind {
            SUBSCRIBE => return Some(Self::Subscribe),
            SUBSCRIBED => return Some(Self::Subscribed),
            MARK..=CLEARED => {}
            _ => return None,
        }
        let (&of_hop, rest) = rest.split_first()?;
        let (value, rest) = bare::read_data(rest)?;
        let hop = (value.len() <= MAX_ADDRESS_LEN).then(|| Address::new(of_hop, value))?;
        if kind >= CONGESTED {
            return Some(Self::Congestion { hop, congested: kind == CONGESTED });
        }
        let position = u64::from_le_bytes(*rest.first_chunk()?);
        Some(if kind == MARK { Self::Mark { hop, position } } else { Self::Confirmed { hop, position } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn snapshots() {
        let hop = || Address::from("bob");
        let notices = [
            (Notice::Subscribe, "00"),
            (Notice::Subscribed, "01"),
            (Notice::Mark { hop: hop(), position: 513 }, "020003626f620102000000000000"),
            (Notice::Confirmed { hop: hop(), position: 513 }, "030003626f620102000000000000"),
            (Notice::Congestion { hop: hop(), congested: true }, "040003626f62"),
            (Notice::Congestion { hop: hop(), congested: false }, "050003626f62"),
        ];
        for (notice, bytes) in notices {
            assert_eq!(hex::encode(notice.encode()), bytes);
            assert_eq!(Notice::read(&[&notice.encode()[..], b"more"].concat()), Some(notice));
        }
        for wrong in [&b""[..], b"\x06", b"\x02", b"\x04\x00", b"\x04\x00\x04bob", b"\x02\x00\x03bob\x01\x02"] {
            assert_eq!(Notice::read(wrong), None);
        }
    }

    proptest! {
        #[test]
        fn hostile_input_is_only_refused(data: Vec<u8>) {
            if let Some(Notice::Congestion { hop, .. }) = Notice::read(&data) {
                prop_assert!(hop.value().len() < data.len());
            }
        }
    }
}
