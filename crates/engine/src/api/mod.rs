//! The interface of the engine, in plain data.
//!
//! ```text
//! window, tray, command line ── Request ──► engine          Snapshot   everything visible, whenever it changed
//!                            ◄── Answer or Fault            Notice     what the user should know now
//!                                                           Traffic    byte counts and rates
//! ```
//!
//! Every type is serialized to JSON and TypeScript as it is. Only [`Request`]s and [`Answer`]s that carry a link or a
//! passphrase hold secrets; they are never logged.

mod answer;
mod audit;
mod engine_api;
mod fault;
mod ids;
mod notice;
mod portal;
mod request;
mod secret;
mod snapshot;
mod traffic;

pub use answer::{Answer, Finding, InvitationPreview, ListeningPort, Severity};
pub use audit::{AuditEntry, AuditEvent};
pub use engine_api::EngineApi;
pub use fault::{Code, Fault};
pub use ids::{GrantId, InletId, InvitationId, ServiceId, UnixMillis};
pub use notice::Notice;
pub use portal::{InletLink, InletView, PathKind, ReceivedState, ReceivedView};
pub use request::{CoreRequest, InviteTo, KnockAnswer, LocalRequest, Request, RequestTarget, ServicePatch, Terms};
pub use secret::Secret;
pub use snapshot::{
    ContactView, GrantState, Health, HubView, KeychainPlace, KnockView, LinkState, Me, PersonView, SentState, SentView,
    ServiceKind, ServiceView, Settings, Snapshot, Status, ThisComputer, VerifyAgain,
};
pub use traffic::{Traffic, TrafficFlow};

/// Longest name of a person, service, portal or contact, in characters.
pub const MAX_NAME: usize = 80;
/// Longest description, in characters.
pub const MAX_DESCRIPTION: usize = 400;
