//! Streams: messages that travel through logs kept by a service on a hub, one log for each direction (`docs/wire.md` §15).
//!
//! ```text
//! sender ─► producer ── push ─► stream (a Kafka topic, for instance) ── pull ─► consumer ─► onward route
//! ```

mod protocol;
mod transport_message;

pub use protocol::{
    BATCH_BYTES_MAX, BATCH_RECORDS_MAX, Cursor, EXTENDED_PREFIX, HOLD_MS_MAX, HeldPull, IndexReply, IndexRequest,
    NAME_LEN_MAX, PushBatch, Record, SHARE_MAX, Status, StreamReply, StreamRequest,
};
pub use transport_message::TransportMessage;
