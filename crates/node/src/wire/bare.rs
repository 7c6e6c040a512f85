//! BARE's unsigned integers, strings and data (`docs/wire.md` §1.2), for the control messages of relays and portals.

/// Longest encoding of a `u64`.
pub(crate) const MAX_UINT: usize = 10;

/// Writes `value` as ULEB128 and returns the bytes that count.
pub(crate) fn uint(mut value: u64) -> ([u8; MAX_UINT], usize) {
    let mut out = [0; MAX_UINT];
    let mut len = 0;
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        out[len] = if value == 0 { low } else { low | 0x80 };
        len += 1;
        if value == 0 {
            return (out, len);
        }
    }
}

/// Appends `value` as ULEB128.
pub(crate) fn push_uint(out: &mut Vec<u8>, value: u64) {
    let (digits, len) = uint(value);
    out.extend_from_slice(&digits[..len]);
}

/// Appends a length and the bytes.
pub(crate) fn push_data(out: &mut Vec<u8>, data: &[u8]) {
    push_uint(out, data.len() as u64);
    out.extend_from_slice(data);
}

/// Reads a ULEB128 integer; the value and the bytes behind it.
pub(crate) fn read_uint(input: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (index, &byte) in input.iter().enumerate().take(MAX_UINT) {
        if index == MAX_UINT - 1 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, &input[index + 1..]));
        }
    }
    None
}

/// Reads a length and that many bytes; they and the bytes behind them.
pub(crate) fn read_data(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = read_uint(input)?;
    rest.split_at_checked(usize::try_from(len).ok()?)
}

/// Reads a string that fills the whole input.
pub(crate) fn read_only_string(input: &[u8]) -> Option<&str> {
    let (data, rest) = read_data(input)?;
    if rest.is_empty() { str::from_utf8(data).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn snapshot() {
        let mut out = Vec::new();
        push_uint(&mut out, 300);
        push_data(&mut out, b"hello");
        push_uint(&mut out, u64::MAX);
        assert_eq!(hex::encode(out), "ac020568656c6c6fffffffffffffffffff01");
    }

    #[test]
    fn a_tenth_byte_above_one_is_refused() {
        assert_eq!(read_uint(&hex::decode("ffffffffffffffffff02").unwrap()), None);
        assert_eq!(read_uint(&[0x80; 20]), None);
    }

    proptest! {
        #[test]
        fn round_trip(value: u64, data: Vec<u8>) {
            let mut out = Vec::new();
            push_uint(&mut out, value);
            push_data(&mut out, &data);
            let (read, rest) = read_uint(&out).unwrap();
            prop_assert_eq!(read, value);
            prop_assert_eq!(read_data(rest), Some((&data[..], &[][..])));
        }

        #[test]
        fn hostile_input_is_only_refused(data: Vec<u8>) {
            let _ = (read_uint(&data), read_data(&data), read_only_string(&data));
        }
    }
}
