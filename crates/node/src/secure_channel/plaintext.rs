//! What is inside a record (`docs/wire.md` §7.4): a routed message, new credentials, or the end of the channel.
//!
//! ```text
//! payload  82 82 00 81 83 | onward route | return route | byte string payload | 40
//! refresh  82 82 01 81 82 | change history | credentials | 40
//! close    82 82 02 80 40
//! ```

use crate::address::Address;
use crate::route::{Route, RouteRef};
use crate::wire::{cbor, frame};
use std::ops::Range;

const PAYLOAD: [u8; 5] = *b"\x82\x82\x00\x81\x83";
const REFRESH: [u8; 4] = *b"\x82\x82\x01\x81";
/// Behind the message: padding, always empty.
pub(super) const PADDING: [u8; 1] = [0x40];

/// A record's content, in place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plaintext {
    /// A routed message with its payload in this range; the routes are read by [`read_routes`].
    Payload(Range<usize>),
    /// A routed message written in another way than ours.
    OddPayload(Route, Route, Vec<u8>),
    /// The body of a credential refresh.
    Refresh(Range<usize>),
    Close,
}

impl Plaintext {
    pub(super) fn read(input: &[u8]) -> Option<Self> {
        if let Some(range) = input.strip_prefix(&PAYLOAD).and_then(|rest| payload_range(input.len(), rest)) {
            return Some(Self::Payload(range));
        }
        if let Some(body) = input.strip_prefix(&REFRESH) {
            let mut decoder = minicbor::Decoder::new(body);
            decoder.skip().ok()?;
            return Some(Self::Refresh(REFRESH.len()..REFRESH.len() + decoder.position()));
        }
        if input.starts_with(&super::record::CLOSE_PLAINTEXT[..4]) {
            return Some(Self::Close);
        }
        let mut decoder = minicbor::Decoder::new(input);
        decoder.array().and_then(|_| decoder.array()).ok()?;
        match decoder.u8().ok()? {
            0 => {
                decoder.array().ok()?;
                let (onward, back, payload) = frame::canonical(&input[decoder.position()..])?;
                Some(Self::OddPayload(onward, back, payload))
            }
            _ => None,
        }
    }
}

fn payload_range(len: usize, rest: &[u8]) -> Option<Range<usize>> {
    let (_, rest) = RouteRef::read(rest)?;
    let (_, rest) = RouteRef::read(rest)?;
    let (payload, rest) = cbor::read_bytes(rest)?;
    let end = len - rest.len();
    Some(end - payload.len()..end)
}

/// The routes of a payload record, from what stands before its payload.
pub(super) fn read_routes(head: &[u8]) -> Option<(RouteRef<'_>, RouteRef<'_>)> {
    let (onward, rest) = RouteRef::read(head.get(PAYLOAD.len()..)?)?;
    Some((onward, RouteRef::read(rest)?.0))
}

/// Appends everything that stands before a payload of `payload` bytes.
pub(super) fn push_header(
    out: &mut Vec<u8>,
    onward: RouteRef<'_>,
    via: Option<&Address>,
    return_route: RouteRef<'_>,
    payload: usize,
) {
    out.extend_from_slice(&PAYLOAD);
    frame::push_routes(out, onward, via, return_route);
    cbor::push_head(out, cbor::BYTES, payload);
}

