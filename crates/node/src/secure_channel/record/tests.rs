use std::collections::HashSet;

use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, proptest};

use super::*;

/// Everything an opener remembers; a key is known by the one that follows it.
#[derive(Debug, PartialEq)]
struct View {
    previous: Option<[u8; KEY_LEN]>,
    current: [u8; KEY_LEN],
    highest: u64,
    seen: u64,
}

fn view(opener: &Opener) -> View {
    View {
        previous: opener.previous.as_ref().map(|key| *key.next_bytes()),
        current: *opener.current.next_bytes(),
        highest: opener.highest,
        seen: opener.seen,
    }
}

fn vector(name: &str) -> Vec<u8> {
    let text = include_str!("../../../vectors/vectors.json");
    let vectors: serde_json::Value = serde_json::from_str(text).unwrap();
    hex::decode(vectors[name].as_str().unwrap()).unwrap()
}

fn vector_key(name: &str) -> RecordKey {
    RecordKey::from_bytes(&vector(name).try_into().unwrap())
}

fn some_key() -> RecordKey {
    RecordKey::from_bytes(&[0x5a; KEY_LEN])
}

fn pair() -> (Sealer, Opener) {
    (Sealer::new(&some_key()), Opener::new(&some_key()))
}

fn seal(sealer: &mut Sealer, plaintext: &[u8]) -> Vec<u8> {
    let mut body = plaintext.to_vec();
    let (number, tag) = sealer.seal(&mut body).unwrap();
    [&number[..], &body, &tag].concat()
}

/// The records of nonces `0..count`, each holding its own number.
fn records(count: u64) -> Vec<Vec<u8>> {
    let mut sealer = Sealer::new(&some_key());
    let numbers = 0..count;
    numbers.map(|n| seal(&mut sealer, &n.to_be_bytes())).collect()
}

fn open(opener: &mut Opener, record: &[u8]) -> Result<Vec<u8>, RecordError> {
    opener.open(&mut record.to_vec()).map(|text| text.to_vec())
}

/// An opener that took all of `records` up to and including `highest`.
fn opened_to(records: &[Vec<u8>], highest: usize) -> Opener {
    let mut opener = Opener::new(&some_key());
    for record in &records[..=highest] {
        open(&mut opener, record).unwrap();
    }
    opener
}

#[test]
fn the_first_record_matches_the_vectors() {
    let plaintext = vector("first_payload_plaintext");
    let wire = vector("first_payload_wire_initiator_to_responder");
    let sealed = seal(&mut Sealer::new(&vector_key("k2")), &plaintext);
    assert_eq!(hex::encode(&sealed), hex::encode(&wire));
    let opened = open(&mut Opener::new(&vector_key("k2")), &wire);
    assert_eq!(opened.unwrap(), plaintext);
}

#[test]
fn the_responders_records_keep_their_bytes() {
    let plaintext = vector("first_payload_plaintext");
    let mut sealer = Sealer::new(&vector_key("k1"));
    let sealed: Vec<_> = (0..33).map(|_| seal(&mut sealer, &plaintext)).collect();
    assert_eq!(
        hex::encode(&sealed[0]),
        "00000000000000005defa50e8bed5dce798fd690c8dd4862c13b1604507a24c8\
         5b7ee961ff48f04d1d1764a75e2ddd56408cc82d509a"
    );
    assert_eq!(
        hex::encode(&sealed[32]),
        "0000000000000020b646e074b7161e405f3244fd2ded3796beb6506065e5ab2d\
         27539a2df544daa405b3751092489699598f73c8cfcf"
    );
}

#[test]
fn rekeying_matches_the_vectors() {
    let key = IntervalKey::new(&vector_key("k2"));
    assert_eq!(key.next_bytes().to_vec(), vector("rekey_k2_1"));
    assert_eq!(key.next().next_bytes().to_vec(), vector("rekey_k2_2"));
}

#[test]
fn close_keeps_its_bytes_through_thousands_of_rekeys() {
    let mut sealer = Sealer::new(&vector_key("k2"));
    let mut opener = Opener::new(&vector_key("k2"));
    for number in 0..=96_000 {
        let record = seal(&mut sealer, &CLOSE_PLAINTEXT);
        assert_eq!(open(&mut opener, &record).unwrap(), CLOSE_PLAINTEXT);
        let expected = match number {
            0 => "0000000000000000730a7db78918da6f632767306fdfd7b9abac253c30",
            32 => "00000000000000202dcf70b199aa5df8145dadbf7287dc84ace9b38d33",
            64 => "00000000000000402c9978868bfc911aed19b88a4efc28094ec3ec29f3",
            96_000 => "000000000001770027d61d7b27119835706ac1d1660f3b760565c083be",
            _ => continue,
        };
        assert_eq!(hex::encode(record), expected);
    }
    assert_eq!(view(&opener).highest, 96_000);
}

