//! The engine's answers to requests.

use super::{AuditEntry, Fault, InvitationId, Secret, ServiceId, ServiceKind, UnixMillis};
use postern_node::identity::Identifier;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// The request was carried out.
    Done,
    /// The service that was shared.
    Service {
        /// Its id.
        service: ServiceId,
    },
    /// An invitation and its link.
    Invitation {
        /// Its id.
        invitation: InvitationId,
        /// `postern://join/…`; absent when it went to a contact's mailbox.
        link: Option<Secret>,
    },
    /// What an invitation offers.
    Preview {
        /// The offer.
        preview: InvitationPreview,
    },
    /// Listening ports.
    Ports {
        /// By port.
        ports: Vec<ListeningPort>,
    },
    /// A port for a new portal.
    FreePort {
        /// The wanted port if nothing uses it now, else the next higher one; nothing if all of the next 100 are in use. No other
        /// program is kept from taking it before it is used.
        port: Option<u16>,
    },
    /// The protocol that a program on this computer speaks.
    Protocol {
        /// `tcp` also where it is not known.
        kind: ServiceKind,
    },
    /// Entries of the audit log.
    Receipts {
        /// Newest first.
        receipts: Vec<AuditEntry>,
        /// Whether the hashes of these entries follow from each other, and the log was what its anchor says when the engine
        /// started. `Request::VerifyLog` checks all of it.
        intact: bool,
    },
    /// What the verification of the audit log has found.
    LogVerified {
        /// Whether nothing is wrong.
        intact: bool,
        /// How many entries there are.
        #[ts(type = "number")]
        entries: u64,
        /// How many of them, from the first on, are authenticated with the identity's key.
        #[ts(type = "number")]
        authenticated: u64,
        /// What is wrong, as sentences.
        problems: Vec<String>,
        /// What could not be checked or was not protected, as sentences.
        remarks: Vec<String>,
    },
    /// The results of a check for problems.
    Findings {
        /// Worst first.
        findings: Vec<Finding>,
    },
}

/// What a link offers, read from the link alone: its owner was not asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct InvitationPreview {
    /// Its id.
    pub invitation: InvitationId,
    /// Who invites.
    #[ts(type = "string")]
    pub owner: Identifier,
    /// The petname of a contact, else the owner's own name.
    pub owner_name: String,
    /// Whether they are a contact.
    pub owner_known: bool,
    /// The owner's verification words; nothing before the user has set up Postern. Of somebody who was never met, those of the
    /// identity's first key.
    pub words: Option<String>,
    /// The name of a contact, not the owner, that the owner's name can be taken for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub looks_like: Option<String>,
    /// The service's name.
    pub service_name: String,
    /// The protocol it speaks.
    pub kind: ServiceKind,
    /// The service's own port, proposed as the local one.
    pub port: u16,
    /// Until when it can be accepted.
    pub expires: UnixMillis,
    /// Why it cannot be accepted, if it cannot.
    pub fault: Option<Fault>,
}

/// A TCP port on which a program of this machine listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ListeningPort {
    /// The port.
    pub port: u16,
    /// `127.0.0.1`, `0.0.0.0`, …
    pub address: String,
    /// The program's name, if the system gives it.
    pub program: Option<String>,
    /// Its process.
    pub process: Option<u32>,
    /// The protocol that it most likely speaks.
    pub kind: ServiceKind,
    /// A proposed name.
    pub name: String,
    /// What the owner should know before sharing it: that it trusts whoever connects from this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub warning: Option<String>,
}

/// A result of a check for problems.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Finding {
    /// Its severity.
    pub severity: Severity,
    /// The subject: `keychain`, `contact`, `hub`, `service`, `portal`, `data`, `clock`.
    pub subject: String,
    /// The results of a check for problems.
    pub message: String,
    /// What to do.
    pub advice: Option<String>,
}

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It works.
    Good,
    /// It works, with a limitation.
    Warning,
    /// It does not work.
    Bad,
}
