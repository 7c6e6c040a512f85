//! Everything a face shows, at one instant.

use super::{Fault, GrantId, InletId, InvitationId, ServiceId, Terms, UnixMillis};
use postern_node::identity::Identifier;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The whole visible state. Lists are in the order in which they are shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
pub struct Snapshot {
    /// Who this person is; nothing before they have set up.
    pub me: Option<Me>,
    /// All of it in one word, for an icon.
    pub status: Status,
    /// Everything is paused.
    pub paused: bool,
    /// Whether others reach this computer itself, in its network.
    pub this_computer: ThisComputer,
    /// The hubs to meet at.
    pub hubs: Vec<HubView>,
    /// What this person shares.
    pub services: Vec<ServiceView>,
    /// What others share with this person.
    pub inlets: Vec<InletView>,
    /// Invitations to this person that are not portals yet.
    pub invitations: Vec<ReceivedView>,
    /// People who ask to be let in now.
    pub knocks: Vec<KnockView>,
    /// People this person knows.
    pub contacts: Vec<ContactView>,
    /// What can be set.
    pub settings: Settings,
    /// What needs attention and belongs to no single row.
    pub troubles: Vec<Fault>,
}

/// The state in one word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Not set up, or nothing shared either way.
    #[default]
    Idle,
    /// Something is shared or reached, and all is well.
    Ready,
    /// Bytes may flow: at least one connection is open.
    Live,
    /// An invitation, a knock or a trouble waits for the person.
    Attention,
    /// No way in or out: no hub is reached and none of the portals is up.
    Offline,
    /// Everything is paused.
    Paused,
}

/// This person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Me {
    /// What others know them by.
    #[ts(type = "string")]
    pub identifier: Identifier,
    /// What they call themselves.
    pub name: String,
}

/// Whether others reach this computer directly, in its own network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ThisComputer {
    /// Whether that is wanted.
    pub on: bool,
    /// Where it listens, as `address:port`; put into tickets.
    pub addresses: Vec<String>,
    /// Why it does not listen although it should.
    pub fault: Option<Fault>,
}

/// A hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct HubView {
    /// `host:port`.
    pub address: String,
    /// How the connection is.
    pub link: LinkState,
    /// Who the hub is, once known.
    #[ts(type = "string | null")]
    pub identifier: Option<Identifier>,
}

/// How a connection is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum LinkState {
    /// Not wanted now.
    Off,
    /// Being made for the first time.
    Connecting,
    /// There.
    Up,
    /// Gone or never made; being made again.
    Down {
        /// Why.
        fault: Fault,
        /// Since when.
        since: UnixMillis,
    },
}

/// What a service speaks, for whoever opens it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceKind {
    /// Anything over TCP.
    #[default]
    Tcp,
    /// Opens in a browser with `http:`.
    Http,
    /// Opens in a browser with `https:`.
    Https,
}

/// A service that this person shares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ServiceView {
    /// Its id.
    pub id: ServiceId,
    /// Its name, as friends see it.
    pub name: String,
    /// What it speaks.
    pub kind: ServiceKind,
    /// Where it is, as `host:port`.
    pub target: String,
    /// What a browser opens behind the address, for instance `/lab`.
    pub path: Option<String>,
    /// What friends read about it.
    pub description: Option<String>,
    /// Off: nobody gets in.
    pub on: bool,
    /// Whether the target answers.
    pub health: Health,
    /// Who may use it, or might until lately.
    pub people: Vec<PersonView>,
    /// Invitations to it that are not grants yet.
    pub invitations: Vec<SentView>,
    /// Connections open now.
    pub live: u32,
    /// Since when it is shared.
    pub created: UnixMillis,
}

/// Whether a service's target answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Health {
    /// Not asked yet.
    #[default]
    Unknown,
    /// It takes connections.
    Up,
    /// It does not.
    Down {
        /// Why.
        fault: Fault,
        /// Since when.
        since: UnixMillis,
    },
}

/// Somebody with access to a service: one grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PersonView {
    /// The grant.
    pub grant: GrantId,
    /// Whose it is.
    #[ts(type = "string")]
    pub person: Identifier,
    /// Their petname.
    pub name: String,
    /// Whether their words were compared.
    pub verified: bool,
    /// Whether they get in.
    pub state: GrantState,
    /// How long, how many connections.
    pub terms: Terms,
    /// When they last used it.
    pub last_used: Option<UnixMillis>,
    /// Their connections open now.
    pub live: u32,
}

/// Whether a grant lets its person in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum GrantState {
    /// Yes.
    Active,
    /// Not now.
    Paused,
    /// Its time is over.
    Expired,
    /// Taken back by the owner.
    Revoked,
    /// Given back by the friend.
    GivenBack,
}

/// An invitation that this person sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SentView {
    /// Its id.
    pub id: InvitationId,
    /// To whom; nobody in particular for a link.
    #[ts(type = "string | null")]
    pub to: Option<Identifier>,
    /// Their petname, or what the person noted for whom the link is.
    pub name: Option<String>,
    /// How far it got.
    pub state: SentState,
    /// Whether the owner is asked before the friend is let in.
    pub ask_first: bool,
    /// What it grants.
    pub terms: Terms,
    /// When it was made.
    pub created: UnixMillis,
    /// Until when it can be accepted.
    pub expires: UnixMillis,
}

/// How far an invitation got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum SentState {
    /// Made; it is not known to have arrived.
    Created,
    /// It lies in the friend's mailbox.
    Delivered,
    /// The friend's app has shown it.
    Seen,
    /// The friend asks to be let in.
    Knocking,
    /// It is a grant now.
    Accepted,
    /// The friend, or the owner at a knock, said no.
    Declined,
    /// Nobody took it in time.
    Expired,
    /// Taken back.
    Revoked,
}