#[test]
fn empty_and_large_plaintexts_pass() {
    let (mut sealer, mut opener) = pair();
    for length in [0, 1, 15, 16, 17, 65_536, 1 << 20] {
        let plaintext = vec![0xa5; length];
        let record = seal(&mut sealer, &plaintext);
        assert_eq!(record.len(), length + OVERHEAD);
        assert_eq!(open(&mut opener, &record).unwrap(), plaintext);
    }
}

#[test]
fn the_plaintext_lies_inside_the_record() {
    let (mut sealer, mut opener) = pair();
    let mut record = seal(&mut sealer, b"in place");
    opener.open(&mut record).unwrap();
    assert_eq!(&record[NONCE_LEN..NONCE_LEN + 8], b"in place");
}

#[test]
fn the_window_ends_at_32_both_ways() {
    let records = records(200);
    for highest in [64, 95, 96, 100, 127] {
        for (distance, fits) in [(1, true), (31, true), (32, true), (33, false), (64, false)] {
            // Leaves the older ones unread, so that only their distance can refuse them.
            let mut opener = Opener::new(&some_key());
            for number in (0..highest).step_by(32).chain([highest]) {
                open(&mut opener, &records[number]).unwrap();
            }
            if !(highest - distance).is_multiple_of(32) {
                let opened = open(&mut opener, &records[highest - distance]);
                assert_eq!(opened.is_ok(), fits, "{highest} - {distance}");
            }
            let before = view(&opener);
            let opened = open(&mut opener, &records[highest + distance]);
            assert_eq!(opened.is_ok(), fits, "{highest} + {distance}");
            if !fits {
                let (nonce, highest) = ((highest + distance) as u64, highest as u64);
                let refused = RecordError::OutsideWindow { nonce, highest };
                assert_eq!(opened.unwrap_err(), refused);
                assert_eq!(view(&opener), before);
            }
        }
    }
}

#[test]
fn the_first_key_still_opens_after_a_step() {
    let records = records(65);
    let mut opener = Opener::new(&some_key());
    open(&mut opener, &records[32]).unwrap();
    for record in &records[..32] {
        open(&mut opener, record).unwrap();
    }
    open(&mut opener, &records[64]).unwrap();
    open(&mut opener, &records[63]).unwrap();
}

#[test]
fn too_many_losses_deafen_the_channel_for_good() {
    let records = records(5_000);
    let mut opener = opened_to(&records, 10);
    for record in &records[43..] {
        assert!(open(&mut opener, record).is_err());
    }
    open(&mut opener, &records[42]).unwrap();
}

#[test]
fn a_forgery_in_any_interval_leaves_no_memory() {
    let records = records(128);
    let mut opener = opened_to(&records, 60);
    open(&mut opener, &records[70]).unwrap();
    // 63 is of the previous interval, 71 of the current and 96 of the next one.
    for number in [63, 71, 96, 102] {
        let before = view(&opener);
        let mut forged = records[number].clone();
        *forged.last_mut().unwrap() ^= 1;
        for _ in 0..3 {
            let nonce = number as u64;
            let refused = open(&mut opener, &forged).unwrap_err();
            assert_eq!(refused, RecordError::Forged { nonce });
            assert_eq!(view(&opener), before);
        }
        open(&mut opener, &records[number]).unwrap();
        let nonce = number as u64;
        let refused = open(&mut opener, &records[number]).unwrap_err();
        assert_eq!(refused, RecordError::Replayed { nonce });
    }
}

#[test]
fn the_key_of_another_interval_opens_nothing() {
    let mut sealer = Sealer::new(&some_key());
    sealer.next = 32;
    sealer.interval = 1;
    let stale = seal(&mut sealer, b"sealed with key 0");
    let mut opener = opened_to(&records(31), 30);
    let refused = open(&mut opener, &stale).unwrap_err();
    assert_eq!(refused, RecordError::Forged { nonce: 32 });
}

