//! Errors, in a form that programs branch on and people read.

use serde::{Deserialize, Serialize};
use std::fmt;
use ts_rs::TS;

/// Why something did not work, or is not up.
///
/// Programs branch on the code, which is stable; people read the message, which says what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Fault {
    /// The kind of fault, for programs.
    pub code: Code,
    /// What happened and what to do next, for people. Holds no secret.
    pub message: String,
}

impl Fault {
    /// A fault with its message.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// The kinds of faults. Their names, in kebab case, are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Code {
    /// There is no identity yet: set up first.
    NotSetUp,
    /// There is an identity already.
    AlreadySetUp,
    /// A name, target, port or address that cannot be used.
    Invalid,
    /// No such service, portal, invitation, grant or contact.
    NotFound,
    /// The name is used by another service.
    NameTaken,
    /// The local port is used by another program.
    PortTaken,
    /// The text is not an invitation.
    BadTicket,
    /// The invitation is the user's own.
    OwnInvitation,
    /// This person has access already, or is invited already.
    AlreadyIn,
    /// Somebody else has used the invitation.
    TicketUsed,
    /// The invitation or the access is over.
    Expired,
    /// The invitation or the access was revoked.
    Revoked,
    /// The owner said no.
    Denied,
    /// The owner is being asked.
    Asked,
    /// The owner has paused it.
    PausedByOwner,
    /// Paused here.
    Paused,
    /// The owner has closed the service.
    ServiceClosed,
    /// The owner's service does not answer.
    ServiceDown,
    /// The owner cannot be reached: their computer or Postern is off.
    OwnerOffline,
    /// A hub cannot be reached.
    HubUnreachable,
    /// Neither a hub nor the direct listener is set up: nobody can reach the user.
    NoWayIn,
    /// The hub reserves the relay's name for somebody else.
    RelayTaken,
    /// A hub has another identifier than before.
    HubChanged,
    /// The peer that answers has the wrong identity.
    NotTrusted,
    /// This computer's clock and another's differ too much.
    ClockSkew,
    /// The person's key is not the one that was verified.
    KeyChanged,
    /// Somebody answered with a key of this person that was replaced, or that contradicts the known history of their keys.
    KeyRefused,
    /// The person is blocked.
    Blocked,
    /// The person's app gave no postal address.
    CannotMail,
    /// A limit is reached.
    TooMany,
    /// The keychain is locked.
    KeychainLocked,
    /// There is no keychain.
    KeychainMissing,
    /// The keychain failed.
    KeychainFailed,
    /// The passphrase is wrong.
    WrongPassphrase,
    /// The data directory is in use by another Postern.
    InUse,
    /// The data was written by a newer Postern.
    NewerData,
    /// The data was damaged; it was set aside.
    DamagedData,
    /// Reading or writing the disk failed.
    Storage,
    /// No answer in time.
    TimedOut,
    /// The engine has stopped.
    Stopped,
    /// Anything else; the message says what.
    Failed,
}
