//! The messages of a portal (`docs/wire.md` §9).
//!
//! ```text
//! 00 [extension]                   Ping        inlet → outlet     opens a stream
//! 01 [extension]                   Pong        outlet → inlet     it is open
//! 02 [reason uint]                 Disconnect  either way         it is over
//! 03 data [01 counter u16 LE]      Payload     either way
//! 04 limit uint                    Credit      only ours          bytes that may be sent since the beginning
//! 05 total uint                    Finish      only ours          no more data from this side, after that many bytes
//! 06 number uint [round-trip uint] Probe       only ours          inlet → outlet; answered with 07 number
//!
//! extension of a Ping   "pst" 01 window uint, address data    what the sender takes, where the outlet's end may be
//! extension of a Pong   "pst" 01 window uint
//! ```

use crate::wire::bare;

/// Largest data of one message that we send, in bytes. Any that fits a frame is accepted.
pub const MAX_PAYLOAD: usize = 256 * 1024;

const PING: u8 = 0;
const PONG: u8 = 1;
const DISCONNECT: u8 = 2;
const PAYLOAD: u8 = 3;
const CREDIT: u8 = 4;
const FINISH: u8 = 5;
const PROBE: u8 = 6;
const ALIVE: u8 = 7;

/// In front of an extension: only our own nodes write it.
const EXTENSION: [u8; 4] = *b"pst\x01";
/// Says that a counter follows the data.
const COUNTED: u8 = 1;

/// Bytes in front of a payload's data, at most.
pub(super) const PAYLOAD_HEAD: usize = 1 + bare::MAX_UINT;
/// Bytes behind a payload's data.
pub(super) const PAYLOAD_TAIL: usize = 3;

/// Why a stream ended before both sides had finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum EndReason {
    /// The peer is of another kind and gives no reason: it may well have finished.
    #[error("the other side ended it")]
    Unspecified,
    /// The program at the other end reset its connection.
    #[error("the program at the other end reset the connection")]
    Reset,
    /// Nothing listens at the target.
    #[error("the service refused the connection: is it running?")]
    Refused,
    /// The target did not answer.
    #[error("the service did not answer in time")]
    TimedOut,
    /// The target's name is unknown, or it cannot be reached.
    #[error("the service cannot be reached")]
    Unreachable,
    /// The outlet has never allowed this peer, or was closed.
    #[error("the owner does not allow it")]
    NotAllowed,
    /// A limit on open streams is reached.
    #[error("too many connections are open")]
    TooMany,
    /// A message was lost or came twice.
    #[error("data was lost on the way")]
    Lost,
    /// The connection or the channel between the two ends is gone.
    #[error("the connection to the other side ended")]
    Disconnected,
    /// The node is shutting down.
    #[error("the node is shutting down")]
    Stopping,
    /// The owner has paused it, and may go on later.
    #[error("the owner has paused it")]
    Paused,
    /// It was allowed for a time that is over.
    #[error("the time it was shared for is over")]
    Expired,
    /// It was allowed, and is not any more.
    #[error("the owner has taken it back")]
    Revoked,
}

impl EndReason {
    /// Their places are their codes on the wire: new ones go to the end.
    const CODES: [Self; 13] = [
        Self::Unspecified,
        Self::Reset,
        Self::Refused,
        Self::TimedOut,
        Self::Unreachable,
        Self::NotAllowed,
        Self::TooMany,
        Self::Lost,
        Self::Disconnected,
        Self::Stopping,
        Self::Paused,
        Self::Expired,
        Self::Revoked,
    ];

    /// Whether the owner does not want it, now or at all.
    pub fn is_owners_decision(self) -> bool {
        matches!(self, Self::NotAllowed | Self::TooMany | Self::Paused | Self::Expired | Self::Revoked)
    }

    /// Whether the owner's node is there but the service beside it is not.
    pub fn is_services_fault(self) -> bool {
        matches!(self, Self::Refused | Self::TimedOut | Self::Unreachable)
    }

    fn code(self) -> u64 {
        Self::CODES.iter().position(|it| *it == self).unwrap_or(0) as u64
    }

    fn from_code(code: u64) -> Self {
        usize::try_from(code).ok().and_then(|index| Self::CODES.get(index).copied()).unwrap_or(Self::Unspecified)
    }
}

/// What a Ping with the extension offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    /// Bytes the inlet takes before it gives credit.
    pub(super) window: u64,
    /// A random address that the outlet's end may take, so that data can follow at once.
    pub(super) address: [u8; 32],
}

