//! Postern's engine: the application without a user interface.
//!
//! ```text
//! window, tray, command line ─ Request ─► driver ─ Event ──► [`core`], a pure state machine
//!          ▲                              │    ▲                │
//!          └── Snapshot, Notice, Traffic ─┘    └── Effect ──────┘
//!                                         │
//!                                         ├─► node: hubs, relays, portals, peers
//!                                         └─► store (SQLite), keychain
//! ```
//!
//! From the lowest layer to the highest:
//!
//! * [`text_sanitizer`], [`confusable_names`], [`verification_words`], the dial policy: untrusted names, the words that two people
//!   compare, and which addresses are dialed.
//! * [`api`]: what frontends see and request, in plain data, and the [`EngineApi`](api::EngineApi) trait.
//! * [`peer`]: what two engines send each other; [`peer::ticket`]: an invitation as a link.
//! * [`core`]: the state and every decision, without I/O.
//! * [`keys`], [`identity`], the store, [`backup`]: what is stored, and where.
//! * the driver: runs the core and executes its effects.
//! * [`Engine`]: the running engine, as a handle for frontends.
//! * [`control`]: the local socket of a running engine, for the command line and a second start.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests prepare and inspect what the seams lead to"))]

pub mod api;
pub mod backup;
pub mod confusable_names;
pub mod control;
pub mod core;
mod data_dir_owner;
mod dial_policy;
mod doctor;
mod driver;
mod engine;
mod host_label;
pub mod identity;
pub mod keys;
mod listening_ports;
mod local_trust;
mod lock;
pub mod peer;
mod store;
pub mod text_sanitizer;
pub mod verification_words;

pub use engine::{Engine, EngineOptions};
pub use identity::KeychainChoice;
