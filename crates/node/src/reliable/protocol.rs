//! What the two ends of a delivery say to each other: `docs/wire.md` §16.

use super::message_id::{Epoch, Stamp};
use crate::wire::bare;
use bytes::Bytes;

/// Where a node takes the messages of this protocol, from secure channels only.
pub const DELIVERY: &str = "delivery";
/// Where an initiator takes notices, which nobody has authenticated.
pub const DELIVERY_NOTICE: &str = "delivery_notice";
/// Bytes of a message beside its body: more than any has.
pub(super) const HEADER_MAX: usize = 64;
/// The version in a Hello.
const VERSION: u8 = 1;

const HELLO: u8 = 0;
const RESUME: u8 = 1;
const DATA: u8 = 2;
const ACKNOWLEDGE: u8 = 3;

const NO_CHANNEL_AT: u8 = 0;
const WAITING: u8 = 1;

/// How much may be unacknowledged at once. One message may always be, however large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryWindow {
    /// So many messages.
    pub messages: u64,
    /// So many bytes of bodies.
    pub bytes: u64,
}

impl DeliveryWindow {
    /// What both allow; at least one message.
    pub(super) fn smaller(self, other: Self) -> Self {
        Self { messages: self.messages.min(other.messages).max(1), bytes: self.bytes.min(other.bytes) }
    }
}

/// A message between two ends, through their secure channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// What the sender has: counters `first … next − 1` of the epoch.
    Hello { number: u64, epoch: Epoch, first: u64, next: u64 },
    /// The answer to the Hello of that number: handled up to `last`, whose stamp that is.
    Resume { number: u64, epoch: Epoch, last: u64, stamp: Stamp, window: DeliveryWindow },
    /// One of the program's messages.
    Data { epoch: Epoch, counter: u64, stamp: Stamp, body: Bytes },
    /// Handled, this one and all before it.
    Acknowledge { epoch: Epoch, counter: u64 },
    /// A Hello of a version that this program does not have.
    Unsupported { version: u8 },
}

impl Message {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Hello { number, epoch, first, next } => {
                out.extend_from_slice(&[HELLO, VERSION]);
                bare::push_uint(&mut out, *number);
                out.extend_from_slice(epoch.as_bytes());
                [first, next].into_iter().for_each(|it| bare::push_uint(&mut out, *it));
            }
            Self::Resume { number, epoch, last, stamp, window } => {
                out.push(RESUME);
                bare::push_uint(&mut out, *number);
                out.extend_from_slice(epoch.as_bytes());
                bare::push_uint(&mut out, *last);
                out.extend_from_slice(stamp.as_bytes());
                [window.messages, window.bytes].into_iter().for_each(|it| bare::push_uint(&mut out, it));
            }
            Self::Data { epoch, counter, stamp, body } => {
                out.reserve(1 + Epoch::LEN + bare::MAX_UINT + Stamp::LEN + body.len());
                push_position(&mut out, DATA, epoch, *counter);
                out.extend_from_slice(stamp.as_bytes());
                out.extend_from_slice(body);
            }
            Self::Acknowledge { epoch, counter } => push_position(&mut out, ACKNOWLEDGE, epoch, *counter),
            Self::Unsupported { version } => out.extend_from_slice(&[HELLO, *version]),
        }
        out
    }

    /// Reads a payload. Bytes behind the message are ignored, except behind Data, where they are its body.
    pub(super) fn decode(payload: &[u8]) -> Option<Self> {
        let (tag, rest) = payload.split_first()?;
        Some(match *tag {
            HELLO => return Self::decode_hello(rest),
            RESUME => {
                let (number, rest) = bare::read_uint(rest)?;
                let (epoch, rest) = Epoch::read(rest)?;
                let (last, rest) = bare::read_uint(rest)?;
                let (stamp, rest) = Stamp::read(rest)?;
                let (messages, rest) = bare::read_uint(rest)?;
                let window = DeliveryWindow { messages, bytes: bare::read_uint(rest)?.0 };
                Self::Resume { number, epoch, last, stamp, window }
            }
            DATA => {
                let ((epoch, counter), rest) = read_position(rest)?;
                let (stamp, body) = Stamp::read(rest)?;
                Self::Data { epoch, counter, stamp, body: Bytes::copy_from_slice(body) }
            }
            ACKNOWLEDGE => {
                let ((epoch, counter), _) = read_position(rest)?;
                Self::Acknowledge { epoch, counter }
            }
            _ => return None,
        })
    }

    fn decode_hello(input: &[u8]) -> Option<Self> {
        let (version, rest) = input.split_first()?;
        if *version != VERSION {
            return Some(Self::Unsupported { version: *version });
        }
        let (number, rest) = bare::read_uint(rest)?;
        let (epoch, rest) = Epoch::read(rest)?;
        let (first, rest) = bare::read_uint(rest)?;
        let (next, _) = bare::read_uint(rest)?;
        (1 <= first && first <= next).then_some(Self::Hello { number, epoch, first, next })
    }

    /// Bytes of the program that it carries.
    pub(super) fn body_len(&self) -> usize {
        if let Self::Data { body, .. } = self { body.len() } else { 0 }
    }
}

