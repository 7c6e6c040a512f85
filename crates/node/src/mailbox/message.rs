//! The messages of a mailbox (`docs/wire.md` §11). All travel through a secure channel with the hub.
//!
//! ```text
//! to the hub     00 number uint, recipient (32), sealed data     Deposit
//!                01 number uint                                  Subscribe      everything waiting, and what comes later
//!                02 number uint, mail id (32)                    Acknowledge    it will not come again
//! from the hub   00 number uint, outcome uint                    Answer         to each of the above
//!                01 mail id (32), deposited uint, sealed data    Mail
//! ```

use crate::crypto::sha256;
use crate::identity::{Identifier, Timestamp};
use crate::wire::bare;
use std::fmt;

const DEPOSIT: u8 = 0;
const SUBSCRIBE: u8 = 1;
const ACKNOWLEDGE: u8 = 2;
const ANSWER: u8 = 0;
const MAIL: u8 = 1;

/// Names a deposited message in its recipient's mailbox: the SHA-256 of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailId([u8; 32]);

impl MailId {
    /// The name of a sealed message.
    pub fn of(sealed: &[u8]) -> Self {
        Self(sha256(sealed))
    }

    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for MailId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// What a node asks of a mailbox service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailboxRequest {
    /// Keep this for that identity.
    Deposit {
        /// For whom.
        to: Identifier,
        /// The message; the service cannot read it.
        sealed: Vec<u8>,
    },
    /// Send what waits for me, and what comes later, until the channel ends.
    Subscribe,
    /// I have it: it need not be kept any longer.
    Acknowledge(MailId),
}

/// What came of a request. Codes are places in the table of `docs/wire.md` §11; unknown ones are read as `Unavailable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was done, and is on the hub's disk if it has one.
    Done,
    /// Too much waits for that recipient already.
    MailboxFull,
    /// Too much waits on this hub already.
    HubFull,
    /// The message is larger than the hub keeps.
    TooLarge,
    /// The depositor has deposited too much in too short a time, or for one recipient.
    RateLimited,
    /// The hub cannot read or write its mailboxes.
    Unavailable,
    /// The recipient has no mailbox there: they never subscribed, or not for long.
    UnknownRecipient,
}

impl Outcome {
    const CODES: [Self; 7] = [
        Self::Done,
        Self::MailboxFull,
        Self::HubFull,
        Self::TooLarge,
        Self::RateLimited,
        Self::Unavailable,
        Self::UnknownRecipient,
    ];

    fn code(self) -> u64 {
        Self::CODES.iter().position(|it| *it == self).unwrap_or_default() as u64
    }

    fn from_code(code: u64) -> Self {
        usize::try_from(code).ok().and_then(|index| Self::CODES.get(index).copied()).unwrap_or(Self::Unavailable)
    }
}

/// A message as it comes out of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// What to acknowledge it by.
    pub id: MailId,
    /// When the hub got it, by the hub's clock.
    pub deposited: Timestamp,
    /// The message.
    pub sealed: Vec<u8>,
}

/// What a mailbox service sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailboxReply {
    /// To the request of that number.
    Answer(u64, Outcome),
    /// A message for the subscriber.
    Mail(Mail),
}

/// Adds the hub's clock, in Unix milliseconds, to the payload of an answer. Readers that do not know it ignore it.
///
/// It is a hint for people whose own clock is wrong, and never decides about the validity of anything: a hub may lie.
pub fn add_hub_time(answer: &mut Vec<u8>, unix_ms: u64) {
    bare::push_uint(answer, unix_ms);
}

/// The hub's clock in the payload of an answer, in Unix milliseconds, if the hub has added it.
pub fn hub_time(payload: &[u8]) -> Option<u64> {
    let (tag, rest) = payload.split_first()?;
    let (_number, rest) = bare::read_uint(rest).filter(|_| *tag == ANSWER)?;
    let (_outcome, rest) = bare::read_uint(rest)?;
    bare::read_uint(rest).map(|(unix_ms, _)| unix_ms)
}

