//! TCP frames (`docs/wire.md` §3): a 4-byte big-endian length, then a CBOR array of onward route, return route,
//! payload and, always from us, an empty tracing context.
//!
//! ```text
//! u32 length | 84 | onward route | return route | byte string payload | 62 7b7d
//! ```

use super::cbor;
use crate::address::{Address, MAX_ADDRESS_LEN};
use crate::route::{MAX_HOPS, Route, RouteRef};
use std::ops::Range;

/// Largest frame taken from a connection over which a secure channel was made, in bytes.
pub const MAX_FRAME: usize = 16 * 1024 * 1024;
/// Largest frame sent or passed on, in bytes: a hub, which has no channel with anybody, takes no larger ones.
pub const MAX_FRAME_SENT: usize = 1024 * 1024;
/// Largest frame taken from any other connection, in bytes. What a hub passes on grows by an address.
pub const MAX_FRAME_UNAUTHENTICATED: usize = MAX_FRAME_SENT + 4096;
/// The byte each side sends once, before its first frame.
pub(crate) const VERSION: u8 = 1;
/// Bytes of the length in front of a frame.
pub(crate) const LENGTH: usize = 4;
/// Behind the payload: the text `{}`, a tracing context without entries.
pub(crate) const TAIL: [u8; 3] = *b"\x62{}";

/// Where in a frame (without its length) the payload is, if the frame is in canonical form.
///
/// What stands before it are the routes: the payload can then be opened in place while they are borrowed.
pub(crate) fn find_payload(input: &[u8]) -> Option<Range<usize>> {
    let (3.., rest) = cbor::read_head(input, cbor::ARRAY)? else { return None };
    let (_, rest) = RouteRef::read(rest)?;
    let (_, rest) = RouteRef::read(rest)?;
    let (payload, rest) = cbor::read_bytes(rest)?;
    let end = input.len() - rest.len();
    Some(end - payload.len()..end)
}

/// Reads the routes of a frame from the bytes before its payload.
pub(crate) fn read_routes(head: &[u8]) -> Option<(RouteRef<'_>, RouteRef<'_>)> {
    let (_, rest) = cbor::read_head(head, cbor::ARRAY)?;
    let (onward, rest) = RouteRef::read(rest)?;
    Some((onward, RouteRef::read(rest)?.0))
}

/// Builds everything of a frame that stands before its payload of `payload` bytes.
///
/// `via` is put in front of the return route.
pub(crate) fn push_header(
    out: &mut Vec<u8>,
    onward: RouteRef<'_>,
    via: Option<&Address>,
    return_route: RouteRef<'_>,
    payload: usize,
) {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH]);
    cbor::push_head(out, cbor::ARRAY, 4);
    push_routes(out, onward, via, return_route);
    cbor::push_head(out, cbor::BYTES, payload);
    let length = out.len() - start - LENGTH + payload + TAIL.len();
    out[start..start + LENGTH].copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

/// Appends the two routes of a message, `via` in front of the return route.
// As a call of its own it costs every forwarded frame a sixth more instructions (`bench/instructions.txt`), and whether it is one
// would depend on the rest of the crate.
#[inline(always)]
pub(crate) fn push_routes(out: &mut Vec<u8>, onward: RouteRef<'_>, via: Option<&Address>, return_route: RouteRef<'_>) {
    cbor::push_head(out, cbor::ARRAY, onward.len());
    out.extend_from_slice(onward.encoded());
    cbor::push_head(out, cbor::ARRAY, return_route.len() + usize::from(via.is_some()));
    if let Some(via) = via {
        out.extend_from_slice(via.as_ref().encoded());
    }
    out.extend_from_slice(return_route.encoded());
}

/// Reads a message that is CBOR but not canonical, as `docs/wire.md` §1.1 asks of a decoder, and gives its parts.
pub(crate) fn canonical(input: &[u8]) -> Option<(Route, Route, Vec<u8>)> {
    read_tolerantly(&mut minicbor::Decoder::new(input)).ok().flatten()
}

type Tolerant<T> = Result<Option<T>, minicbor::decode::Error>;

fn read_tolerantly(decoder: &mut minicbor::Decoder<'_>) -> Tolerant<(Route, Route, Vec<u8>)> {
    if decoder.array()?.is_some_and(|fields| fields < 3) {
        return Ok(None);
    }
    let (Some(onward), Some(return_route)) = (read_route(decoder)?, read_route(decoder)?) else { return Ok(None) };
    Ok(Some((onward, return_route, decoder.bytes()?.to_vec())))
}

