//! Postern's engine: the application without a face.
//!
//! ```text
//! window, tray, command line ─ Request ─► [`core`] (the only owner of state) ─ Effect ─► node, keychain, disk, hub
//!          ▲                                   │
//!          └──── Snapshot, Notice, Traffic ◄───┘
//! ```
//!
//! * [`Engine`]: the running engine, and all that a face needs.
//! * [`api`]: what faces see and ask, in plain data.
//! * [`core`]: the heart, a pure state machine.
//! * [`control`]: the local socket of a running engine, for the command line and second launches.
//! * [`peer`]: what two engines say to each other.
//! * [`peer::ticket`]: an invitation as text.
//! * [`text_sanitizer`]: what of a text can be seen.
//! * [`verification_words`]: what two people compare to be sure of each other.
//! * [`identity`]: who this person is, and where that rests.
//! * [`backup`]: everything in one file, and back.
//! * [`keys`]: where a person's secrets rest (the desktop's keychain, an encrypted file, or memory).

pub mod api;
pub mod backup;
pub mod control;
pub mod core;
mod doctor;
mod driver;
mod engine;
pub mod identity;
pub mod keys;
mod listening_ports;
mod lock;
pub mod peer;
mod store;
pub mod text_sanitizer;
pub mod verification_words;

pub use engine::{Engine, EngineOptions};
pub use identity::KeychainChoice;