/// A refresh record's whole plaintext.
pub(super) fn refresh(body: &[u8]) -> Vec<u8> {
    [&REFRESH, body, &PADDING].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route;
    use proptest::prelude::*;

    fn payload(onward: &Route, back: &Route, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        push_header(&mut out, onward.as_ref(), None, back.as_ref(), payload.len());
        out.extend_from_slice(payload);
        out.extend_from_slice(&PADDING);
        out
    }

    #[test]
    fn snapshots() {
        let plaintext = payload(&route!["echoer"], &route!["app"], b"\x05hello");
        assert_eq!(
            hex::encode(&plaintext),
            "8282008183818200466563686f6572818200436170704605 68656c6c6f40".replace(' ', "")
        );
        let range = plaintext.len() - 7..plaintext.len() - 1;
        assert_eq!(Plaintext::read(&plaintext), Some(Plaintext::Payload(range)));
        assert_eq!(Plaintext::read(&hex::decode("8282028040").unwrap()), Some(Plaintext::Close));
        let refresh = refresh(&hex::decode("828080").unwrap());
        assert_eq!(hex::encode(&refresh), "8282018182808040");
        assert_eq!(Plaintext::read(&refresh), Some(Plaintext::Refresh(4..7)));
        assert_eq!(Plaintext::read(&hex::decode("8282038040").unwrap()), None);
    }

    #[test]
    fn the_recorded_refresh_is_read_and_made_again_bit_for_bit() {
        let record = hex::decode(include_str!("../../vectors/refresh.hex").trim()).unwrap();
        let Some(Plaintext::Refresh(range)) = Plaintext::read(&record) else { panic!() };
        assert_eq!(range, REFRESH.len()..record.len() - PADDING.len());
        assert_eq!(refresh(&record[range]), record);
    }

    #[test]
    fn padding_and_odd_encodings_are_read() {
        let mut padded = payload(&route!["a"], &route![], b"x");
        padded.pop();
        padded.extend_from_slice(b"\x43abc");
        assert!(matches!(Plaintext::read(&padded), Some(Plaintext::Payload(_))));
        let odd = hex::decode("82821800818381821800416180417840").unwrap();
        assert_eq!(Plaintext::read(&odd), Some(Plaintext::OddPayload(route!["a"], route![], b"x".to_vec())));
    }

    proptest! {
        #[test]
        fn round_trip(onward in prop::collection::vec("[a-z]{0,30}", 0..8), body: Vec<u8>) {
            let onward: Route = onward.iter().map(|hop| Address::from(hop.as_str())).collect();
            let plaintext = payload(&onward, &route!["back"], &body);
            let Some(Plaintext::Payload(range)) = Plaintext::read(&plaintext) else { panic!() };
            prop_assert_eq!(&plaintext[range.clone()], &body[..]);
            let (read, back) = read_routes(&plaintext[..range.start]).unwrap();
            prop_assert_eq!((read.behind(None), back.behind(None)), (onward, route!["back"]));
            for cut in 0..range.end {
                prop_assert!(!matches!(Plaintext::read(&plaintext[..cut]), Some(Plaintext::Payload(_))));
            }
        }

        #[test]
        fn a_refresh_round_trips(history: Vec<u8>, credentials in prop::collection::vec(any::<Vec<u8>>(), 0..4)) {
            let mut body = minicbor::Encoder::new(Vec::new());
            body.array(2).unwrap().bytes(&history).unwrap();
            body.array(credentials.len() as u64).unwrap();
            for credential in &credentials {
                body.bytes(credential).unwrap();
            }
            let body = body.into_writer();
            let plaintext = refresh(&body);
            let range = REFRESH.len()..REFRESH.len() + body.len();
            prop_assert_eq!(Plaintext::read(&plaintext), Some(Plaintext::Refresh(range.clone())));
            for cut in 0..range.end {
                prop_assert_eq!(Plaintext::read(&plaintext[..cut]), None);
            }
        }

        #[test]
        fn a_changed_record_is_refused_or_another(
            onward in prop::collection::vec("[a-z]{0,30}", 0..8), body: Vec<u8>, at: prop::sample::Index, to: u8,
        ) {
            let onward: Route = onward.iter().map(|hop| Address::from(hop.as_str())).collect();
            let mut plaintext = payload(&onward, &route!["back"], &body);
            let at = at.index(plaintext.len());
            let _ = Plaintext::read(&plaintext[..at]);
            plaintext[at] = to;
            if let Some(Plaintext::Payload(range)) = Plaintext::read(&plaintext) {
                prop_assert!(range.end <= plaintext.len() && read_routes(&plaintext[..range.start]).is_some());
            }
        }

        #[test]
        fn hostile_input_is_only_refused(data: Vec<u8>) {
            let _ = Plaintext::read(&data);
            let _ = Plaintext::read(&[&PAYLOAD[..], &data].concat());
            let _ = Plaintext::read(&[&REFRESH[..], &data].concat());
        }
    }
}
