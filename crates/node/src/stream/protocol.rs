//! What clients and services of streams say to each other: the protocols of `docs/wire.md` §15.2, each in an envelope.
//!
//! ```text
//! envelope = protocol string ‖ data        data = the BARE encoding of the message
//! ```
//!
//! The protocols whose names begin with `postern_` are extensions. A client uses them only at a stream whose address begins
//! with [`EXTENDED_PREFIX`]; a service only answers them. So a peer that does not have them never sees one.

use crate::identity::Identifier;
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

/// What a client asks of a stream service, or of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamRequest {
    /// To a service: create the stream, or find it. Without a name, the service makes one up.
    Create {
        /// Its name.
        name: Option<String>,
    },
    /// To a service: the same with partitions.
    CreatePartitioned {
        /// Its name.
        name: Option<String>,
        /// How many.
        partitions: u64,
    },
    /// Append a record.
    Push {
        /// The answer carries it too.
        request_id: u64,
        /// The record.
        data: Vec<u8>,
    },
    /// Read records, as many as there are, at once.
    Pull {
        /// The answer carries it too.
        request_id: u64,
        /// Index of the first record.
        index: u64,
        /// At most so many.
        limit: u64,
    },
    /// Extension: append records in order, once.
    PushBatch(PushBatch),
    /// Extension: read records, and wait for the first.
    HeldPull(HeldPull),
    /// Extension: these identities may use the stream too.
    Share {
        /// The answer carries it too.
        request_id: u64,
        /// At most [`SHARE_MAX`].
        identities: Vec<Identifier>,
    },
}

/// Records to append in order, once: a service remembers how far each producer has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushBatch {
    /// The answer carries it too.
    pub request_id: u64,
    /// Random, of one producer in one process.
    pub producer: [u8; 16],
    /// Number of the first record, among those of this producer.
    pub sequence: u64,
    /// At most [`BATCH_RECORDS_MAX`] and [`BATCH_BYTES_MAX`].
    pub records: Vec<Vec<u8>>,
}

/// A pull that the service holds until there is a record, at most `wait_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldPull {
    /// The answer carries it too.
    pub request_id: u64,
    /// Random, of one consumer in one process. A newer pull of a consumer replaces an older, which is not answered.
    pub consumer: [u8; 16],
    /// Index of the first record.
    pub index: u64,
    /// At most so many records.
    pub limit: u64,
    /// At most so many bytes, unless the first record is larger.
    pub max_bytes: u64,
    /// At most [`HOLD_MS_MAX`].
    pub wait_ms: u64,
}

/// A record and its index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Records of one partition have increasing indexes, not always by one.
    pub index: u64,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// What came of a request. Codes are places in the table of `docs/wire.md` §15.3; unknown ones are read as `Unavailable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Done.
    Done,
    /// The storage failed, or cannot be reached; the same request may succeed later.
    Unavailable,
    /// The batch does not follow the last one of its producer; the answer says which number the next must begin with.
    OutOfOrder,
    /// The quota of the stream, of the identity or of the hub is used up.
    Full,
    /// A record is too large, or there are too many.
    TooLarge,
    /// The stream belongs to others, or identities cannot be told apart here.
    Denied,
}

impl Status {
    const CODES: [Self; 6] =
        [Self::Done, Self::Unavailable, Self::OutOfOrder, Self::Full, Self::TooLarge, Self::Denied];

    fn code(self) -> u64 {
        Self::CODES.iter().position(|it| *it == self).unwrap_or_default() as u64
    }

    fn from_code(code: u64) -> Self {
        usize::try_from(code).ok().and_then(|index| Self::CODES.get(index).copied()).unwrap_or(Self::Unavailable)
    }
}

