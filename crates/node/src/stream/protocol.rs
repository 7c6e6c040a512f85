//! What clients and services of streams say to each other: the protocols of `docs/wire.md` §15.2, each in an envelope.
//!
//! ```text
//! envelope = protocol string ‖ data        data = the BARE encoding of the message
//! ```
//!
//! The protocols whose names begin with `postern_` are extensions. A client uses them only at a stream whose address begins
//! with [`EXTENDED_PREFIX`]; a service only answers them. So a peer that does not have them never sees one.

mod index;
mod reply;
mod request;

pub use index::{Cursor, IndexReply, IndexRequest};
pub use reply::{Record, Status, StreamReply};
pub(super) use request::encode_push_batch;
pub use request::{HeldPull, PushBatch, StreamRequest};

use crate::wire::bare;

/// The addresses of streams whose service understands the extensions begin with this.
pub const EXTENDED_PREFIX: &str = "ST_P1_";
/// Longest name of a stream, and of a client of the index service, in bytes: what Kafka allows, less the hub's prefix.
pub const NAME_LEN_MAX: usize = 200;
/// Records of one batch that is pushed, and of one reply to a pull.
pub const BATCH_RECORDS_MAX: usize = 1_024;
/// Bytes of the records of one batch that is pushed, and of one reply to a pull, unless a single record is larger: with the
/// headers it fits a frame, which holds 1 MiB.
pub const BATCH_BYTES_MAX: usize = 1_000_000;
/// Longest time a service holds a pull that it has nothing for, in milliseconds.
pub const HOLD_MS_MAX: u64 = 30_000;
/// Identities that a stream is shared with by one request.
pub const SHARE_MAX: usize = 64;

const CREATE: &str = "stream_create";
const CREATE_PARTITIONED: &str = "stream_create_partitioned";
const PUSH: &str = "stream_push";
const PULL: &str = "stream_pull";
const INDEX: &str = "stream_index";
const INDEX_PARTITIONED: &str = "stream_index_partitioned";
const ERROR: &str = "error";
const PUSH_BATCH: &str = "postern_stream_push";
const HELD_PULL: &str = "postern_stream_pull";
const SHARE: &str = "postern_stream_share";

/// Whether a text can be the name of a stream, or of a client of the index service: 1 to [`NAME_LEN_MAX`] characters out of
/// `a-z A-Z 0-9 . _ -`.
pub fn is_valid_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=NAME_LEN_MAX).contains(&name.len()) && name.bytes().all(allowed)
}

fn in_envelope(protocol: &str, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(protocol.len() + data.len() + 2 * bare::MAX_UINT);
    bare::push_data(&mut out, protocol.as_bytes());
    bare::push_data(&mut out, data);
    out
}

fn open_envelope(payload: &[u8]) -> Option<(&str, &[u8])> {
    let (protocol, rest) = bare::read_data(payload)?;
    Some((str::from_utf8(protocol).ok()?, bare::read_data(rest)?.0))
}

fn read_string(input: &[u8]) -> Option<(String, &[u8])> {
    let (text, rest) = bare::read_data(input)?;
    Some((str::from_utf8(text).ok()?.to_owned(), rest))
}

fn push_uints<const N: usize>(out: &mut Vec<u8>, values: [u64; N]) {
    values.into_iter().for_each(|value| bare::push_uint(out, value));
}

fn read_uints<const N: usize>(mut input: &[u8]) -> Option<([u64; N], &[u8])> {
    let mut values = [0; N];
    for value in &mut values {
        (*value, input) = bare::read_uint(input)?;
    }
    Some((values, input))
}

/// Reads `count` items, if that is not more than `max`.
fn read_list<'a, T>(
    mut input: &'a [u8],
    count: u64,
    max: usize,
    item: impl Fn(&'a [u8]) -> Option<(T, &'a [u8])>,
) -> Option<(Vec<T>, &'a [u8])> {
    let count = usize::try_from(count).ok().filter(|count| *count <= max)?;
    let mut items = Vec::new();
    for _ in 0..count {
        let (read, rest) = item(input)?;
        items.push(read);
        input = rest;
    }
    Some((items, input))
}

#[cfg(test)]
mod tests;
