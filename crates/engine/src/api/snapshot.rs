//! Everything that a frontend shows, at one instant.

use super::{Fault, GrantId, InletView, InvitationId, ReceivedView, ServiceId, Terms, UnixMillis};
use postern_node::identity::Identifier;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The whole visible state. Lists are in the order in which they are shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
pub struct Snapshot {
    /// The user; nothing before Postern is set up.
    pub me: Option<Me>,
    /// The overall status, for an icon.
    pub status: Status,
    /// Whether everything is paused.
    pub paused: bool,
    /// The direct listener in this computer's network.
    pub this_computer: ThisComputer,
    /// The user's hubs.
    pub hubs: Vec<HubView>,
    /// The services that the user shares.
    pub services: Vec<ServiceView>,
    /// The portals to services that others share.
    pub inlets: Vec<InletView>,
    /// Received invitations that are not portals yet.
    pub invitations: Vec<ReceivedView>,
    /// Knocks that wait for an answer.
    pub knocks: Vec<KnockView>,
    /// The user's contacts.
    pub contacts: Vec<ContactView>,
    /// The settings.
    pub settings: Settings,
    /// Problems that belong to no single row.
    pub troubles: Vec<Fault>,
}

/// The overall status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Not set up, or nothing shared either way.
    #[default]
    Idle,
    /// Something is shared or reached, and everything works.
    Ready,
    /// At least one connection is open.
    Live,
    /// An invitation, a knock or a problem waits for the user.
    Attention,
    /// No hub is connected, and no portal is up.
    Offline,
    /// Whether everything is paused.
    Paused,
}

/// The user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Me {
    /// The user's identifier.
    #[ts(type = "string")]
    pub identifier: Identifier,
    /// Their own name.
    pub name: String,
    /// Their own verification words, which others compare; nothing until the identity's key is loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub words: Option<String>,
}

/// The direct listener in this computer's network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ThisComputer {
    /// Whether it is switched on.
    pub on: bool,
    /// The addresses at which it listens, as `address:port`; they go into tickets.
    pub addresses: Vec<String>,
    /// Why it cannot listen.
    pub fault: Option<Fault>,
}

/// A hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct HubView {
    /// `host:port`.
    pub address: String,
    /// The state of the connection.
    pub link: LinkState,
    /// The hub's identifier, once known.
    #[ts(type = "string | null")]
    pub identifier: Option<Identifier>,
    /// How many milliseconds its clock is ahead of this computer's, as it says; a hint that decides about nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(type = "number", optional)]
    pub clock_ahead_ms: Option<i64>,
}

/// The state of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum LinkState {
    /// Switched off.
    Off,
    /// Connecting for the first time.
    Connecting,
    /// Connected.
    Up,
    /// Not connected; retried.
    Down {
        /// Why.
        fault: Fault,
        /// Since when.
        since: UnixMillis,
    },
}

/// The protocol of a service, which decides how it is opened.
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

/// A service that the user shares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ServiceView {
    /// Its id.
    pub id: ServiceId,
    /// Its name, as friends see it.
    pub name: String,
    /// The protocol it speaks.
    pub kind: ServiceKind,
    /// Its address, as `host:port`.
    pub target: String,
    /// The path that a browser opens, for instance `/lab`.
    pub path: Option<String>,
    /// The description that friends read.
    pub description: Option<String>,
    /// What the owner should know: that it is known to trust whoever connects from its own machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub warning: Option<String>,
    /// False while it is paused for everybody.
    pub on: bool,
    /// The health of the target.
    pub health: Health,
    /// The people with a grant, ended ones included.
    pub people: Vec<PersonView>,
    /// Invitations to it that are not grants yet.
    pub invitations: Vec<SentView>,
    /// Open connections.
    pub live: u32,
    /// When it was shared.
    pub created: UnixMillis,
}

impl ServiceView {
    /// Whether it is shared and its target does not answer.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.on && matches!(self.health, Health::Down { .. })
    }
}

/// The result of the last health check of a service's target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Health {
    /// Not checked yet.
    #[default]
    Unknown,
    /// It accepts connections.
    Up,
    /// It does not accept connections.
    Down {
        /// Why.
        fault: Fault,
        /// Since when.
        since: UnixMillis,
    },
}

