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
//! * [`desk`]: what two engines say to each other.
//! * [`ticket`]: an invitation as text.
//! * [`words`]: what two people compare to be sure of each other.
//! * [`keys`]: where a person's secrets rest (the desktop's keychain, an encrypted file, or memory).

pub mod desk;
pub mod keys;
pub mod machine;
pub mod model;
pub mod ticket;
pub mod words;
