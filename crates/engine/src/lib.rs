//! Postern's engine: the application without a user interface.
//!
//! ```text
//! window, tray, command line ─ Request ─► [`core`] (owns all state) ─ Effect ─► driver ─► node, keychain, disk, hub
//!          ▲                                   ▲                                   │
//!          └──── Snapshot, Notice, Traffic ◄───┴───────────────── Event ◄──────────┘
//! ```
//!
//! The layers, from the lowest (`layers.toml` at the repository's root lists every module):
//!
//! * [`text_sanitizer`], [`verification_words`], [`api`]: the interface of the engine, in plain data.
//! * [`peer`]: the protocol between two engines, their addresses, and [tickets](peer::ticket).
//! * [`core`]: a deterministic state machine that decides everything, without input or output.
//! * [`keys`], [`identity`], `store`, [`backup`]: the keychain, the identity in it, the database, and a copy of both.
//! * `driver`: the event loop that carries out the core's effects on the node, the disk and the keychain.
//! * [`Engine`]: the running engine, as [`api::EngineApi`]. [`control`]: its local socket for other programs.

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
