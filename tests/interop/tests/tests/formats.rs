//! Formats at their edges: what one side reads as the other does, and where they differ.

use interop::Peer;
use interop::Side::{Ours, Real};
use interop::wire::{bytes, head};

/// The order of the curve P-256, and that of the base point of Ed25519; both big-endian.
const P256_ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const ED25519_ORDER: &str = "1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed";

fn order(hex: &str) -> [u8; 32] {
    hex::decode(hex).expect("hex").try_into().expect("32 bytes")
}

/// The sum or the difference of two big-endian numbers.
fn combine(a: [u8; 32], b: [u8; 32], sign: i32) -> [u8; 32] {
    let (mut out, mut carry) = ([0; 32], 0);
    for index in (0..32).rev() {
        let digit = i32::from(a[index]) + sign * i32::from(b[index]) + carry;
        out[index] = digit.rem_euclid(256) as u8;
        carry = digit.div_euclid(256);
    }
    assert_eq!(carry, 0);
    out
}

/// What is at the end of a history of one change: the second half of its signature.
fn last_half(history: &mut [u8]) -> &mut [u8; 32] {
    history.last_chunk_mut().expect("a signature")
}

/// Whether each side takes this history: ours, theirs.
fn taken(history: &[u8]) -> (bool, bool) {
    let takes = |side| {
        let peer = Peer::start(side);
        peer.attempt(&format!("trust {}", hex::encode(history))).is_ok()
    };
    (takes(Ours), takes(Real))
}

/// `r, s` and `r, n - s` are both signatures of the same thing, and both sides take either.
#[test]
fn both_take_p256_signatures_with_high_and_low_s() {
    for side in [Ours, Real] {
        let (mut low, mut high) = (0, 0);
        // Until either side has been seen with what it makes by itself and with the other.
        for _ in 0..4 {
            let mut history = hex::decode(Peer::start(side).identity("p256").history).expect("hex");
            let s = *last_half(&mut history);
            let other = combine(order(P256_ORDER), s, -1);
            *(if s < other { &mut low } else { &mut high }) += 1;
            assert_eq!(taken(&history), (true, true), "{side:?}");
            *last_half(&mut history) = other;
            assert_eq!(taken(&history), (true, true), "{side:?}");
            // And not just anything.
            last_half(&mut history)[31] ^= 1;
            assert_eq!(taken(&history), (false, false), "{side:?}");
        }
        eprintln!("{side:?} made {low} with low s and {high} with high s");
    }
}

/// RFC 8032 wants `s` below the order of the base point, and both sides do.
#[test]
fn both_refuse_ed25519_signatures_with_an_s_that_is_not_reduced() {
    for side in [Ours, Real] {
        let mut history = hex::decode(Peer::start(side).identity("").history).expect("hex");
        assert_eq!(taken(&history), (true, true), "{side:?}");
        let s = last_half(&mut history);
        s.reverse();
        *s = combine(*s, order(ED25519_ORDER), 1);
        s.reverse();
        assert_eq!(taken(&history), (false, false), "{side:?}");
    }
}

/// A history of an Ed25519 key for which everybody can sign: that of a point of order 1, written somehow.
fn of_nobodys(key: [u8; 32]) -> Vec<u8> {
    let mut change = b"\x85\xf6\x82\x00\x81".to_vec();
    bytes(&mut change, &key);
    change.extend_from_slice(b"\xf4");
    head(&mut change, 0, 1_700_000_000);
    head(&mut change, 0, 2_000_000_000);
    let mut data = b"\x83\x01\x01".to_vec();
    bytes(&mut data, &change);
    let mut history = b"\x81\x82".to_vec();
    bytes(&mut history, &data);
    // For every message: R = s B - h A, which is the same point when s is 0.
    let mut signature = [0; 64];
    signature[0] = 1;
    history.extend_from_slice(b"\x82\x00\x81");
    bytes(&mut history, &signature);
    history
}

/// Whoever has such a key shares it with everybody and harms only himself. Neither side looks for it. What RFC 8032 says
/// about encodings is kept by ours alone: a number for y that is not reduced, or a sign for x = 0, is no point.
#[test]
fn keys_that_are_points_of_small_order() {
    let mut canonical = [0; 32];
    canonical[0] = 1;
    assert_eq!(taken(&of_nobodys(canonical)), (true, true));
    let mut signed = canonical;
    signed[31] = 0x80;
    assert_eq!(taken(&of_nobodys(signed)), (false, true));
    let mut unreduced = [0xff; 32];
    (unreduced[0], unreduced[31]) = (0xee, 0x7f);
    assert_eq!(taken(&of_nobodys(unreduced)), (false, true));
}

/// Reads the BARE length in front and gives what is behind.
fn unwrapped(data: &[u8]) -> Vec<u8> {
    let length = match data {
        [low, high, ..] if low & 0x80 != 0 => (usize::from(low & 0x7f) | usize::from(*high) << 7, 2),
        [low, ..] => ((*low).into(), 1),
        [] => panic!("nothing"),
    };
    assert_eq!(data.len(), length.0 + length.1);
    data[length.1..].to_vec()
}

/// The CBOR number at the beginning, in its shortest form, as it is.
fn number(bytes: &[u8]) -> &[u8] {
    let length = match bytes[0] {
        0..0x18 => 1,
        0x18 => 2,
        0x19 => 3,
        0x1a => 5,
        _ => panic!("no number: {bytes:02x?}"),
    };
    &bytes[..length]
}

/// The envelope of requests to issuers of credentials and other services of `ockam`, as `docs/wire.md` §5.2 and the snapshots of
/// `postern_node::request` have it.
#[test]
fn requests_and_responses_are_as_described() {
    let real = Peer::start(Real);
    let said = |command: &str| unwrapped(&hex::decode(real.tell(command)).expect("hex"));
    for (method, (index, path)) in ["GET", "POST", "PUT", "DELETE", "PATCH"].into_iter().zip((0u8..).zip(["/"; 5])) {
        let request = said(&format!("request {method} {path}"));
        let id = number(&request[2..]);
        let wanted = [b"\xa4\x01", id, b"\x02\x61/\x03", &[index], b"\x04\xf4"].concat();
        assert_eq!(request, wanted, "{method}");
    }
    let request = said("request POST /credential hello");
    let id = number(&request[2..]);
    let wanted = [b"\xa4\x01", id, b"\x02\x6b/credential\x03\x01\x04\xf5", b"\x05hello"].concat();
    assert_eq!(request, wanted);

    // One made by hand is understood, with optional ends.
    let wrap = |inner: &[u8]| hex::encode([&[inner.len() as u8], inner].concat());
    let bare = wrap(b"\xa4\x01\x07\x02\x61/\x03\x01\x04\xf4");
    assert_eq!(real.tell(&format!("understand {bare}")), "POST /");
    let with_body = wrap(b"\xa4\x01\x07\x02\x61/\x03\x02\x04\xf5\x05hello");
    assert_eq!(real.tell(&format!("understand {with_body}")), "PUT / hello");

    let granted = said(&format!("grant {bare} hello"));
    let id = number(&granted[2..]);
    assert_eq!(granted, [b"\xa4\x01", id, b"\x02\x07\x03\x18\xc8\x04\xf5", b"\x05hello"].concat());
    let forbidden = said(&format!("forbid {bare} no"));
    let id = number(&forbidden[2..]);
    let error = b"\xa3\x01\x61/\x02\x01\x03\x62no";
    assert_eq!(forbidden, [b"\xa4\x01", id, b"\x02\x07\x03\x19\x01\x93\x04\xf5", &error[..]].concat());
}
