//! What a client asks of a stream service, or of a stream.

use super::{
    BATCH_RECORDS_MAX, CREATE, CREATE_PARTITIONED, HELD_PULL, PULL, PUSH, PUSH_BATCH, SHARE, SHARE_MAX, in_envelope,
    open_envelope, push_uints, read_list, read_string, read_uints,
};
use crate::identity::Identifier;
use crate::wire::bare;

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
    /// At most [`BATCH_RECORDS_MAX`] and [`BATCH_BYTES_MAX`](super::BATCH_BYTES_MAX).
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
    /// At most [`HOLD_MS_MAX`](super::HOLD_MS_MAX).
    pub wait_ms: u64,
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
                push_batch(&mut out, *request_id, producer, *sequence, records);
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

fn push_batch(out: &mut Vec<u8>, request_id: u64, producer: &[u8; 16], sequence: u64, records: &[impl AsRef<[u8]>]) {
    bare::push_uint(out, request_id);
    out.extend_from_slice(producer);
    push_uints(out, [sequence, records.len() as u64]);
    records.iter().for_each(|record| bare::push_data(out, record.as_ref()));
}

/// The payload of a [`PushBatch`] whose records lie elsewhere.
pub(in crate::stream) fn encode_push_batch(
    request_id: u64,
    producer: &[u8; 16],
    sequence: u64,
    records: &[impl AsRef<[u8]>],
) -> Vec<u8> {
    let bytes: usize = records.iter().map(|record| record.as_ref().len() + bare::MAX_UINT).sum();
    let mut out = Vec::with_capacity(bytes + 64);
    push_batch(&mut out, request_id, producer, sequence, records);
    in_envelope(PUSH_BATCH, &out)
}
