//! What a stream service, or a stream, answers.

use super::{
    BATCH_RECORDS_MAX, CREATE, CREATE_PARTITIONED, ERROR, HELD_PULL, PULL, PUSH, PUSH_BATCH, SHARE, in_envelope,
    open_envelope, push_uints, read_list, read_string, read_uints,
};
use crate::wire::bare;

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
    /// Of a [`StreamRequest::Push`](super::StreamRequest::Push).
    Pushed {
        /// Of the request.
        request_id: u64,
        /// Whether it was stored.
        stored: bool,
        /// Where; 0 if it was not stored.
        index: u64,
    },
    /// Of a [`StreamRequest::Pull`](super::StreamRequest::Pull).
    Pulled {
        /// Of the request.
        request_id: u64,
        /// What there was.
        records: Vec<Record>,
    },
    /// Of a [`PushBatch`](super::PushBatch).
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
    /// Of a [`HeldPull`](super::HeldPull).
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
    /// Of a [`StreamRequest::Share`](super::StreamRequest::Share).
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