#[test]
fn nonces_run_out_before_the_reserved_one() {
    let (mut sealer, mut opener) = pair();
    sealer.next = u64::MAX - 1;
    sealer.interval = interval(u64::MAX);
    opener.highest = u64::MAX - 2;
    opener.seen = 1;
    let last = seal(&mut sealer, b"last");
    assert_eq!(sealer.seal(&mut [0; 4]), Err(RecordError::Exhausted));
    assert_eq!(sealer.seal(&mut [0; 4]), Err(RecordError::Exhausted));
    assert_eq!(open(&mut opener, &last).unwrap(), b"last");

    // A peer that numbers a record with the reserved nonce could make us show the next key.
    let mut body = [0; KEY_LEN];
    let tag = sealer.key.0.seal(REKEY_NONCE, &mut body).unwrap();
    let record = [&REKEY_NONCE.to_be_bytes()[..], &body, tag.as_ref()].concat();
    let refused = open(&mut opener, &record).unwrap_err();
    assert_eq!(refused, RecordError::Exhausted);
}

#[test]
fn short_records_are_refused() {
    let record = &records(1)[0];
    for length in 0..record.len() {
        let mut opener = Opener::new(&some_key());
        let refused = open(&mut opener, &record[..length]).unwrap_err();
        let expected = match length {
            0..OVERHEAD => RecordError::TooShort { length },
            _ => RecordError::Forged { nonce: 0 },
        };
        assert_eq!(refused, expected);
    }
}

#[test]
fn debug_shows_no_key() {
    let (sealer, opener) = pair();
    assert_eq!(format!("{sealer:?}"), "Sealer { next: 0, .. }");
    assert_eq!(format!("{opener:?}"), "Opener { highest: 0, seen: 0b0, .. }");
}

/// What the rules of `docs/wire.md §7.5` say about a genuine record, in their own words.
fn expected(taken: &HashSet<u64>, number: u64) -> bool {
    let highest = taken.iter().max().copied().unwrap_or(0);
    let near = number.abs_diff(highest) <= REPLAY_WINDOW;
    let keyed = interval(number).abs_diff(interval(highest)) <= 1;
    near && keyed && !taken.contains(&number)
}

proptest! {
    #[test]
    fn any_order_within_the_window_opens_each_once(
        start in 0..100_usize,
        order in Just((0..32).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let records = records(200);
        let mut opener = opened_to(&records, start);
        for number in order.iter().map(|n| start + 1 + n) {
            let opened = open(&mut opener, &records[number]).unwrap();
            prop_assert_eq!(opened, (number as u64).to_be_bytes());
        }
        let before = view(&opener);
        for record in &records[start..=start + 32] {
            let refused = matches!(open(&mut opener, record), Err(RecordError::Replayed { .. }));
            prop_assert!(refused);
        }
        prop_assert_eq!(view(&opener), before);
    }

    #[test]
    fn a_lossy_reordering_forging_link_is_judged_by_the_rules(
        steps in prop::collection::vec((-40..=40_i64, any::<bool>()), 1..80),
    ) {
        let records = records(80 * 40);
        let mut opener = Opener::new(&some_key());
        let mut taken = HashSet::new();
        for (offset, forged) in steps {
            let number = opener.highest.saturating_add_signed(offset);
            let mut record = records[number as usize].clone();
            if forged {
                record[NONCE_LEN] ^= 0x10;
            }
            let before = view(&opener);
            let fits = !forged && expected(&taken, number);
            let opened = open(&mut opener, &record);
            prop_assert_eq!(opened.is_ok(), fits, "{} {:?}", number, opened);
            if fits {
                taken.insert(number);
                prop_assert_eq!(opened.unwrap(), number.to_be_bytes());
            } else {
                prop_assert_eq!(view(&opener), before);
            }
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused(
        plaintext in prop::collection::vec(any::<u8>(), 0..100),
        skip in 0..70_usize,
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let (mut sealer, mut opener) = pair();
        for _ in 0..skip {
            open(&mut opener, &seal(&mut sealer, b"before")).unwrap();
        }
        let genuine = seal(&mut sealer, &plaintext);
        let mut flipped = genuine.clone();
        flipped[at.index(genuine.len())] ^= 1_u8 << bit;
        let before = view(&opener);
        prop_assert!(open(&mut opener, &flipped).is_err());
        prop_assert_eq!(view(&opener), before);
        prop_assert_eq!(open(&mut opener, &genuine).unwrap(), plaintext);
    }

    #[test]
    fn noise_never_opens(bytes in prop::collection::vec(any::<u8>(), 0..100), near in 0..40_u8) {
        let mut opener = Opener::new(&some_key());
        let mut numbered = [&[0; 7][..], &[near], &bytes].concat();
        prop_assert!(opener.open(&mut numbered).is_err());
        prop_assert!(open(&mut opener, &bytes).is_err());
    }
}