/// What a stream service, or a stream, answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamReply {
    /// The stream exists. It comes from the stream: the return route is its address.
    Created {
        /// Its name.
        name: String,
    },
    /// A partition exists. It comes from the partition.
    CreatedPartition {
        /// The stream's name.
        name: String,
        /// Which partition.
        partition: u64,
    },
    /// Of a [`StreamRequest::Push`].
    Pushed {
        /// Of the request.
        request_id: u64,
        /// Whether it was stored.
        stored: bool,
        /// Where; 0 if it was not stored.
        index: u64,
    },
    /// Of a [`StreamRequest::Pull`].
    Pulled {
        /// Of the request.
        request_id: u64,
        /// What there was.
        records: Vec<Record>,
    },
    /// Of a [`PushBatch`].
    BatchPushed {
        /// Of the request.
        request_id: u64,
        /// What came of it.
        status: Status,
        /// Number that the producer's next record must have.
        next_sequence: u64,
        /// Why not, for people; empty if it was done.
        reason: String,
    },
    /// Of a [`HeldPull`].
    HeldPulled {
        /// Of the request.
        request_id: u64,
        /// What came of it.
        status: Status,
        /// Index of the oldest record that is still kept. A larger one than was asked for: what is before it is lost.
        first: u64,
        /// Index that the next record to read has, or a later one.
        next: u64,
        /// What there was.
        records: Vec<Record>,
        /// Why not, for people; empty if it was done.
        reason: String,
    },
    /// Of a [`StreamRequest::Share`].
    Shared {
        /// Of the request.
        request_id: u64,
        /// What came of it.
        status: Status,
    },
    /// A request was refused, and why.
    Error {
        /// For people.
        reason: String,
    },
}

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

impl StreamRequest {
    /// The payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let protocol = match self {
            Self::Create { name } => {
                push_name(&mut out, name.as_deref());
                CREATE
            }
            Self::CreatePartitioned { name, partitions } => {
                push_name(&mut out, name.as_deref());
                bare::push_uint(&mut out, *partitions);
                CREATE_PARTITIONED
            }
            Self::Push { request_id, data } => {
                bare::push_uint(&mut out, *request_id);
                bare::push_data(&mut out, data);
                PUSH
            }
            Self::Pull { request_id, index, limit } => {
                push_uints(&mut out, [*request_id, *index, *limit]);
                PULL
            }
            Self::PushBatch(PushBatch { request_id, producer, sequence, records }) => {
                bare::push_uint(&mut out, *request_id);
                out.extend_from_slice(producer);
                bare::push_uint(&mut out, *sequence);
                bare::push_uint(&mut out, records.len() as u64);
                records.iter().for_each(|record| bare::push_data(&mut out, record));
                PUSH_BATCH
            }
            Self::HeldPull(HeldPull { request_id, consumer, index, limit, max_bytes, wait_ms }) => {
                bare::push_uint(&mut out, *request_id);
                out.extend_from_slice(consumer);
                push_uints(&mut out, [*index, *limit, *max_bytes, *wait_ms]);
                HELD_PULL
            }
            Self::Share { request_id, identities } => {
                bare::push_uint(&mut out, *request_id);
                bare::push_uint(&mut out, identities.len() as u64);
                identities.iter().for_each(|identity| out.extend_from_slice(identity.as_bytes()));
                SHARE
            }
        };
        in_envelope(protocol, &out)
    }

    /// Reads a payload. Bytes behind the message are ignored.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let (protocol, data) = open_envelope(payload)?;
        let request = match protocol {
            CREATE => Self::Create { name: read_name(data)?.0 },
            CREATE_PARTITIONED => {
                let (name, rest) = read_name(data)?;
                Self::CreatePartitioned { name, partitions: bare::read_uint(rest)?.0 }
            }
            PUSH => {
                let (request_id, rest) = bare::read_uint(data)?;
                Self::Push { request_id, data: bare::read_data(rest)?.0.to_vec() }
            }
            PULL => {
                let ([request_id, index, limit], _) = read_uints(data)?;
                Self::Pull { request_id, index, limit }
            }
            PUSH_BATCH => {
                let (request_id, rest) = bare::read_uint(data)?;
                let (producer, rest) = rest.split_first_chunk()?;
                let ([sequence, count], rest) = read_uints(rest)?;
                let records = read_list(rest, count, BATCH_RECORDS_MAX, |input| {
                    bare::read_data(input).map(|(record, rest)| (record.to_vec(), rest))
                })?;
                Self::PushBatch(PushBatch { request_id, producer: *producer, sequence, records: records.0 })
            }
            HELD_PULL => {
                let (request_id, rest) = bare::read_uint(data)?;
                let (consumer, rest) = rest.split_first_chunk()?;
                let ([index, limit, max_bytes, wait_ms], _) = read_uints(rest)?;
                Self::HeldPull(HeldPull { request_id, consumer: *consumer, index, limit, max_bytes, wait_ms })
            }
            SHARE => {
                let ([request_id, count], rest) = read_uints(data)?;
                let identities = read_list(rest, count, SHARE_MAX, |input| {
                    input.split_first_chunk().map(|(bytes, rest)| (Identifier::from_bytes(*bytes), rest))
                })?;
                Self::Share { request_id, identities: identities.0 }
            }
            _ => return None,
        };
        Some(request)
    }
}

