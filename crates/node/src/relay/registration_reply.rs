//! What a hub answers to a node that registers a relay as an identity (`docs/wire.md` §8.3).

use super::error::RelayError;
use crate::wire::bare;

const REGISTERED: u8 = 0;
const TAKEN: u8 = 1;
const FULL: u8 = 2;
const INVALID: u8 = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RegistrationReply {
    /// At this address on the hub.
    Registered(String),
    Taken,
    Full,
    Invalid,
}

impl RegistrationReply {
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Registered(name) => {
                let mut out = vec![REGISTERED];
                bare::push_data(&mut out, name.as_bytes());
                out
            }
            Self::Taken => vec![TAKEN],
            Self::Full => vec![FULL],
            Self::Invalid => vec![INVALID],
        }
    }

    /// Reads an answer; bytes behind it are ignored.
    pub(super) fn read(input: &[u8]) -> Option<Self> {
        match input.split_first()? {
            (&REGISTERED, rest) => {
                let (name, _) = bare::read_data(rest)?;
                Some(Self::Registered(str::from_utf8(name).ok()?.to_owned()))
            }
            (&TAKEN, _) => Some(Self::Taken),
            (&FULL, _) => Some(Self::Full),
            (&INVALID, _) => Some(Self::Invalid),
            _ => None,
        }
    }

    /// The relay's address on the hub, for a node that asked for `name`.
    pub(super) fn address(self, name: &str) -> Result<String, RelayError> {
        match self {
            Self::Registered(address) if address.ends_with(name) => Ok(address),
            Self::Registered(_) => Err(RelayError::NotConfirmed),
            Self::Taken => Err(RelayError::NameTaken(name.to_owned())),
            Self::Full => Err(RelayError::Full),
            Self::Invalid => Err(RelayError::InvalidName(name.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn snapshots() {
        let answers = [
            RegistrationReply::Registered("bob".into()),
            RegistrationReply::Taken,
            RegistrationReply::Full,
            RegistrationReply::Invalid,
        ];
        for (answer, bytes) in answers.iter().zip(["0003626f62", "01", "02", "03"]) {
            assert_eq!(hex::encode(answer.encode()), bytes);
            assert_eq!(RegistrationReply::read(&answer.encode()).as_ref(), Some(answer));
            assert_eq!(RegistrationReply::read(&[&answer.encode()[..], b"more"].concat()).as_ref(), Some(answer));
        }
        for wrong in [&b""[..], b"\x04", b"\x00", b"\x00\x04bob", b"\x00\x01\xff"] {
            assert_eq!(RegistrationReply::read(wrong), None);
        }
    }

    #[test]
    fn a_hub_cannot_give_another_name_than_was_asked_for() {
        assert_eq!(RegistrationReply::Registered("forward_to_bob".into()).address("bob"), Ok("forward_to_bob".into()));
        assert_eq!(RegistrationReply::Registered("alice".into()).address("bob"), Err(RelayError::NotConfirmed));
        assert_eq!(RegistrationReply::Taken.address("bob"), Err(RelayError::NameTaken("bob".into())));
    }

    proptest! {
        #[test]
        fn round_trip(name: String) {
            let answer = RegistrationReply::Registered(name);
            prop_assert_eq!(RegistrationReply::read(&answer.encode()), Some(answer));
        }

        #[test]
        fn hostile_input_is_only_refused(data: Vec<u8>) {
            let _ = RegistrationReply::read(&data);
            let registered = RegistrationReply::read(&[&[REGISTERED], &data[..]].concat());
            prop_assert!(matches!(registered, None | Some(RegistrationReply::Registered(_))));
        }

        #[test]
        fn a_changed_answer_is_refused_or_another(name: String, at: prop::sample::Index, to: u8) {
            let mut bytes = RegistrationReply::Registered(name.clone()).encode();
            let at = at.index(bytes.len());
            prop_assert_eq!(RegistrationReply::read(&bytes[..at]), None);
            bytes[at] = to;
            if let Some(RegistrationReply::Registered(read)) = RegistrationReply::read(&bytes) {
                prop_assert!(read.len() < bytes.len());
            }
        }
    }
}
