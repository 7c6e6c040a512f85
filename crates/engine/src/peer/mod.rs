//! The protocol between two engines.
//!
//! ```text
//! friend ── PeerRequest ───────► owner     over a secure channel: both know the identity of the other
//! friend ◄── PeerResponse ────── owner     exactly one to each request
//! friend ◄── PeerNotification ── owner     over an open channel, or sealed in the friend's mailbox
//! ```
//!
//! Every message is idempotent, so a sender that does not know whether it arrived sends it again.

mod address;
pub(crate) mod cbor;
mod codec;
pub mod ticket;

pub use address::{PeerAddress, relay_name};
pub use codec::{MAX_ANSWER, MAX_GRANTS, MAX_MESSAGE, NotAMessage};

use crate::api::{Code, GrantId, InvitationId, ServiceKind, UnixMillis};

/// A request of a friend's engine to an owner's.
#[derive(Clone, PartialEq, Eq)]
pub enum PeerRequest {
    /// Turns an invitation into a grant.
    Redeem {
        /// The invitation.
        ticket: InvitationId,
        /// The ticket's secret.
        secret: [u8; 32],
        /// The sender's contact information.
        contact: ContactInfo,
    },
    /// Reports that the invitation was shown to the user.
    Seen {
        /// The invitation.
        ticket: InvitationId,
        /// The ticket's secret.
        secret: [u8; 32],
    },
    /// Declines an invitation.
    Decline {
        /// The invitation.
        ticket: InvitationId,
        /// The ticket's secret.
        secret: [u8; 32],
    },
    /// Asks for the status of grants, and updates the sender's contact information. Sent when a channel comes up.
    Sync {
        /// The grants.
        grants: Vec<GrantId>,
        /// The sender's contact information.
        contact: ContactInfo,
    },
    /// Gives a grant back.
    GiveBack {
        /// The grant.
        grant: GrantId,
    },
}

/// The response of an owner's engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerResponse {
    /// The invitation has become a grant.
    Granted(Offer, ContactInfo),
    /// The owner is being asked: ask again, or wait for the notification.
    Pending,
    /// Refused, with the reason.
    Refused(Code),
    /// The status of the grants, unknown ones left out; and the owner's contact information.
    Grants(Vec<(GrantId, GrantStatus)>, ContactInfo),
    /// Done.
    Done,
}

impl PeerResponse {
    /// The contact information in it.
    pub(crate) fn contact_mut(&mut self) -> Option<&mut ContactInfo> {
        match self {
            Self::Granted(_, contact) | Self::Grants(_, contact) => Some(contact),
            Self::Pending | Self::Refused(_) | Self::Done => None,
        }
    }
}

/// A notification of an owner's engine.
#[derive(Clone, PartialEq, Eq)]
pub enum PeerNotification {
    /// An invitation to a contact.
    Invitation {
        /// Its id.
        ticket: InvitationId,
        /// The ticket's secret.
        secret: [u8; 32],
        /// The owner's name.
        owner_name: String,
        /// Where the owner can be reached.
        reach: Vec<PeerAddress>,
        /// The service's name.
        service_name: String,
        /// The protocol it speaks.
        service_kind: ServiceKind,
        /// The owner's description.
        description: Option<String>,
        /// The service's own port.
        port: u16,
        /// Until when it can be accepted.
        expires: UnixMillis,
    },
    /// An invitation was revoked.
    Withdrawn {
        /// The invitation.
        ticket: InvitationId,
    },
    /// The owner has answered a knock: redeem again now.
    KnockDecided {
        /// The invitation.
        ticket: InvitationId,
    },
    /// The status of a grant has changed.
    Grant {
        /// The grant.
        grant: GrantId,
        /// The status.
        status: GrantStatus,
    },
    /// The owner's Postern is about to quit: channels to it are dead from now on.
    GoingOffline,
}

/// The status of a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantStatus {
    /// Its person may use the service.
    Active(Offer),
    /// Its person may not use the service now, with the reason: `paused-by-owner`, `expired`, `revoked`,
    /// `service-closed`, `service-down`, …
    Inactive(Code),
}

/// What a grant offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The grant.
    pub grant: GrantId,
    /// The address of the outlet behind the channel.
    pub outlet: String,
    /// The service's name.
    pub service_name: String,
    /// The protocol it speaks.
    pub service_kind: ServiceKind,
    /// The path that a browser opens.
    pub path: Option<String>,
    /// The owner's description.
    pub description: Option<String>,
    /// The service's own port.
    pub port: u16,
    /// When the grant expires.
    pub until: Option<UnixMillis>,
}

/// A person's name and addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactInfo {
    /// Their own name.
    pub name: String,
    /// The encoded postal address.
    pub postal: Vec<u8>,
    /// The hubs at which they collect mail.
    pub hubs: Vec<String>,
    /// Where they can be reached.
    pub reach: Vec<PeerAddress>,
}

impl ContactInfo {
    /// What somebody gets who is no contact with a live grant and redeems no invitation: nothing.
    pub fn withheld() -> Self {
        Self { name: String::new(), postal: Vec::new(), hubs: Vec::new(), reach: Vec::new() }
    }

    /// Whether it says anything.
    pub fn is_given(&self) -> bool {
        *self != Self::withheld()
    }
}

impl std::fmt::Debug for PeerRequest {
    /// Without secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Redeem { ticket, .. } => write!(f, "Redeem({ticket})"),
            Self::Seen { ticket, .. } => write!(f, "Seen({ticket})"),
            Self::Decline { ticket, .. } => write!(f, "Decline({ticket})"),
            Self::Sync { grants, .. } => write!(f, "Sync({grants:?})"),
            Self::GiveBack { grant } => write!(f, "GiveBack({grant})"),
        }
    }
}

impl std::fmt::Debug for PeerNotification {
    /// Without secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Invitation { ticket, .. } => write!(f, "Invitation({ticket})"),
            Self::Withdrawn { ticket } => write!(f, "Withdrawn({ticket})"),
            Self::KnockDecided { ticket } => write!(f, "KnockDecided({ticket})"),
            Self::Grant { grant, status } => write!(f, "Grant({grant}, {status:?})"),
            Self::GoingOffline => f.write_str("GoingOffline"),
        }
    }
}
