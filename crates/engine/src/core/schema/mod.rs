//! The records as they are saved: plain data, with predicates on one record alone.
//!
//! Owns the JSON form of everything that a restart must find again. A field or variant that is renamed here keeps its
//! serialized name. Nothing here changes a record: that is done in [`records`](super::records).

mod contact;
mod grant;
mod hex_array;
mod hex_bytes;
mod inlet;
mod invitation;
mod key_history;
mod profile;
mod received;
mod record;
mod service;
mod ticket_secret;

pub use contact::{Contact, HistoryRefusal, RefusedHistory, VerifiedKey};
pub use grant::Grant;
pub use inlet::Inlet;
pub use invitation::Invitation;
pub use key_history::KeyHistory;
pub use profile::Profile;
pub use received::Received;
pub use record::{Change, Record, RecordKey};
pub use service::{Service, outlet_address};
pub use ticket_secret::TicketSecret;

pub(crate) use inlet::is_final;
pub(crate) use profile::RETENTION_DAYS;