/// A portal message, its data borrowed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PortalMessage<'a> {
    Ping(Option<Offer>),
    /// With the window of a peer that speaks our extension.
    Pong(Option<u64>),
    Disconnect(EndReason),
    Payload {
        data: &'a [u8],
        counter: Option<u16>,
    },
    Credit(u64),
    Finish(u64),
    /// Its number, and what the inlet knows of the round-trip time, in microseconds; earlier commits say nothing of that.
    Probe(u64, Option<u64>),
    Alive(u64),
}

impl<'a> PortalMessage<'a> {
    pub(super) fn read(input: &'a [u8]) -> Option<Self> {
        let (tag, rest) = input.split_first()?;
        Some(match *tag {
            PAYLOAD => {
                let (data, rest) = bare::read_data(rest)?;
                let counter = match rest {
                    [COUNTED, low, high, ..] => Some(u16::from_le_bytes([*low, *high])),
                    _ => None,
                };
                Self::Payload { data, counter }
            }
            // Whatever follows that is not our extension is ignored, as others do.
            PING => Self::Ping(rest.strip_prefix(&EXTENSION).and_then(read_offer)),
            PONG => Self::Pong(rest.strip_prefix(&EXTENSION).and_then(|rest| Some(bare::read_uint(rest)?.0))),
            DISCONNECT => Self::Disconnect(EndReason::from_code(bare::read_uint(rest).map_or(0, |(code, _)| code))),
            CREDIT => Self::Credit(bare::read_uint(rest)?.0),
            FINISH => Self::Finish(bare::read_uint(rest)?.0),
            PROBE => {
                let (number, rest) = bare::read_uint(rest)?;
                Self::Probe(number, bare::read_uint(rest).map(|(micros, _)| micros))
            }
            ALIVE => Self::Alive(bare::read_uint(rest)?.0),
            _ => return None,
        })
    }

    /// The message, but for payloads: those are built around their data.
    pub(super) fn encode(&self) -> Vec<u8> {
        let with_uint = |tag, value| {
            let mut out = vec![tag];
            bare::push_uint(&mut out, value);
            out
        };
        match self {
            Self::Ping(None) => vec![PING],
            Self::Ping(Some(offer)) => {
                let mut out = [&[PING], &EXTENSION[..]].concat();
                bare::push_uint(&mut out, offer.window);
                bare::push_data(&mut out, &offer.address);
                out
            }
            Self::Pong(None) => vec![PONG],
            Self::Pong(Some(window)) => {
                let mut out = [&[PONG], &EXTENSION[..]].concat();
                bare::push_uint(&mut out, *window);
                out
            }
            // Others read the tag alone; a reason is sent only to our own.
            Self::Disconnect(EndReason::Unspecified) => vec![DISCONNECT],
            Self::Disconnect(reason) => with_uint(DISCONNECT, reason.code()),
            Self::Payload { data, counter } => {
                let mut out = vec![PAYLOAD];
                bare::push_data(&mut out, data);
                if let Some(counter) = counter {
                    out.extend_from_slice(&payload_tail(*counter));
                }
                out
            }
            Self::Credit(limit) => with_uint(CREDIT, *limit),
            Self::Finish(total) => with_uint(FINISH, *total),
            Self::Probe(number, round_trip) => {
                let mut out = with_uint(PROBE, *number);
                round_trip.inspect(|micros| bare::push_uint(&mut out, *micros));
                out
            }
            Self::Alive(number) => with_uint(ALIVE, *number),
        }
    }
}

fn read_offer(input: &[u8]) -> Option<Offer> {
    let (window, rest) = bare::read_uint(input)?;
    let (address, _) = bare::read_data(rest)?;
    let address: [u8; 32] = address.try_into().ok()?;
    address.iter().all(u8::is_ascii_hexdigit).then_some(Offer { window, address })
}

/// What stands in front of `len` bytes of data, and how many of its bytes count.
pub(super) fn payload_head(len: usize) -> ([u8; PAYLOAD_HEAD], usize) {
    let mut head = [0; PAYLOAD_HEAD];
    let (digits, digits_len) = bare::uint(len as u64);
    head[0] = PAYLOAD;
    head[1..=digits_len].copy_from_slice(&digits[..digits_len]);
    (head, digits_len + 1)
}

