//! What the engine shows and what it is asked, in plain data.
//!
//! ```text
//! window, tray, command line ── Request ──► engine          Snapshot   everything visible, whenever it changed
//!                            ◄── Answer or Fault            Notice     what a person should hear of now
//!                                                           Traffic    numbers that move, at most twice a second
//! ```
//!
//! Every type crosses to TypeScript and JSON as it is. Nothing here holds a secret but [`Request`]s and [`Answer`]s
//! that carry a link or a passphrase, which are never logged.

mod audit;
mod engine_api;
mod fault;
mod ids;
mod notice;
mod request;
mod secret;
mod snapshot;

pub use audit::{AuditEntry, AuditEvent};
pub use engine_api::EngineApi;
pub use fault::{Code, Fault};
pub use ids::{GrantId, InletId, InvitationId, ServiceId, UnixMillis};
pub use notice::Notice;
pub use request::{
    Answer, CoreRequest, Finding, InvitationPreview, InviteTo, KnockAnswer, ListeningPort, LocalRequest, Request,
    RequestTarget, ServicePatch, Severity, Terms,
};
pub use secret::Secret;
pub use snapshot::{
    ContactView, GrantState, Health, HubView, InletLink, InletView, KeychainPlace, KnockView, LinkState, Me, PathKind,
    PersonView, ReceivedState, ReceivedView, SentState, SentView, ServiceKind, ServiceView, Settings, Snapshot, Status,
    ThisComputer, Traffic, TrafficFlow,
};

/// Longest name of a person, service, portal or contact, in characters.
pub const MAX_NAME: usize = 80;
/// Longest description, in characters.
pub const MAX_DESCRIPTION: usize = 400;
