//! The few CBOR heads of the hot path, written and read without an encoder.
//!
//! Everything Postern and `ockam` emit is definite and shortest (`docs/wire.md` §1.1), so that is what is
//! read here; a peer that writes CBOR another way is read by the tolerant decoder, [`super::frame::canonical`].

/// Major type of an unsigned integer.
pub(crate) const UINT: u8 = 0;
/// Major type of a byte string.
pub(crate) const BYTES: u8 = 2;
/// Major type of an array.
pub(crate) const ARRAY: u8 = 4;

/// The longest head: one byte and a `u64`.
pub(crate) const MAX_HEAD: usize = 9;

/// Number of bytes that [`push_head`] writes for `value`.
pub(crate) const fn head_len(value: usize) -> usize {
    match value {
        0..=23 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

/// Appends the shortest head of `major` with `value` to `out`.
pub(crate) fn push_head(out: &mut Vec<u8>, major: u8, value: usize) {
    let (head, len) = head(major, value);
    out.extend_from_slice(&head[..len]);
}

/// The shortest head of `major` with `value`, and how many of its bytes count.
pub(crate) fn head(major: u8, value: usize) -> ([u8; MAX_HEAD], usize) {
    let mut head = [0; MAX_HEAD];
    let len = head_len(value);
    let big_endian = (value as u64).to_be_bytes();
    let major = major << 5;
    head[0] = match len {
        1 => major | value as u8,
        2 => major | 24,
        3 => major | 25,
        5 => major | 26,
        _ => major | 27,
    };
    head[1..len].copy_from_slice(&big_endian[8 - (len - 1)..]);
    (head, len)
}

/// Reads a head of `major` in shortest form; the value and the bytes behind it.
pub(crate) fn read_head(input: &[u8], major: u8) -> Option<(usize, &[u8])> {
    let (&first, rest) = input.split_first()?;
    if first >> 5 != major {
        return None;
    }
    let width = match first & 0x1f {
        small @ 0..=23 => return Some((usize::from(small), rest)),
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => return None,
    };
    let (digits, rest) = rest.split_at_checked(width)?;
    let value = digits.iter().fold(0u64, |value, digit| value << 8 | u64::from(*digit));
    let value = usize::try_from(value).ok()?;
    (head_len(value) == width + 1).then_some((value, rest))
}

/// Reads a byte string in shortest form; its content and the bytes behind it.
pub(crate) fn read_bytes(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = read_head(input, BYTES)?;
    rest.split_at_checked(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn heads_are_the_shortest() {
        let mut out = Vec::new();
        for value in [0, 23, 24, 255, 256, 65535, 65536, 0xffff_ffff] {
            push_head(&mut out, BYTES, value);
        }
        assert_eq!(hex::encode(out), "4057581858ff59010059ffff5a000100005affffffff");
    }

    #[test]
    fn a_longer_form_than_needed_is_not_read() {
        for hex in ["5800", "5817", "590001", "5a0000ffff", "5f", "5c"] {
            assert_eq!(read_head(&hex::decode(hex).unwrap(), BYTES), None, "{hex}");
        }
    }

    proptest! {
        #[test]
        fn hostile_input_is_only_refused(data: Vec<u8>, major in 0u8..7) {
            let _ = (read_head(&data, major), read_bytes(&data));
        }

        #[test]
        fn heads_round_trip(value: u32, major in 0u8..7) {
            let mut out = Vec::new();
            push_head(&mut out, major, value as usize);
            prop_assert_eq!(read_head(&out, major), Some((value as usize, &[][..])));
            for cut in 0..out.len() {
                prop_assert_eq!(read_head(&out[..cut], major), None);
            }
        }
    }
}