/// What stands behind a payload's data.
pub(super) fn payload_tail(counter: u16) -> [u8; PAYLOAD_TAIL] {
    let [low, high] = counter.to_le_bytes();
    [COUNTED, low, high]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(window: u64, counter: u16, data: &[u8]) -> Vec<PortalMessage<'_>> {
        let mut messages = vec![
            PortalMessage::Ping(None),
            PortalMessage::Ping(Some(Offer { window, address: *b"0123456789abcdef0123456789abcdef" })),
            PortalMessage::Pong(None),
            PortalMessage::Pong(Some(window)),
            PortalMessage::Payload { data, counter: None },
            PortalMessage::Payload { data, counter: Some(counter) },
            PortalMessage::Credit(window),
            PortalMessage::Finish(window),
            PortalMessage::Probe(window, None),
            PortalMessage::Probe(window, Some(window)),
            PortalMessage::Alive(window),
        ];
        messages.extend(EndReason::CODES.map(PortalMessage::Disconnect));
        messages
    }

    #[test]
    fn snapshots() {
        let hexes: Vec<String> = all(300, 513, b"hello").iter().map(|it| hex::encode(it.encode())).collect();
        let expected = [
            "00",
            "0070737401ac0220303132333435363738396162636465663031323334353637383961626364\
             6566",
            "01",
            "0170737401ac02",
            "030568656c6c6f",
            "030568656c6c6f010102",
            "04ac02",
            "05ac02",
            "06ac02",
            "06ac02ac02",
            "07ac02",
            "02",
            "0201",
            "0202",
            "0203",
            "0204",
            "0205",
            "0206",
            "0207",
            "0208",
            "0209",
            "020a",
            "020b",
            "020c",
        ];
        assert_eq!(hexes, expected.map(|it| it.replace(' ', "")));
    }

    #[test]
    fn foreign_tails_are_ignored() {
        assert_eq!(PortalMessage::read(b"\x00whatever"), Some(PortalMessage::Ping(None)));
        assert_eq!(PortalMessage::read(b"\x01pst\x02\x05"), Some(PortalMessage::Pong(None)));
        assert_eq!(PortalMessage::read(b"\x02\xff"), Some(PortalMessage::Disconnect(EndReason::Unspecified)));
        assert_eq!(PortalMessage::read(b"\x02\x7f"), Some(PortalMessage::Disconnect(EndReason::Unspecified)));
        let without_counter = PortalMessage::Payload { data: b"x", counter: None };
        assert_eq!(PortalMessage::read(b"\x03\x01x\x00\x01\x02"), Some(without_counter));
        assert_eq!(PortalMessage::read(b"\x09"), None);
        let not_hex = [&b"\x00pst\x01\x05\x20"[..], &[b'/'; 32]].concat();
        assert_eq!(PortalMessage::read(&not_hex), Some(PortalMessage::Ping(None)));
    }

    proptest! {
        #[test]
        fn round_trip(window: u64, counter: u16, data: Vec<u8>) {
            for message in all(window, counter, &data) {
                let encoded = message.encode();
                prop_assert_eq!(PortalMessage::read(&encoded), Some(message));
            }
        }

        #[test]
        fn the_parts_of_a_payload_make_the_whole(counter: u16, data: Vec<u8>) {
            let (head, len) = payload_head(data.len());
            let parts = [&head[..len], &data, &payload_tail(counter)].concat();
            prop_assert_eq!(parts, PortalMessage::Payload { data: &data, counter: Some(counter) }.encode());
        }

        #[test]
        fn hostile_input_is_only_refused(data: Vec<u8>) {
            let _ = PortalMessage::read(&data);
            for tag in PING..=ALIVE {
                let _ = PortalMessage::read(&[&[tag], &data[..]].concat());
            }
            for tag in [PING, PONG] {
                let _ = PortalMessage::read(&[&[tag], &EXTENSION[..], &data].concat());
            }
        }

        #[test]
        fn a_changed_message_is_refused_or_another(
            window: u64, counter: u16, data: Vec<u8>, at: prop::sample::Index, to: u8,
        ) {
            for message in all(window, counter, &data) {
                let mut bytes = message.encode();
                let at = at.index(bytes.len());
                // What is cut is never more than it was: data that is not all there is none.
                if let Some(PortalMessage::Payload { data: read, .. }) = PortalMessage::read(&bytes[..at]) {
                    prop_assert_eq!(read, &data[..]);
                }
                bytes[at] = to;
                if let Some(PortalMessage::Payload { data: read, .. }) = PortalMessage::read(&bytes) {
                    prop_assert!(read.len() < bytes.len());
                }
            }
        }
    }
}
