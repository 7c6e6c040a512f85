//! Bounded CBOR building blocks (`docs/wire.md §1.1`).

use minicbor::{Decode, Decoder, Encode, decode::Error as DecodeError};

use super::Error;

/// Encodes to memory: definite lengths, shortest forms, trailing absent fields dropped.
pub(super) fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing to memory does not fail")
}

/// Decodes at most `max` bytes.
pub(super) fn decode<'b, T: Decode<'b, ()>>(what: &'static str, max: usize, bytes: &'b [u8]) -> Result<T, Error> {
    if bytes.len() > max {
        return Err(Error::TooLarge { what, max });
    }
    minicbor::decode(bytes).map_err(|source| Error::Malformed { what, source })
}

/// Decodes a byte string of at most `MAX` bytes.
pub(super) fn bytes<C, const MAX: usize>(d: &mut Decoder<'_>, _: &mut C) -> Result<Vec<u8>, DecodeError> {
    let at = d.position();
    let bytes = d.bytes()?;
    if bytes.len() > MAX {
        return Err(DecodeError::message("byte string too long").at(at));
    }
    Ok(bytes.to_vec())
}

/// Decodes an array of at most `MAX` items, of definite or indefinite length.
pub(super) fn list<'b, C, T: Decode<'b, C>, const MAX: usize>(
    d: &mut Decoder<'b>,
    ctx: &mut C,
) -> Result<Vec<T>, DecodeError> {
    let at = d.position();
    // Grown item by item: the length a stranger announces must not allocate anything.
    let mut list = Vec::new();
    for item in d.array_iter_with(ctx)? {
        if list.len() == MAX {
            return Err(DecodeError::message("too many items").at(at));
        }
        list.push(item?);
    }
    Ok(list)
}
