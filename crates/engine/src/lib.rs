//! Postern's engine: the application without a face.
//!
//! ```text
//! window, tray, command line ─ Request ─► [`machine`] (the only owner of state) ─ Effect ─► node, keychain, disk, hub
//!          ▲                                   │
//!          └──── Snapshot, Notice, Traffic ◄───┘
//! ```
//!
//! * [`model`]: what faces see and ask, in plain data.
//! * [`machine`]: the heart, a pure state machine.
//! * [`control`]: the local socket of a running engine, for the command line and second launches.
//! * [`desk`]: what two engines say to each other.
//! * [`keys`]: where a person's secrets rest (the desktop's keychain, an encrypted file, or memory).

mod cbor;
pub mod control;
pub mod desk;
pub mod identity;
pub mod keys;
mod lock;
pub mod machine;
pub mod model;
mod ports;
mod store;
pub mod ticket;
