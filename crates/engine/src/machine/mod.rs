//! The heart: a pure state machine that owns everything the engine knows.
//!
//! ```text
//! (Event, Moment, seed) ──► handle(&mut State) ──► [Effect]
//! ```
//!
//! There is no clock, no randomness and no I/O in here: time and a seed come in with the event, and what is to be
//! done goes out as effects, in order. A [`Save`](Effect::Save) stands before every effect that relies on what it
//! saves, so what was answered is on disk.

mod effect;
mod event;
mod record;

pub use effect::{Effect, Permitted};
pub use event::{CallId, Event, MailId, Moment, OwnIdentity, Refusal, RequestId};
pub use record::{
    Change, Contact, Grant, Inlet, Invitation, Profile, Reach, Received, Record, RecordKey, Service, outlet_address,
    relay_name,
};