impl MailboxRequest {
    /// The payload of request number `number`.
    pub fn encode(&self, number: u64) -> Vec<u8> {
        let tagged = |tag| {
            let mut out = vec![tag];
            bare::push_uint(&mut out, number);
            out
        };
        match self {
            Self::Deposit { to, sealed } => {
                let mut out = tagged(DEPOSIT);
                out.extend_from_slice(to.as_bytes());
                bare::push_data(&mut out, sealed);
                out
            }
            Self::Subscribe => tagged(SUBSCRIBE),
            Self::Acknowledge(id) => {
                let mut out = tagged(ACKNOWLEDGE);
                out.extend_from_slice(id.as_bytes());
                out
            }
        }
    }

    /// Reads a payload: the request and its number. Bytes behind it are ignored.
    pub fn decode(payload: &[u8]) -> Option<(u64, Self)> {
        let (tag, rest) = payload.split_first()?;
        let (number, rest) = bare::read_uint(rest)?;
        let request = match *tag {
            DEPOSIT => {
                let (to, rest) = rest.split_first_chunk()?;
                let (sealed, _) = bare::read_data(rest)?;
                Self::Deposit { to: Identifier::from_bytes(*to), sealed: sealed.to_vec() }
            }
            SUBSCRIBE => Self::Subscribe,
            ACKNOWLEDGE => Self::Acknowledge(MailId(*rest.first_chunk()?)),
            _ => return None,
        };
        Some((number, request))
    }
}

