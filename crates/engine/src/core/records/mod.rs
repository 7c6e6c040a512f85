//! What is remembered for good: everything of the state that a restart must find again.

use crate::api::{GrantId, GrantState, InletId, InvitationId, SentState, ServiceId, ServiceKind, Terms, UnixMillis};
use crate::peer::PeerAddress;
use postern_node::identity::Identifier;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroize;

/// One change to what is remembered.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there are few at a time, and nearly all are records")]
pub enum Change {
    /// Remembers a record, in place of an older one with the same key.
    Put(Record),
    /// Forgets one.
    Delete(RecordKey),
}

/// One remembered thing.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each is the record of that name")]
pub enum Record {
    Profile(Profile),
    Service(Service),
    Invitation(Invitation),
    Grant(Grant),
    Received(Received),
    Inlet(Inlet),
    Contact(Contact),
}

impl Record {
    /// What it is found by.
    pub fn key(&self) -> RecordKey {
        match self {
            Self::Profile(_) => RecordKey::Profile,
            Self::Service(it) => RecordKey::Service(it.id),
            Self::Invitation(it) => RecordKey::Invitation(it.id),
            Self::Grant(it) => RecordKey::Grant(it.id),
            Self::Received(it) => RecordKey::Received(it.id),
            Self::Inlet(it) => RecordKey::Inlet(it.id),
            Self::Contact(it) => RecordKey::Contact(it.identifier),
        }
    }

    /// What of it must be sealed wherever it rests.
    pub fn secret(&self) -> Option<&TicketSecret> {
        match self {
            Self::Invitation(it) => it.secret.as_ref(),
            Self::Received(it) => it.secret.as_ref(),
            _ => None,
        }
    }
}

/// What a record is found by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each finds the record of that name")]
pub enum RecordKey {
    Profile,
    Service(ServiceId),
    Invitation(InvitationId),
    Grant(GrantId),
    Received(InvitationId),
    Inlet(InletId),
    Contact(Identifier),
}

/// What whoever redeems an invitation must know: shown by nothing, written with no record, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct TicketSecret([u8; 32]);

impl TicketSecret {
    /// Keeps a secret.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// The secret, for whoever must have it.
    pub fn reveal(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TicketSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketSecret")
    }
}

impl Drop for TicketSecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
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
    /// Who each of them was when it was first connected.
    #[serde(default)]
    pub hub_pins: BTreeMap<String, Identifier>,
    /// Whether this computer can be reached directly.
    pub this_computer: bool,
    /// Everything is paused.
    pub paused: bool,
    /// How long receipts are kept, in days; 0 for ever.
    pub retention_days: u32,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Which.
    pub id: ServiceId,
    /// What its owner calls it; no other of theirs has the name.
    pub name: String,
    /// What it speaks.
    pub kind: ServiceKind,
    /// Where it is: `host:port`.
    pub target: String,
    /// Where a browser begins.
    pub path: Option<String>,
    /// What its owner says about it.
    pub description: Option<String>,
    /// Whether it is not paused.
    pub on: bool,
    /// When it was shared.
    pub created: UnixMillis,
}

/// An invitation that was sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Which.
    pub id: InvitationId,
    /// To what.
    pub service: ServiceId,
    /// What whoever redeems it must know. Nothing until the key that opens it is there.
    #[serde(skip)]
    pub secret: Option<TicketSecret>,
    /// The only one who may redeem it; set when it is mailed, or by the first who redeems it.
    pub person: Option<Identifier>,
    /// For whom it is meant, in the owner's words.
    pub note: Option<String>,
    /// What whoever knocks calls themselves.
    pub knocker: Option<String>,
    /// Whoever redeems it knocks first.
    pub ask_first: bool,
    /// The owner has said yes to the knock.
    pub allowed: bool,
    /// What the grant will say.
    pub terms: Terms,
    /// How far it has come.
    pub state: SentState,
    /// When it was made.
    pub created: UnixMillis,
    /// Until when it can be accepted.
    pub expires: UnixMillis,
}

