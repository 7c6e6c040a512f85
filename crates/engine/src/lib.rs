//! Postern's engine: the application without a face.
//!
//! ```text
//! window, tray, command line ─ Request ─► [`machine`] (the only owner of state) ─ Effect ─► node, keychain, disk, hub
//!          ▲                                   │
//!          └──── Snapshot, Notice, Traffic ◄───┘
//! ```
//!
//! * [`Engine`]: the running engine, and all that a face needs.
//! * [`model`]: what faces see and ask, in plain data.
//! * [`machine`]: the heart, a pure state machine.
//! * [`control`]: the local socket of a running engine, for the command line and second launches.
//! * [`desk`]: what two engines say to each other.
//! * [`ticket`]: an invitation as text.
//! * [`letters`]: what of a text can be seen.
//! * [`words`]: what two people compare to be sure of each other.
//! * [`identity`]: who this person is, and where that rests.
//! * [`backup`]: everything in one file, and back.
//! * [`keys`]: where a person's secrets rest (the desktop's keychain, an encrypted file, or memory).

pub mod backup;
mod cbor;
pub mod control;
pub mod desk;
mod doctor;
mod engine;
mod gate;
pub mod identity;
pub mod keys;
pub mod letters;
mod lock;
pub mod machine;
pub mod model;
mod ports;
mod post;
mod runner;
mod store;
pub mod ticket;
pub mod words;

pub use engine::{Engine, EngineOptions};
pub use identity::KeychainChoice;
