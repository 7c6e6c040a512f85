//! What is remembered for good: everything of the state that a restart must find again.

use crate::model::{GrantId, GrantState, InletId, InvitationId, SentState, ServiceId, ServiceKind, Terms, UnixMillis};
use postern_node::identity::Identifier;
use serde::{Deserialize, Serialize};

/// One change to what is remembered.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Remembers a record, in place of an older one with the same key.
    Put(Record),
    /// Forgets one.
    Delete(RecordKey),
}

/// One remembered thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Record {
    Profile(Profile),
    Service(Service),
    Invitation(Invitation),
    Grant(Grant),
    Received(Received),
    Inlet(Inlet),
    Contact(Contact),
}

/// What a record is found by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum RecordKey {
    Profile,
    Service(ServiceId),
    Invitation(InvitationId),
    Grant(GrantId),
    Received(InvitationId),
    Inlet(InletId),
    Contact(Identifier),
}

/// A way to somebody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Reach {
    /// Their computer itself, at `address:port`.
    Direct {
        /// `address:port`.
        address: String,
    },
    /// A relay on a hub.
    Hub {
        /// `host:port`.
        address: String,
        /// The relay's name.
        relay: String,
    },
}

/// The name of a person's relay on their hubs.
pub fn relay_name(person: &Identifier) -> String {
    person.to_string()
}

/// The address of a service's outlet on its owner's node.
pub fn outlet_address(service: ServiceId) -> String {
    format!("outlet-{service}")
}

/// This person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Whose the records are: another identity in the keychain is not this person.
    #[serde(default)]
    pub identity: Option<Identifier>,
    /// What they call themselves.
    pub name: String,
    /// `host:port`, in the order they were added.
    pub hubs: Vec<String>,
    /// Whether this computer can be reached directly.
    pub this_computer: bool,
    /// Everything is paused.
    pub paused: bool,
    /// How long receipts are kept, in days; 0 for ever.
    pub retention_days: u32,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Service {
    pub id: ServiceId,
    pub name: String,
    pub kind: ServiceKind,
    pub target: String,
    pub path: Option<String>,
    pub description: Option<String>,
    pub on: bool,
    pub created: UnixMillis,
}

/// An invitation that was sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Invitation {
    pub id: InvitationId,
    pub service: ServiceId,
    /// What whoever redeems it must know; 32 bytes as hexadecimal digits.
    pub secret: String,
    /// The only one who may redeem it; set when it is mailed, or by the first who redeems it.
    pub person: Option<Identifier>,
    pub note: Option<String>,
    /// What whoever knocks calls themselves.
    pub knocker: Option<String>,
    pub ask_first: bool,
    /// The owner has said yes to the knock.
    pub allowed: bool,
    pub terms: Terms,
    pub state: SentState,
    pub created: UnixMillis,
    pub expires: UnixMillis,
}

impl std::fmt::Debug for Invitation {
    /// Without its secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invitation").field("id", &self.id).field("state", &self.state).finish_non_exhaustive()
    }
}

/// A grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Grant {
    pub id: GrantId,
    pub service: ServiceId,
    pub person: Identifier,
    /// The invitation that it came of.
    pub invitation: InvitationId,
    pub terms: Terms,
    pub state: GrantState,
    pub created: UnixMillis,
    pub last_used: Option<UnixMillis>,
}

/// An invitation that was received and not turned into an inlet yet.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Received {
    pub id: InvitationId,
    pub secret: String,
    pub owner: Identifier,
    pub owner_name: String,
    pub reach: Vec<Reach>,
    pub service_name: String,
    pub service_kind: ServiceKind,
    pub description: Option<String>,
    pub port: u16,
    pub expires: UnixMillis,
    /// The person has accepted; with the port they chose.
    pub accepted: bool,
    pub chosen_port: Option<u16>,
    /// The person has declined, which its owner is still to hear.
    pub declined: bool,
    /// Why it leads nowhere.
    pub over: Option<crate::model::Fault>,
}

impl std::fmt::Debug for Received {
    /// Without its secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Received").field("id", &self.id).field("owner", &self.owner).finish_non_exhaustive()
    }
}

/// A portal on this person's localhost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Inlet {
    pub id: InletId,
    pub grant: GrantId,
    pub owner: Identifier,
    pub reach: Vec<Reach>,
    pub outlet: String,
    pub name: String,
    pub service_name: String,
    pub service_kind: ServiceKind,
    pub path: Option<String>,
    pub description: Option<String>,
    pub port: u16,
    pub on: bool,
    pub until: Option<UnixMillis>,
    /// What the owner last said about the grant, if it is not simply good.
    pub refused: Option<crate::model::Code>,
    /// Removed here; its owner is still to hear that it was given back.
    pub giving_back: bool,
}

/// A person who is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Contact {
    pub identifier: Identifier,
    pub petname: Option<String>,
    pub own_name: String,
    pub verified: bool,
    pub blocked: bool,
    /// How long their key history was when it was last seen, and when they were verified.
    pub changes: u32,
    pub verified_changes: u32,
    /// Their encoded postal address, and the hubs they collect at.
    pub postal: Option<Vec<u8>>,
    pub hubs: Vec<String>,
    pub since: UnixMillis,
}