impl StreamReply {
    /// The payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let protocol = match self {
            Self::Created { name } => {
                bare::push_data(&mut out, name.as_bytes());
                CREATE
            }
            Self::CreatedPartition { name, partition } => {
                bare::push_data(&mut out, name.as_bytes());
                bare::push_uint(&mut out, *partition);
                CREATE_PARTITIONED
            }
            Self::Pushed { request_id, stored, index } => {
                push_uints(&mut out, [*request_id, u64::from(!stored), *index]);
                PUSH
            }
            Self::Pulled { request_id, records } => {
                bare::push_uint(&mut out, *request_id);
                push_records(&mut out, records);
                PULL
            }
            Self::BatchPushed { request_id, status, next_sequence, reason } => {
                push_uints(&mut out, [*request_id, status.code(), *next_sequence]);
                bare::push_data(&mut out, reason.as_bytes());
                PUSH_BATCH
            }
            Self::HeldPulled { request_id, status, first, next, records, reason } => {
                push_uints(&mut out, [*request_id, status.code(), *first, *next]);
                push_records(&mut out, records);
                bare::push_data(&mut out, reason.as_bytes());
                HELD_PULL
            }
            Self::Shared { request_id, status } => {
                push_uints(&mut out, [*request_id, status.code()]);
                SHARE
            }
            Self::Error { reason } => {
                bare::push_data(&mut out, reason.as_bytes());
                ERROR
            }
        };
        in_envelope(protocol, &out)
    }

    /// Reads a payload. Bytes behind the message are ignored.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let (protocol, data) = open_envelope(payload)?;
        let reply = match protocol {
            CREATE => Self::Created { name: read_string(data)?.0 },
            CREATE_PARTITIONED => {
                let (name, rest) = read_string(data)?;
                Self::CreatedPartition { name, partition: bare::read_uint(rest)?.0 }
            }
            PUSH => {
                let ([request_id, status, index], _) = read_uints(data)?;
                Self::Pushed { request_id, stored: status == 0, index }
            }
            PULL => {
                let (request_id, rest) = bare::read_uint(data)?;
                Self::Pulled { request_id, records: read_records(rest)?.0 }
            }
            PUSH_BATCH => {
                let ([request_id, status, next_sequence], rest) = read_uints(data)?;
                let (reason, _) = read_string(rest)?;
                Self::BatchPushed { request_id, status: Status::from_code(status), next_sequence, reason }
            }
            HELD_PULL => {
                let ([request_id, status, first, next], rest) = read_uints(data)?;
                let (records, rest) = read_records(rest)?;
                let (status, (reason, _)) = (Status::from_code(status), read_string(rest)?);
                Self::HeldPulled { request_id, status, first, next, records, reason }
            }
            SHARE => {
                let ([request_id, status], _) = read_uints(data)?;
                Self::Shared { request_id, status: Status::from_code(status) }
            }
            ERROR => Self::Error { reason: read_string(data)?.0 },
            _ => return None,
        };
        Some(reply)
    }
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

fn push_name(out: &mut Vec<u8>, name: Option<&str>) {
    out.push(u8::from(name.is_some()));
    name.inspect(|name| bare::push_data(out, name.as_bytes()));
}

fn read_name(input: &[u8]) -> Option<(Option<String>, &[u8])> {
    match input.split_first()? {
        (0, rest) => Some((None, rest)),
        (1, rest) => read_string(rest).map(|(name, rest)| (Some(name), rest)),
        _ => None,
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

fn push_records(out: &mut Vec<u8>, records: &[Record]) {
    bare::push_uint(out, records.len() as u64);
    for Record { index, data } in records {
        bare::push_uint(out, *index);
        bare::push_data(out, data);
    }
}

fn read_records(input: &[u8]) -> Option<(Vec<Record>, &[u8])> {
    let (count, rest) = bare::read_uint(input)?;
    read_list(rest, count, BATCH_RECORDS_MAX, |input| {
        let (index, rest) = bare::read_uint(input)?;
        let (data, rest) = bare::read_data(rest)?;
        Some((Record { index, data: data.to_vec() }, rest))
    })
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