impl fmt::Debug for Invitation {
    /// Without what it is about.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invitation").field("id", &self.id).field("state", &self.state).finish_non_exhaustive()
    }
}

/// A grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Which.
    pub id: GrantId,
    /// To what.
    pub service: ServiceId,
    /// To whom.
    pub person: Identifier,
    /// The invitation that it came of.
    pub invitation: InvitationId,
    /// Until when, and how often at once.
    pub terms: Terms,
    /// Whether it is good.
    pub state: GrantState,
    /// When it was made.
    pub created: UnixMillis,
    /// When a stream of it began or ended, as far as was noted.
    pub last_used: Option<UnixMillis>,
    /// Bytes towards the service, and from it, as far as was noted.
    #[serde(default)]
    pub up_bytes: u64,
    /// See `up_bytes`.
    #[serde(default)]
    pub down_bytes: u64,
}

/// An invitation that was received and not turned into an inlet yet.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Which.
    pub id: InvitationId,
    /// What its owner must be told. Nothing until the key that opens it is there.
    #[serde(skip)]
    pub secret: Option<TicketSecret>,
    /// Who invites.
    pub owner: Identifier,
    /// What they call themselves.
    pub owner_name: String,
    /// Where they can be reached.
    pub reach: Vec<PeerAddress>,
    /// What they call the service.
    pub service_name: String,
    /// What it speaks.
    pub service_kind: ServiceKind,
    /// What they say about it.
    pub description: Option<String>,
    /// The service's own port.
    pub port: u16,
    /// Until when it can be accepted.
    pub expires: UnixMillis,
    /// The person has accepted; with the port they chose.
    pub accepted: bool,
    /// The local port that the person wants.
    pub chosen_port: Option<u16>,
    /// The person has declined, which its owner is still to hear.
    pub declined: bool,
    /// Why it leads nowhere.
    pub over: Option<crate::api::Fault>,
}

impl fmt::Debug for Received {
    /// Without what it is about.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received").field("id", &self.id).field("owner", &self.owner).finish_non_exhaustive()
    }
}

/// A portal on this person's localhost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inlet {
    /// Which.
    pub id: InletId,
    /// What it stands on.
    pub grant: GrantId,
    /// Whose service it leads to.
    pub owner: Identifier,
    /// Where they can be reached.
    pub reach: Vec<PeerAddress>,
    /// The address of the outlet on their node.
    pub outlet: String,
    /// What it is called here.
    pub name: String,
    /// What its owner calls the service.
    pub service_name: String,
    /// What it speaks.
    pub service_kind: ServiceKind,
    /// Where a browser begins.
    pub path: Option<String>,
    /// What its owner says about it.
    pub description: Option<String>,
    /// The local port.
    pub port: u16,
    /// Whether it is not switched off here.
    pub on: bool,
    /// Until when the grant is good.
    pub until: Option<UnixMillis>,
    /// What the owner last said about the grant, if it is not simply good.
    pub refused: Option<crate::api::Code>,
    /// Removed here; its owner is still to hear that it was given back.
    pub giving_back: bool,
    /// Bytes towards the service, and from it, as far as was noted.
    #[serde(default)]
    pub up_bytes: u64,
    /// See `up_bytes`.
    #[serde(default)]
    pub down_bytes: u64,
}

/// A person who is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Who.
    pub identifier: Identifier,
    /// What they are called here, if not by their own name.
    pub petname: Option<String>,
    /// What they call themselves.
    pub own_name: String,
    /// Whether their words were compared.
    pub verified: bool,
    /// Whether they are kept out.
    pub blocked: bool,
    /// How long their key history was when it was last seen, and when they were verified.
    pub changes: u32,
    /// See `changes`.
    pub verified_changes: u32,
    /// Their encoded postal address, and the hubs they collect at.
    pub postal: Option<Vec<u8>>,
    /// See `postal`.
    pub hubs: Vec<String>,
    /// When they were met.
    pub since: UnixMillis,
}