/// What is said without a channel. Whoever can write to the route can say it: it is a hint, never believed further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ChannelNotice {
    /// A record came for this address, where no channel is.
    NoChannelAt(Vec<u8>),
    /// There is something to send, and no channel.
    Waiting,
}

impl ChannelNotice {
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::NoChannelAt(address) => {
                let mut out = vec![NO_CHANNEL_AT];
                bare::push_data(&mut out, address);
                out
            }
            Self::Waiting => vec![WAITING],
        }
    }

    pub(super) fn decode(payload: &[u8]) -> Option<Self> {
        match payload.split_first()? {
            (&NO_CHANNEL_AT, rest) => Some(Self::NoChannelAt(bare::read_data(rest)?.0.to_vec())),
            (&WAITING, _) => Some(Self::Waiting),
            _ => None,
        }
    }
}

fn push_position(out: &mut Vec<u8>, tag: u8, epoch: &Epoch, counter: u64) {
    out.push(tag);
    out.extend_from_slice(epoch.as_bytes());
    bare::push_uint(out, counter);
}

fn read_position(input: &[u8]) -> Option<((Epoch, u64), &[u8])> {
    let (epoch, rest) = Epoch::read(input)?;
    let (counter, rest) = bare::read_uint(rest)?;
    Some(((epoch, counter), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn messages() -> impl Strategy<Value = Message> {
        let epoch = || any::<[u8; 16]>().prop_map(Epoch::from_bytes);
        let stamp = || any::<[u8; 8]>().prop_map(Stamp::from_bytes);
        let window = (any::<u64>(), any::<u64>()).prop_map(|(messages, bytes)| DeliveryWindow { messages, bytes });
        prop_oneof![
            (any::<u64>(), epoch(), 1u64.., any::<u64>()).prop_map(|(number, epoch, first, more)| Message::Hello {
                number,
                epoch,
                first,
                next: first.saturating_add(more),
            }),
            (any::<u64>(), epoch(), any::<u64>(), stamp(), window).prop_map(|(number, epoch, last, stamp, window)| {
                Message::Resume { number, epoch, last, stamp, window }
            }),
            (epoch(), any::<u64>(), stamp(), any::<Vec<u8>>()).prop_map(|(epoch, counter, stamp, body)| {
                Message::Data { epoch, counter, stamp, body: body.into() }
            }),
            (epoch(), any::<u64>()).prop_map(|(epoch, counter)| Message::Acknowledge { epoch, counter }),
        ]
    }

    #[test]
    fn snapshots() {
        let (epoch, stamp) = (Epoch::from_bytes([0xee; 16]), Stamp::from_bytes([0x55; 8]));
        let window = DeliveryWindow { messages: 256, bytes: 300 };
        let (e, s) = ("ee".repeat(16), "55".repeat(8));
        for (message, hex) in [
            (Message::Hello { number: 7, epoch, first: 1, next: 300 }, format!("000107{e}01ac02")),
            (Message::Resume { number: 7, epoch, last: 300, stamp, window }, format!("0107{e}ac02{s}8002ac02")),
            (Message::Data { epoch, counter: 300, stamp, body: "hello".into() }, format!("02{e}ac02{s}68656c6c6f")),
            (Message::Acknowledge { epoch, counter: 300 }, format!("03{e}ac02")),
        ] {
            assert_eq!(hex::encode(message.encode()), hex);
        }
        assert_eq!(hex::encode(ChannelNotice::NoChannelAt(b"ab".to_vec()).encode()), "00026162");
        assert_eq!(hex::encode(ChannelNotice::Waiting.encode()), "01");
    }

    #[test]
    fn another_version_is_told_apart_from_nonsense() {
        assert_eq!(Message::decode(&[0, 2, 9]), Some(Message::Unsupported { version: 2 }));
        let nothing = Message::Hello { number: 1, epoch: Epoch::from_bytes([1; 16]), first: 0, next: 0 };
        assert_eq!(Message::decode(&nothing.encode()), None);
    }

    proptest! {
        #[test]
        fn round_trip(message in messages(), address: Vec<u8>) {
            prop_assert_eq!(Message::decode(&message.encode()), Some(message));
            for notice in [ChannelNotice::NoChannelAt(address), ChannelNotice::Waiting] {
                prop_assert_eq!(ChannelNotice::decode(&notice.encode()), Some(notice));
            }
        }

        #[test]
        fn hostile_input_is_only_refused(data: Vec<u8>) {
            let _ = (Message::decode(&data), ChannelNotice::decode(&data));
        }
    }
}