/// A portal to somebody else's service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct InletView {
    /// Its id.
    pub id: InletId,
    /// Who shares it.
    #[ts(type = "string")]
    pub owner: Identifier,
    /// Their petname.
    pub owner_name: String,
    /// Whether their words were compared.
    pub owner_verified: bool,
    /// What it is called here.
    pub name: String,
    /// What its owner calls it.
    pub service_name: String,
    /// What it speaks.
    pub kind: ServiceKind,
    /// What its owner says about it.
    pub description: Option<String>,
    /// The local port.
    pub port: u16,
    /// The local address to copy, as `127.0.0.1:5432`.
    pub address: String,
    /// What a browser opens, if it is for a browser.
    pub url: Option<String>,
    /// Whether it is wanted.
    pub on: bool,
    /// How it is, and why it is not up.
    pub link: InletLink,
    /// Connections open now.
    pub live: u32,
    /// Until when the owner grants it.
    pub expires: Option<UnixMillis>,
}

/// How a portal is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum InletLink {
    /// Switched off here.
    Off,
    /// Being made for the first time.
    Connecting,
    /// There: connections to the local address reach the service.
    Up {
        /// The way it takes.
        way: PathKind,
        /// To the owner and back, in milliseconds, once measured.
        round_trip_ms: Option<u32>,
    },
    /// Not there, and why. It comes back by itself where that is possible.
    Down {
        /// Why.
        fault: Fault,
        /// Since when.
        since: UnixMillis,
    },
}

/// The way a portal takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum PathKind {
    /// Straight to the owner's computer.
    Direct {
        /// `address:port`.
        address: String,
    },
    /// Through a hub, which sees only ciphertext.
    Hub {
        /// `host:port`.
        address: String,
    },
}

/// An invitation to this person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ReceivedView {
    /// Its id.
    pub id: InvitationId,
    /// Who invites.
    #[ts(type = "string")]
    pub owner: Identifier,
    /// Their petname if they are known, else what they call themselves.
    pub owner_name: String,
    /// Whether they are a contact.
    pub owner_known: bool,
    /// Whether their words were compared.
    pub owner_verified: bool,
    /// The words both see.
    pub words: String,
    /// The service's name.
    pub service_name: String,
    /// What it speaks.
    pub kind: ServiceKind,
    /// What its owner says about it.
    pub description: Option<String>,
    /// The local port that would be taken.
    pub port: u16,
    /// Until when it can be accepted.
    pub expires: UnixMillis,
    /// How far it got.
    pub state: ReceivedState,
}

/// How far an invitation to this person got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum ReceivedState {
    /// It waits for the person.
    New,
    /// Accepted; the owner cannot be reached yet, or has not answered.
    Accepting {
        /// What it waits for: the owner offline, a hub unreachable, the owner being asked.
        fault: Option<Fault>,
    },
    /// It leads nowhere: expired, used, revoked, denied.
    Over {
        /// Why.
        fault: Fault,
    },
}

/// Somebody who asks to be let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct KnockView {
    /// The invitation they hold.
    pub invitation: InvitationId,
    /// Who they are.
    #[ts(type = "string")]
    pub person: Identifier,
    /// What they call themselves, or their petname.
    pub name: String,
    /// The words both see.
    pub words: String,
    /// The service.
    pub service: ServiceId,
    /// Its name.
    pub service_name: String,
    /// Since when.
    pub at: UnixMillis,
}

/// Somebody this person knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ContactView {
    /// Who they are.
    #[ts(type = "string")]
    pub identifier: Identifier,
    /// What this person calls them.
    pub name: String,
    /// What they call themselves.
    pub own_name: String,
    /// The words both see.
    pub words: String,
    /// Whether the words were compared.
    pub verified: bool,
    /// Whether they are kept out.
    pub blocked: bool,
    /// Their key has changed since the words were compared.
    pub key_changed: bool,
    /// Whether they can be invited without a link.
    pub can_be_mailed: bool,
    /// Since when they are known.
    pub since: UnixMillis,
}

/// Where the identity's key rests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum KeychainPlace {
    /// The system's keychain.
    #[default]
    Os,
    /// A file encrypted with a passphrase.
    File,
    /// Nowhere: gone when the program ends.
    Memory,
}

/// What can be set, and where things are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Settings {
    /// Where the key rests.
    pub keychain: KeychainPlace,
    /// Where everything that is no secret rests.
    pub data_dir: String,
    /// How long receipts are kept, in days; 0 keeps them for ever.
    pub retention_days: u32,
    /// The program's version.
    pub version: String,
}

/// Numbers that move, at most twice a second and only when they do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
pub struct Traffic {
    /// When they were read.
    pub at: UnixMillis,
    /// By grant: what friends move through this person's services.
    pub grants: Vec<TrafficFlow<GrantId>>,
    /// By portal: what this person moves.
    pub inlets: Vec<TrafficFlow<InletId>>,
}

/// What flows through one thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct TrafficFlow<Id> {
    /// Through what.
    pub id: Id,
    /// Bytes towards the service, ever.
    #[ts(type = "number")]
    pub up_bytes: u64,
    /// Bytes from the service, ever.
    #[ts(type = "number")]
    pub down_bytes: u64,
    /// Bytes per second towards the service, lately.
    pub up_rate: f64,
    /// Bytes per second from the service, lately.
    pub down_rate: f64,
}
