//! Refusals: what a client is told that does not get what it asked for, in the protocol that it asked with.

use crate::stream::producers::Producers;
use crate::stream::pulls::{Pull, PullFrom};
use crate::stream::storage::StorageError;
use postern_node::stream::{Status, StreamReply, StreamRequest};

/// Refuses a request.
pub(crate) fn request(request: &StreamRequest, error: &StorageError, producers: &Producers) -> StreamReply {
    let (status, reason) = (error.status, error.reason.clone());
    match request {
        StreamRequest::Push { request_id, .. } => {
            StreamReply::Pushed { request_id: *request_id, stored: false, index: 0 }
        }
        StreamRequest::PushBatch(batch) => {
            let next_sequence = producers.next(&batch.producer).unwrap_or(batch.sequence);
            StreamReply::BatchPushed { request_id: batch.request_id, status, next_sequence, reason }
        }
        StreamRequest::HeldPull(pull) => held_pull(pull.request_id, pull.index, error),
        StreamRequest::Share { request_id, .. } => StreamReply::Shared { request_id: *request_id, status },
        StreamRequest::Pull { .. } | StreamRequest::Create { .. } | StreamRequest::CreatePartitioned { .. } => {
            StreamReply::Error { reason }
        }
    }
}

/// Refuses a pull that was held.
pub(crate) fn pull(pull: &Pull, error: &StorageError) -> StreamReply {
    match pull.from {
        PullFrom::Consumer(_) => held_pull(pull.request_id, pull.index, error),
        PullFrom::Unnamed => StreamReply::Error { reason: error.reason.clone() },
    }
}

fn held_pull(request_id: u64, index: u64, error: &StorageError) -> StreamReply {
    let (status, reason) = (error.status, error.reason.clone());
    StreamReply::HeldPulled { request_id, status, first: 0, next: index, records: Vec::new(), reason }
}

pub(crate) fn denied() -> StorageError {
    let reason = "the stream belongs to another identity: its owner has to share it with yours, and you have to use it \
                  over a secure channel with the hub";
    StorageError::new(Status::Denied, reason)
}

pub(crate) fn too_many_requests() -> StorageError {
    StorageError::unavailable("too many requests; wait a second, then put more records into each")
}

pub(crate) fn not_here() -> StorageError {
    StorageError::new(Status::Denied, "this is a stream; ask the service at `stream` or `stream_kafka` to create one")
}

pub(crate) fn bad_batch() -> StorageError {
    StorageError::new(Status::TooLarge, "a batch has 1 to 1024 records, together at most 1000000 bytes; send several")
}

pub(crate) fn too_large() -> StorageError {
    StorageError::new(Status::TooLarge, "a record has at most 1000000 bytes; send a smaller message")
}

pub(crate) fn out_of_order() -> StorageError {
    StorageError::new(Status::OutOfOrder, "records before these are missing; send again from the number expected")
}

pub(crate) fn busy(trouble: Option<String>) -> StorageError {
    let busy = || "the hub has more to store than it can now; wait a second and send again".into();
    StorageError::unavailable(trouble.unwrap_or_else(busy))
}

pub(crate) fn not_confirmed(trouble: Option<String>) -> StorageError {
    let slow = || "the storage has not confirmed within 5 seconds; send again, the records are stored once".into();
    StorageError::unavailable(trouble.unwrap_or_else(slow))
}
