//! What two engines say to each other.
//!
//! ```text
//! friend ── PeerRequest ──► owner       over a secure channel: both know who is at the other end
//! friend ◄── PeerResponse ─ owner      exactly one answer to each
//! friend ◄── News ────── owner      over a channel that is open, or sealed in the friend's mailbox
//! ```
//!
//! Every message may be repeated: saying the same thing twice changes nothing, so whoever is not sure that it
//! arrived says it again.

mod address;
pub(crate) mod cbor;
mod codec;
pub mod ticket;

pub use address::{PeerAddress, relay_name};
pub use codec::{MAX_ANSWER, MAX_GRANTS, MAX_MESSAGE, NotAMessage};

use crate::api::{Code, GrantId, InvitationId, ServiceKind, UnixMillis};

/// What a friend's engine asks an owner's.
#[derive(Clone, PartialEq, Eq)]
pub enum PeerRequest {
    /// Accepts an invitation.
    Redeem {
        /// Which.
        ticket: InvitationId,
        /// What only the invited know.
        secret: [u8; 32],
        /// How to reach whoever asks.
        contact: ContactInfo,
    },
    /// Says that the invitation was shown to its person.
    Seen {
        /// Which.
        ticket: InvitationId,
        /// What only the invited know.
        secret: [u8; 32],
    },
    /// Declines an invitation.
    Decline {
        /// Which.
        ticket: InvitationId,
        /// What only the invited know.
        secret: [u8; 32],
    },
    /// Asks how grants are, and says where one is now. Sent when a channel comes up.
    Sync {
        /// Which grants.
        grants: Vec<GrantId>,
        /// How to reach whoever asks.
        contact: ContactInfo,
    },
    /// Gives a grant back.
    GiveBack {
        /// Which.
        grant: GrantId,
    },
}

/// What an owner's engine answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerResponse {
    /// The invitation is a grant now.
    Granted(Offer, ContactInfo),
    /// The owner is being asked; ask again, or wait for the news.
    Pending,
    /// No, and why.
    Refused(Code),
    /// How the grants are; those that are not known are left out. With the owner's own contact.
    Grants(Vec<(GrantId, GrantStatus)>, ContactInfo),
    /// It is done.
    Done,
}

/// What an owner's engine says unasked.
#[derive(Clone, PartialEq, Eq)]
pub enum PeerNotification {
    /// An invitation to a known person.
    Invitation {
        /// Its ticket.
        ticket: InvitationId,
        /// What only the invited know.
        secret: [u8; 32],
        /// What the owner calls themselves.
        owner_name: String,
        /// Where the owner can be reached.
        reach: Vec<PeerAddress>,
        /// The service's name.
        service_name: String,
        /// What it speaks.
        service_kind: ServiceKind,
        /// What its owner says about it.
        description: Option<String>,
        /// The service's own port.
        port: u16,
        /// Until when it can be accepted.
        expires: UnixMillis,
    },
    /// An invitation was taken back.
    Withdrawn {
        /// Which.
        ticket: InvitationId,
    },
    /// The owner has answered a knock: ask again now.
    KnockDecided {
        /// Which.
        ticket: InvitationId,
    },
    /// A grant changed.
    Grant {
        /// Which.
        grant: GrantId,
        /// How it is now.
        status: GrantStatus,
    },
    /// The owner's Postern is about to end: channels with it lead nowhere from now on.
    GoingOffline,
}

/// How a grant is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantStatus {
    /// It lets its person in.
    Active(Offer),
    /// It does not, and why: `paused-by-owner`, `expired`, `revoked`, `service-closed`.
    Inactive(Code),
}

/// What a grant offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Which.
    pub grant: GrantId,
    /// The address of the outlet behind the channel.
    pub outlet: String,
    /// The service's name.
    pub service_name: String,
    /// What it speaks.
    pub service_kind: ServiceKind,
    /// What a browser opens behind the address.
    pub path: Option<String>,
    /// What its owner says about it.
    pub description: Option<String>,
    /// The service's own port.
    pub port: u16,
    /// Until when.
    pub until: Option<UnixMillis>,
}

/// Who one is and where one is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactInfo {
    /// What one calls oneself.
    pub name: String,
    /// The encoded postal address.
    pub postal: Vec<u8>,
    /// Where mail is collected.
    pub hubs: Vec<String>,
    /// Where one can be reached.
    pub reach: Vec<PeerAddress>,
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