impl MailboxReply {
    /// The payload.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Answer(number, outcome) => {
                let mut out = vec![ANSWER];
                bare::push_uint(&mut out, *number);
                bare::push_uint(&mut out, outcome.code());
                out
            }
            Self::Mail(mail) => {
                let mut out = vec![MAIL];
                out.extend_from_slice(mail.id.as_bytes());
                bare::push_uint(&mut out, mail.deposited.0);
                bare::push_data(&mut out, &mail.sealed);
                out
            }
        }
    }

    /// Reads a payload. Bytes behind it are ignored; mail whose id is not its hash is none.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let (tag, rest) = payload.split_first()?;
        match *tag {
            ANSWER => {
                let (number, rest) = bare::read_uint(rest)?;
                Some(Self::Answer(number, Outcome::from_code(bare::read_uint(rest)?.0)))
            }
            MAIL => {
                let (id, rest) = rest.split_first_chunk()?;
                let (deposited, rest) = bare::read_uint(rest)?;
                let (sealed, _) = bare::read_data(rest)?;
                let mail = Mail { id: MailId(*id), deposited: Timestamp(deposited), sealed: sealed.to_vec() };
                (MailId::of(&mail.sealed) == mail.id).then_some(Self::Mail(mail))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn requests(to: [u8; 32], sealed: Vec<u8>) -> [MailboxRequest; 3] {
        let id = MailId::of(&sealed);
        [
            MailboxRequest::Deposit { to: Identifier::from_bytes(to), sealed },
            MailboxRequest::Subscribe,
            MailboxRequest::Acknowledge(id),
        ]
    }

    fn mail(deposited: u64, sealed: Vec<u8>) -> MailboxReply {
        MailboxReply::Mail(Mail { id: MailId::of(&sealed), deposited: Timestamp(deposited), sealed })
    }

    #[test]
    fn a_hubs_clock_follows_an_answer_and_is_ignored_by_those_who_do_not_know_it() {
        let answer = MailboxReply::Answer(300, Outcome::Done);
        let mut payload = answer.encode();
        assert_eq!(hub_time(&payload), None);
        add_hub_time(&mut payload, 1_800_000_000_000);
        assert_eq!(hex::encode(&payload), "00ac020080a0f1c2b134");
        assert_eq!(MailboxReply::decode(&payload), Some(answer));
        assert_eq!(hub_time(&payload), Some(1_800_000_000_000));
        assert_eq!(hub_time(&mail(5, vec![1]).encode()), None);
    }

    #[test]
    fn snapshots() {
        let hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let aa = "aa".repeat(32);
        let expected = [format!("00ac02{aa}0568656c6c6f"), "01ac02".into(), format!("02ac02{hash}")];
        for (request, expected) in requests([0xaa; 32], b"hello".to_vec()).iter().zip(expected) {
            assert_eq!(hex::encode(request.encode(300)), expected);
        }
        for (code, outcome) in Outcome::CODES.into_iter().enumerate() {
            let reply = MailboxReply::Answer(300, outcome);
            assert_eq!(hex::encode(reply.encode()), format!("00ac020{code}"));
            assert_eq!(MailboxReply::decode(&reply.encode()), Some(reply));
        }
        assert_eq!(hex::encode(mail(300, b"hello".to_vec()).encode()), format!("01{hash}ac020568656c6c6f"));
    }

    #[test]
    fn what_comes_later_is_ignored_and_what_is_cut_is_refused() {
        for request in requests([7; 32], vec![1; 40]) {
            let bytes = request.encode(5);
            assert_eq!(MailboxRequest::decode(&[&bytes[..], b"more"].concat()), Some((5, request)));
            assert!((0..bytes.len()).all(|end| MailboxRequest::decode(&bytes[..end]).is_none()));
        }
        let bytes = mail(5, vec![1; 40]).encode();
        assert!((0..bytes.len()).all(|end| MailboxReply::decode(&bytes[..end]).is_none()));
        assert_eq!(MailboxReply::decode(b"\x00\x05\x63"), Some(MailboxReply::Answer(5, Outcome::Unavailable)));
        assert_eq!(MailboxRequest::decode(b"\x03\x05"), None);
    }

    #[test]
    fn mail_under_another_name_is_none() {
        let mut bytes = mail(5, vec![1; 40]).encode();
        bytes[1] ^= 1;
        assert_eq!(MailboxReply::decode(&bytes), None);
    }

    proptest! {
        #[test]
        fn round_trip(number: u64, to: [u8; 32], sealed: Vec<u8>) {
            for request in requests(to, sealed.clone()) {
                prop_assert_eq!(MailboxRequest::decode(&request.encode(number)), Some((number, request)));
            }
            let mail = mail(number, sealed);
            prop_assert_eq!(MailboxReply::decode(&mail.encode()), Some(mail));
            for outcome in Outcome::CODES {
                let answer = MailboxReply::Answer(number, outcome);
                let bytes = answer.encode();
                prop_assert!((0..bytes.len()).all(|end| MailboxReply::decode(&bytes[..end]).is_none()));
                prop_assert_eq!(MailboxReply::decode(&bytes), Some(answer));
            }
        }

        #[test]
        fn hostile_input_is_only_refused(data: Vec<u8>) {
            let _ = (MailboxRequest::decode(&data), MailboxReply::decode(&data));
            for tag in 0..=3 {
                let tagged = [&[tag, 5], &data[..]].concat();
                let _ = (MailboxRequest::decode(&tagged), MailboxReply::decode(&tagged));
            }
        }

        #[test]
        fn a_changed_message_is_refused_or_another(
            number: u64, to: [u8; 32], sealed: Vec<u8>, at: prop::sample::Index, by: u8,
        ) {
            let requests = requests(to, sealed.clone()).map(|request| request.encode(number));
            let replies = [mail(number, sealed.clone()), MailboxReply::Answer(number, Outcome::Done)];
            for mut bytes in requests.into_iter().chain(replies.map(|reply| reply.encode())) {
                let at = at.index(bytes.len());
                let _ = (MailboxRequest::decode(&bytes[..at]), MailboxReply::decode(&bytes[..at]));
                bytes[at] = by;
                let _ = MailboxRequest::decode(&bytes);
                // Mail is named by its hash: nothing but what was deposited, whatever else was changed.
                if let Some(MailboxReply::Mail(read)) = MailboxReply::decode(&bytes) {
                    prop_assert!(read.sealed == sealed || MailId::of(&read.sealed) == read.id);
                }
            }
        }
    }
}
