//! The steps of the hot path, one by one, to be counted in instructions.
//!
//! They are not public API: this module exists only with `--cfg postern_hot_path`. `cargo xtask bench instructions` builds
//! `bench/hot-path` with it for release and runs each step under an instruction counter, once for a few repetitions and once
//! for many: the difference is the cost of a step.

use crate::address::Address;
use crate::delivery::Delivery;
use crate::local_message::{BorrowedMessage, PayloadBuf};
use crate::origin::{OriginId, Source};
use crate::route;
use crate::router::{Endpoint, Router};
use crate::secure_channel::record::{Opener, RecordKey, Sealer};
use crate::undeliverable::Undeliverable;
use crate::wire::frame;
use std::hint::black_box;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Addresses in the routing table of the look-up: as many as a busy hub has.
const ADDRESSES: usize = 1_000;
/// Relays of others when one is registered: going through them would cost more than everything else.
const RELAYS: usize = 4_000;
/// Bytes in a large message: so many that the cost for each byte outweighs the cost for each message.
const PAYLOAD: usize = 32 * 1024;

/// Runs a step this many times.
pub type Step = fn(u32);

/// The steps, by the names that baselines have.
pub const STEPS: &[(&str, Step)] = &[
    ("seal 64 B", |times| seal(times, 64)),
    ("seal 32 KiB", |times| seal(times, PAYLOAD)),
    ("seal and open 64 B", |times| seal_and_open(times, 64)),
    ("seal and open 32 KiB", |times| seal_and_open(times, PAYLOAD)),
    ("build a frame header", build_header),
    ("parse a frame header", parse_header),
    ("look up a route", look_up),
    ("register a relay among others", |times| crate::relay::register_among(RELAYS, times)),
];

fn seal(times: u32, len: usize) {
    let mut sealer = Sealer::new(&RecordKey::from_bytes(&[7; 32]));
    let mut plaintext = vec![0; len];
    for _ in 0..times {
        black_box(sealer.seal(black_box(&mut plaintext))).expect("nonces are left");
    }
}

fn seal_and_open(times: u32, len: usize) {
    let key = RecordKey::from_bytes(&[7; 32]);
    let (mut sealer, mut opener) = (Sealer::new(&key), Opener::new(&key));
    let mut record = vec![0; 8 + len + 16];
    for _ in 0..times {
        let (nonce, tag) = sealer.seal(&mut record[8..8 + len]).expect("nonces are left");
        record[..8].copy_from_slice(&nonce);
        record[8 + len..].copy_from_slice(&tag);
        black_box(opener.open(black_box(&mut record))).expect("it was just sealed");
    }
}

/// Writes the header of a frame as a hub forwards it, this many times to the same place.
fn push_headers(out: &mut Vec<u8>, times: u32) {
    let onward = route!["5a1e6e0c9f2d4b7a8c3e1f0d", "0123456789abcdef01234567"];
    let (back, via) = (route!["feedfacecafebeef00112233"], Address::from("a0b1c2d3e4f5a6b7c8d9e0f1"));
    for _ in 0..times {
        out.clear();
        frame::push_header(out, black_box(&onward).as_ref(), Some(&via), back.as_ref(), black_box(PAYLOAD));
    }
}

fn build_header(times: u32) {
    let mut out = Vec::with_capacity(512);
    push_headers(&mut out, times);
    black_box(&out);
}

fn parse_header(times: u32) {
    let mut bytes = Vec::new();
    push_headers(&mut bytes, 1);
    bytes.drain(..frame::LENGTH);
    bytes.resize(bytes.len() + PAYLOAD, 0);
    bytes.extend_from_slice(&frame::TAIL);
    for _ in 0..times {
        let payload = frame::find_payload(black_box(&bytes)).expect("it was built as one");
        black_box(frame::read_routes(&bytes[..payload.start])).expect("it was built as one");
    }
}

struct Taker;

impl Endpoint for Taker {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        black_box(message.body.len());
        Ok(Delivery::default())
    }
}

fn look_up(times: u32) {
    let (router, origin) = (Router::default(), OriginId::fresh());
    let addresses: Vec<Address> = (0..ADDRESSES).map(|number| Address::from(format!("address-{number:016}"))).collect();
    for address in &addresses {
        router.add_endpoint(address.clone(), Arc::new(Taker)).expect("they differ");
        router.expose(address, origin);
    }
    let source = Arc::new(Source::new(origin, "sender".into(), CancellationToken::new()));
    let (onward, back) = (route![addresses[ADDRESSES / 2].clone(), "behind"], route!["back"]);
    let mut payload = [0; 64];
    for _ in 0..times {
        let delivered = router.dispatch(BorrowedMessage {
            onward: onward.as_ref(),
            return_route: back.as_ref(),
            body: PayloadBuf::exactly(black_box(&mut payload)),
            source: Some(&source),
            depth: 0,
            completion: None,
        });
        drop(black_box(delivered.expect("the address is there")));
    }
}
