//! What a client asks of an index service, and what that answers.

use super::{INDEX, INDEX_PARTITIONED, in_envelope, open_envelope, read_string};
use crate::wire::bare;

/// What a client asks of an index service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexRequest {
    /// Where did I stop?
    Get(Cursor),
    /// I have read everything before this index. It is not answered.
    Save(Cursor, u64),
}

/// A client's place in a stream. Partitioned messages are used if there is a partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The client.
    pub client_id: String,
    /// The stream.
    pub stream_name: String,
    /// The partition, for streams that were created with partitions.
    pub partition: Option<u64>,
}

/// What an index service answers to [`IndexRequest::Get`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexReply {
    /// Of the request.
    pub cursor: Cursor,
    /// Nothing if none was saved.
    pub index: Option<u64>,
}

/// Tags of the union that an index service takes.
const GET: u64 = 0;
const SAVE: u64 = 1;

impl IndexRequest {
    /// The payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let (cursor, index) = match self {
            Self::Get(cursor) => (cursor, None),
            Self::Save(cursor, index) => (cursor, Some(*index)),
        };
        bare::push_uint(&mut out, if index.is_some() { SAVE } else { GET });
        push_cursor(&mut out, cursor);
        index.inspect(|index| bare::push_uint(&mut out, *index));
        in_envelope(cursor.protocol(), &out)
    }

    /// Reads a payload. Bytes behind the message are ignored.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let (protocol, data) = open_envelope(payload)?;
        let (tag, rest) = bare::read_uint(data)?;
        let (cursor, rest) = read_cursor(protocol, rest)?;
        match tag {
            GET => Some(Self::Get(cursor)),
            SAVE => Some(Self::Save(cursor, bare::read_uint(rest)?.0)),
            _ => None,
        }
    }
}

impl IndexReply {
    /// The payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        push_cursor(&mut out, &self.cursor);
        out.push(u8::from(self.index.is_some()));
        self.index.inspect(|index| bare::push_uint(&mut out, *index));
        in_envelope(self.cursor.protocol(), &out)
    }

    /// Reads a payload. Bytes behind the message are ignored.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let (protocol, data) = open_envelope(payload)?;
        let (cursor, rest) = read_cursor(protocol, data)?;
        let index = match rest.split_first()? {
            (0, _) => None,
            (1, rest) => Some(bare::read_uint(rest)?.0),
            _ => return None,
        };
        Some(Self { cursor, index })
    }
}

impl Cursor {
    fn protocol(&self) -> &'static str {
        if self.partition.is_some() { INDEX_PARTITIONED } else { INDEX }
    }
}

fn push_cursor(out: &mut Vec<u8>, cursor: &Cursor) {
    bare::push_data(out, cursor.client_id.as_bytes());
    bare::push_data(out, cursor.stream_name.as_bytes());
    cursor.partition.inspect(|partition| bare::push_uint(out, *partition));
}

fn read_cursor<'a>(protocol: &str, input: &'a [u8]) -> Option<(Cursor, &'a [u8])> {
    let (client_id, rest) = read_string(input)?;
    let (stream_name, rest) = read_string(rest)?;
    let (partition, rest) = match protocol {
        INDEX => (None, rest),
        INDEX_PARTITIONED => bare::read_uint(rest).map(|(partition, rest)| (Some(partition), rest))?,
        _ => return None,
    };
    Some((Cursor { client_id, stream_name, partition }, rest))
}
