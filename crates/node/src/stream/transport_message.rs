//! A routed message as a record of a stream: BARE, version 1 (`docs/wire.md` §15.1).
//!
//! ```text
//! 01 ‖ onward route: list of addresses ‖ return route: list of addresses ‖ payload data [ ‖ tracing: optional string ]
//! address = type u8 ‖ data
//! ```

use crate::address::{Address, MAX_ADDRESS_LEN};
use crate::route::{MAX_HOPS, Route, RouteRef};
use crate::wire::bare;
use std::ops::Range;

const VERSION: u8 = 1;

/// A routed message, as streams keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportMessage {
    /// Where it goes once it was read from the stream.
    pub onward: Route,
    /// The way back, without the stream that answers go through.
    pub return_route: Route,
    /// The payload.
    pub payload: Vec<u8>,
}

impl TransportMessage {
    /// The record.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        push_record(&mut out, self.onward.as_ref(), None, self.return_route.as_ref(), &self.payload);
        out
    }

    /// Reads a record. What is behind the payload is ignored: some peers add a tracing context there.
    ///
    /// Nothing for another version, for a route of more than [`MAX_HOPS`], and for what is cut off.
    pub fn decode(record: &[u8]) -> Option<Self> {
        let (onward, return_route, payload) = read_record(record)?;
        Some(Self { onward, return_route, payload: record[payload].to_vec() })
    }
}

/// Appends a record; `via` goes on the front of the return route.
pub(super) fn push_record(
    out: &mut Vec<u8>,
    onward: RouteRef<'_>,
    via: Option<&Address>,
    return_route: RouteRef<'_>,
    payload: &[u8],
) {
    out.reserve(payload.len() + onward.encoded().len() + return_route.encoded().len() + 64);
    out.push(VERSION);
    push_route(out, None, onward);
    push_route(out, via, return_route);
    bare::push_data(out, payload);
}

fn push_route(out: &mut Vec<u8>, first: Option<&Address>, route: RouteRef<'_>) {
    bare::push_uint(out, (route.len() + usize::from(first.is_some())) as u64);
    for address in first.map(Address::as_ref).into_iter().chain(route.iter()) {
        let (kind, value) = address.parts();
        out.push(kind);
        bare::push_data(out, value);
    }
}

/// Reads a record: its routes, and where its payload is.
pub(super) fn read_record(record: &[u8]) -> Option<(Route, Route, Range<usize>)> {
    let (&VERSION, rest) = record.split_first()? else { return None };
    let (onward, rest) = read_route(rest)?;
    let (return_route, rest) = read_route(rest)?;
    let (payload, rest) = bare::read_data(rest)?;
    let end = record.len() - rest.len();
    Some((onward, return_route, end - payload.len()..end))
}

fn read_route(input: &[u8]) -> Option<(Route, &[u8])> {
    let (hops, mut input) = bare::read_uint(input)?;
    if hops > MAX_HOPS as u64 {
        return None;
    }
    let mut route = Vec::new();
    for _ in 0..hops {
        let (&kind, rest) = input.split_first()?;
        let (value, rest) = bare::read_data(rest)?;
        if value.len() > MAX_ADDRESS_LEN {
            return None;
        }
        route.push(Address::new(kind, value));
        input = rest;
    }
    Some((route.into_iter().collect(), input))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route;
    use proptest::prelude::*;

    #[test]
    fn snapshot() {
        let message = TransportMessage {
            onward: route!["listener"],
            return_route: [Address::new(1, "a:1"), "app".into()].into_iter().collect(),
            payload: b"hello".to_vec(),
        };
        let bytes = message.encode();
        assert_eq!(hex::encode(&bytes), "010100086c697374656e6572020103613a3100036170700568656c6c6f");
        assert_eq!(TransportMessage::decode(&bytes).as_ref(), Some(&message));
        assert_eq!(TransportMessage::decode(&[&bytes[..], b"\x01\x02{}"].concat()), Some(message));
    }

    #[test]
    fn what_is_cut_or_of_another_version_or_too_long_is_refused() {
        let message = TransportMessage { onward: route!["a"], return_route: route!["b"], payload: vec![1; 40] };
        let mut bytes = message.encode();
        assert!((0..bytes.len()).all(|end| TransportMessage::decode(&bytes[..end]).is_none()));
        bytes[0] = 2;
        assert_eq!(TransportMessage::decode(&bytes), None);
        let hops = |hops: usize| [&[1, hops as u8][..], &b"\x00\x01a".repeat(hops), b"\x00\x00"].concat();
        assert!(TransportMessage::decode(&hops(MAX_HOPS)).is_some());
        assert_eq!(TransportMessage::decode(&hops(MAX_HOPS + 1)), None);
    }

    proptest! {
        #[test]
        fn round_trip(onward in prop::collection::vec("[a-z]{0,30}", 0..8), payload: Vec<u8>) {
            let onward: Route = onward.iter().map(|hop| Address::from(hop.as_str())).collect();
            let message = TransportMessage { onward, return_route: route!["back"], payload };
            prop_assert_eq!(TransportMessage::decode(&message.encode()), Some(message));
        }

        #[test]
        fn hostile_input_is_only_refused(data: Vec<u8>) {
            let _ = TransportMessage::decode(&data);
            let _ = TransportMessage::decode(&[&[VERSION], &data[..]].concat());
        }
    }
}
