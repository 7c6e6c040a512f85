//! Streams: messages that travel through logs kept by a service on a hub, one log for each direction (`docs/wire.md` §15).
//!
//! ```text
//! sender ─► producer ── push ─► stream (a Kafka topic, for instance) ── pull ─► consumer ─► onward route
//! ```

mod builder;
mod consumer;
mod deliverer;
mod direction;
mod error;
mod handle;
mod path;
mod producer;
mod progress;
mod protocol;
mod queue;
mod reply;
mod report;
mod transport_message;
mod window;

pub use builder::{INDEX_SERVICE, STREAM_SERVICE, StreamBuilder};
pub use error::StreamError;
pub use handle::{Stream, Unconfirmed};
pub use path::HubPath;
pub use protocol::{
    BATCH_BYTES_MAX, BATCH_RECORDS_MAX, Cursor, EXTENDED_PREFIX, HOLD_MS_MAX, HeldPull, IndexReply, IndexRequest,
    NAME_LEN_MAX, PushBatch, Record, SHARE_MAX, Status, StreamReply, StreamRequest, is_valid_name,
};
pub use report::{Direction, Notice, Notices, StreamState, StreamStats};
pub use transport_message::TransportMessage;