/// A person with a grant for a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PersonView {
    /// The grant.
    pub grant: GrantId,
    /// The person.
    #[ts(type = "string")]
    pub person: Identifier,
    /// The name shown for them.
    pub name: String,
    /// Whether the verification words were compared.
    pub verified: bool,
    /// The grant's state.
    pub state: GrantState,
    /// The grant's terms.
    pub terms: Terms,
    /// When they last used it.
    pub last_used: Option<UnixMillis>,
    /// Their open connections.
    pub live: u32,
}

/// The state of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum GrantState {
    /// Its person may use the service.
    Active,
    /// Paused by the owner.
    Paused,
    /// Its time is over.
    Expired,
    /// Revoked by the owner.
    Revoked,
    /// Given back by its person.
    GivenBack,
}

/// An invitation that the user sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SentView {
    /// Its id.
    pub id: InvitationId,
    /// The recipient; nobody in particular for a link.
    #[ts(type = "string | null")]
    pub to: Option<Identifier>,
    /// The name shown for them, or the user's note.
    pub name: Option<String>,
    /// Its state.
    pub state: SentState,
    /// Whether redeeming it asks the owner first.
    pub ask_first: bool,
    /// The terms of the grant.
    pub terms: Terms,
    /// When it was made.
    pub created: UnixMillis,
    /// Until when it can be accepted.
    pub expires: UnixMillis,
}

/// The state of a sent invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum SentState {
    /// Made; not known to have arrived.
    Created,
    /// In the friend's mailbox.
    Delivered,
    /// Shown by the friend's app.
    Seen,
    /// The friend knocks: the owner is to answer.
    Knocking,
    /// It became a grant.
    Accepted,
    /// Declined by the friend, or by the owner at a knock.
    Declined,
    /// Nobody accepted it in time.
    Expired,
    /// Revoked by the owner.
    Revoked,
}

/// A person who knocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct KnockView {
    /// The invitation they hold.
    pub invitation: InvitationId,
    /// Their identifier.
    #[ts(type = "string")]
    pub person: Identifier,
    /// The name shown for them.
    pub name: String,
    /// Their verification words; empty while their key history was not seen.
    pub words: String,
    /// The name of a contact, not this person, that their name can be taken for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub looks_like: Option<String>,
    /// Whether they are a contact whose words were compared.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[ts(optional, as = "Option<bool>")]
    pub verified: bool,
    /// The service.
    pub service: ServiceId,
    /// Its name.
    pub service_name: String,
    /// Since when.
    pub at: UnixMillis,
}

/// A person whom the user knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ContactView {
    /// Their identifier.
    #[ts(type = "string")]
    pub identifier: Identifier,
    /// The name shown for them.
    pub name: String,
    /// Their own name.
    pub own_name: String,
    /// Their verification words; empty while their key history was not seen.
    pub words: String,
    /// Whether the words were compared, for the key that they have now.
    pub verified: bool,
    /// Whether they are blocked.
    pub blocked: bool,
    /// Whether their key has changed since the words were compared.
    pub key_changed: bool,
    /// Why words that were compared once are to be compared again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub verify_again: Option<VerifyAgain>,
    /// Somebody answered with another key of this person than the one that is known, and was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub key_refused: Option<Fault>,
    /// Whether they can be invited without a link.
    pub can_be_mailed: bool,
    /// When they became a contact.
    pub since: UnixMillis,
}

/// Why words that were compared once do not count any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum VerifyAgain {
    /// The person has another key.
    KeyChanged,
    /// The words of an earlier version were compared, which were fewer.
    WordsChanged,
}

/// The kind of keychain that holds the identity's key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum KeychainPlace {
    /// The system's keychain.
    #[default]
    Os,
    /// A file encrypted with a passphrase.
    File,
    /// Memory only: gone when the program ends.
    Memory,
}

/// Settings, and where the data is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Settings {
    /// The keychain that holds the key.
    pub keychain: KeychainPlace,
    /// The directory of everything that is stored outside the keychain.
    pub data_dir: String,
    /// How long audit entries are kept, in days; 0 keeps them for ever.
    pub retention_days: u32,
    /// The page that web links lead to, as `https://host/path`, if one is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub web_links: Option<String>,
    /// The program's version.
    pub version: String,
}