fn read_route(decoder: &mut minicbor::Decoder<'_>) -> Tolerant<Route> {
    let mut hops = decoder.array()?;
    let mut route = Route::new();
    while hops != Some(0) && !(hops.is_none() && at_break(decoder)?) {
        if route.len() == MAX_HOPS {
            return Ok(None);
        }
        route.push_back(read_address(decoder)?);
        hops = hops.map(|left| left - 1);
    }
    Ok(Some(route))
}

fn read_address(decoder: &mut minicbor::Decoder<'_>) -> Result<Address, minicbor::decode::Error> {
    let fields = decoder.array()?;
    let (kind, value) = (decoder.u8()?, decoder.bytes()?);
    if fields.is_some_and(|fields| fields < 2) || value.len() > MAX_ADDRESS_LEN {
        return Err(minicbor::decode::Error::message("not an address"));
    }
    let address = Address::new(kind, value);
    match fields {
        Some(fields) => (2..fields).try_for_each(|_| decoder.skip())?,
        None => {
            while !at_break(decoder)? {
                decoder.skip()?;
            }
        }
    }
    Ok(address)
}

/// Whether an indefinite array ends here; if so its end is taken.
fn at_break(decoder: &mut minicbor::Decoder<'_>) -> Result<bool, minicbor::decode::Error> {
    let ends = decoder.datatype()? == minicbor::data::Type::Break;
    if ends {
        decoder.skip()?;
    }
    Ok(ends)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route;
    use proptest::prelude::*;

    fn encode(onward: &Route, return_route: &Route, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        push_header(&mut out, onward.as_ref(), None, return_route.as_ref(), payload.len());
        out.extend_from_slice(payload);
        out.extend_from_slice(&TAIL);
        out
    }

    #[test]
    fn snapshot_of_the_documented_example() {
        let frame = encode(&route!["echoer"], &route!["app"], b"\x05hello");
        assert_eq!(hex::encode(frame), "0000001c84818200466563686f657281820043617070460568656c6c6f627b7d");
    }

    #[test]
    fn snapshot_of_the_vectors() {
        let vectors: serde_json::Value = serde_json::from_str(include_str!("../../vectors/vectors.json")).unwrap();
        let message1 = hex::decode(vectors["message1"].as_str().unwrap()).unwrap();
        let frame = encode(&route!["listener"], &route!["decryptor_i"], &message1);
        assert_eq!(hex::encode(frame), vectors["tcp_frame_of_message1"].as_str().unwrap());
    }

    #[test]
    fn frames_without_tracing_context_or_with_more_are_read() {
        let frame = encode(&route!["a"], &route![], b"x");
        let mut three = frame[LENGTH..frame.len() - TAIL.len()].to_vec();
        three[0] = 0x83;
        assert_eq!(find_payload(&three), Some(three.len() - 1..three.len()));
        let mut five = frame[LENGTH..].to_vec();
        five[0] = 0x85;
        five.push(0xf6);
        assert!(find_payload(&five).is_some());
    }

    #[test]
    fn other_ways_to_write_the_same_are_read_tolerantly() {
        // Indefinite arrays, long integers, a third element in an address.
        let odd = hex::decode("9f9f83180046656368 6f6572f6ff9f9f004178ffff4568656c6c6fff".replace(' ', "")).unwrap();
        assert!(find_payload(&odd).is_none());
        assert_eq!(canonical(&odd), Some((route!["echoer"], route!["x"], b"hello".to_vec())));
        assert_eq!(canonical(b"\x84\x80"), None);
    }

    /// How somebody else may write one head of CBOR: wider than needed, or of what has an end instead of a length.
    #[derive(Debug, Clone, Copy)]
    enum Odd {
        Wider(u8),
        Endless,
    }

    fn odds() -> impl Strategy<Value = Odd> {
        prop_oneof![(0..=4u8).prop_map(Odd::Wider), Just(Odd::Endless)]
    }

    /// Writes heads, each in the next of some odd forms.
    struct Oddly<'a> {
        out: Vec<u8>,
        forms: std::iter::Cycle<std::slice::Iter<'a, Odd>>,
    }

    impl Oddly<'_> {
        /// The head, at least as wide as its value needs.
        fn head(&mut self, major: u8, value: usize, wider: u8) {
            let least = match cbor::head_len(value) {
                1 => 0,
                2 => 1,
                3 => 2,
                5 => 3,
                _ => 4,
            };
            let width = least.max(wider);
            let digits = (value as u64).to_be_bytes();
            match width {
                0 => self.out.push(major << 5 | value as u8),
                _ => {
                    self.out.push(major << 5 | (23 + width));
                    self.out.extend_from_slice(&digits[8 - (1 << (width - 1))..]);
                }
            }
        }

        fn plain(&mut self, major: u8, value: usize) {
            let wider = match self.forms.next() {
                Some(Odd::Wider(wider)) => *wider,
                _ => 0,
            };
            self.head(major, value, wider);
        }

        fn array(&mut self, len: usize, items: impl FnOnce(&mut Self)) {
            match self.forms.next() {
                Some(Odd::Endless) => {
                    self.out.push(0x9f);
                    items(self);
                    self.out.push(0xff);
                }
                form => {
                    let wider = match form {
                        Some(Odd::Wider(wider)) => *wider,
                        _ => 0,
                    };
                    self.head(cbor::ARRAY, len, wider);
                    items(self);
                }
            }
        }

        fn bytes(&mut self, bytes: &[u8]) {
            self.plain(cbor::BYTES, bytes.len());
            self.out.extend_from_slice(bytes);
        }

        fn route(&mut self, route: &Route) {
            self.array(route.len(), |odd| {
                for hop in route.iter() {
                    // With something behind it that a later version may have put there.
                    odd.array(3, |odd| {
                        odd.plain(cbor::UINT, usize::from(hop.kind()));
                        odd.bytes(hop.value());
                        odd.plain(cbor::UINT, 7);
                    });
                }
            });
        }
    }

    fn routes() -> impl Strategy<Value = Route> {
        let hop = (any::<u8>(), prop::collection::vec(any::<u8>(), 0..300));
        prop::collection::vec(hop, 0..6)
            .prop_map(|hops| hops.into_iter().map(|(kind, value)| Address::new(kind, value)).collect())
    }

    proptest! {
        #[test]
        fn every_way_to_write_a_message_is_read(
            onward in routes(), back in routes(), payload: Vec<u8>, forms in prop::collection::vec(odds(), 1..20),
            at: prop::sample::Index, to: u8,
        ) {
            let mut odd = Oddly { out: Vec::new(), forms: forms.iter().cycle() };
            odd.array(4, |odd| {
                odd.route(&onward);
                odd.route(&back);
                odd.bytes(&payload);
                odd.out.extend_from_slice(&TAIL);
            });
            let mut wire = odd.out;
            prop_assert_eq!(canonical(&wire), Some((onward, back, payload)));
            let at = at.index(wire.len());
            let _ = canonical(&wire[..at]);
            wire[at] = to;
            let _ = (find_payload(&wire), canonical(&wire));
        }

        #[test]
        fn round_trip(onward in prop::collection::vec("[a-z#]{0,30}", 0..8), back in prop::collection::vec(".{0,30}", 0..8), payload: Vec<u8>) {
            let onward: Route = onward.iter().map(|hop| Address::from(hop.as_str())).collect();
            let back: Route = back.iter().map(|hop| Address::from(hop.as_str())).collect();
            let wire = encode(&onward, &back, &payload);
            let length = u32::from_be_bytes(wire[..LENGTH].try_into().unwrap()) as usize;
            prop_assert_eq!(length, wire.len() - LENGTH);
            let body = &wire[LENGTH..];
            let found = find_payload(body).unwrap();
            let (read_onward, read_back) = read_routes(&body[..found.start]).unwrap();
            prop_assert_eq!((read_onward.behind(None), read_back.behind(None)), (onward.clone(), back.clone()));
            prop_assert_eq!(&body[found], &payload[..]);
            prop_assert_eq!(canonical(body), Some((onward, back, payload)));
            for cut in 0..body.len() - TAIL.len() {
                prop_assert!(find_payload(&body[..cut]).is_none() && canonical(&body[..cut]).is_none());
            }
        }

        #[test]
        fn hostile_input_is_only_refused(data: Vec<u8>) {
            let _ = (find_payload(&data), canonical(&data));
        }

        #[test]
        fn a_changed_frame_is_refused_or_another(
            onward in routes(), back in routes(), payload: Vec<u8>, at: prop::sample::Index, to: u8,
        ) {
            let mut body = encode(&onward, &back, &payload).split_off(LENGTH);
            let at = at.index(body.len());
            body[at] = to;
            // Both roads lead to the same place.
            if let Some(range) = find_payload(&body) {
                let (onward, back) = read_routes(&body[..range.start]).unwrap();
                let found = (onward.behind(None), back.behind(None), body[range].to_vec());
                prop_assert_eq!(canonical(&body), Some(found));
            }
        }
    }
}
