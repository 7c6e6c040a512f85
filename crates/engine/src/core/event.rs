//! What the core is told: requests, reports of the driver, messages of other engines, and the time.

use crate::api::{CoreRequest, Fault, GrantId, InletId, KeychainPlace, PathKind, ServiceId, UnixMillis};
use crate::core::schema::{HistoryRefusal, KeyHistory, RecordKey, TicketSecret};
use crate::peer::{PeerNotification, PeerRequest, PeerResponse};
use postern_node::identity::Identifier;

/// An instant, by two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The wall clock of this machine, which may jump. Expiry is judged by it.
    pub wall: UnixMillis,
    /// Milliseconds since the engine started, which only grow. Delays are measured by it.
    pub ticks: u64,
}

/// What the core is told once, when it is loaded.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// The directory of everything that is stored outside the keychain.
    pub data_dir: String,
    /// The kind of keychain that holds the keys.
    pub keychain: KeychainPlace,
    /// The program's version.
    pub version: String,
}

/// A request, until it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A call to or from another engine, until it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// A piece of mail that is being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailId(pub u64);

/// Why a stream was not admitted, or ended early.
pub type Refusal = postern_node::portal::EndReason;

/// Bytes towards the service, and from it.
pub type ByteCounts = (u64, u64);

/// How a service's target was found to be up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthSource {
    /// The system lists a program that listens there.
    ListeningTable,
    /// It accepted a connection, which was closed again.
    Connection,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A frontend's request. Answered exactly once, by [`Effect::Answer`](crate::core::Effect::Answer).
    Request(RequestId, CoreRequest),
    /// The driver has created or loaded the identity, as [`Effect::CreateIdentity`] or [`Effect::LoadIdentity`] asked.
    ///
    /// [`Effect::CreateIdentity`]: crate::core::Effect::CreateIdentity
    /// [`Effect::LoadIdentity`]: crate::core::Effect::LoadIdentity
    Identity(Result<OwnIdentity, Fault>),
    /// The time that [`State::next_wake`] named has come, or the wall clock has jumped.
    ///
    /// [`State::next_wake`]: crate::core::State
    Tick,
    /// The engine stops: what is kept in memory for the audit log is to be written.
    Stopping,
    /// The machine woke from sleep, or its network changed.
    Resumed,

    /// The addresses at which this computer listens, or why it cannot.
    Listening(Result<Vec<String>, Fault>),
    /// A hub is connected; with its identifier if it has one.
    HubUp(String, Option<Identifier>),
    /// How many milliseconds a hub's clock is ahead of this computer's, as the hub says.
    HubClock(String, Option<i64>),
    /// A hub is not connected.
    HubDown(String, Fault),

    /// The result of a health check: how the target was found to be up, or why it is down.
    Health(ServiceId, Result<HealthSource, Fault>),
    /// A stream through a service opened.
    StreamOpened(GrantId),
    /// A stream through a service ended.
    StreamEnded {
        /// Its grant.
        grant: GrantId,
        /// Bytes towards the service.
        up_bytes: u64,
        /// Bytes from the service.
        down_bytes: u64,
        /// How long it was open, in milliseconds.
        lasted_ms: u64,
        /// Why it ended early.
        reason: Option<Refusal>,
    },
    /// The readings of this run's meters that have changed.
    TrafficCarried {
        /// Of grants.
        grants: Vec<(GrantId, ByteCounts)>,
        /// Of portals.
        inlets: Vec<(InletId, ByteCounts)>,
    },
    /// Somebody was not admitted.
    StreamRefused {
        /// The service.
        service: ServiceId,
        /// Who, if the channel says so.
        person: Option<Identifier>,
        /// Why, the last time.
        refusal: Refusal,
        /// How often since the last report.
        count: u32,
    },

    /// An inlet's port listens, or cannot.
    InletListening(InletId, Result<u16, Fault>),
    /// An inlet's channel to the owner is up.
    InletUp(InletId, PathKind),
    /// An inlet's channel is gone and being opened again.
    InletConnecting(InletId),
    /// An inlet's channel cannot be opened.
    InletDown(InletId, Fault),
    /// The round-trip time of an inlet's channel, in milliseconds.
    InletRoundTrip(InletId, u32),
    /// The owner refused an inlet's last stream, or (`None`) accepted one again.
    InletRefused(InletId, Option<Refusal>),
    /// How many streams run through an inlet.
    InletLive(InletId, u32),

    /// Another engine's request. Answered exactly once, by [`Effect::Reply`](crate::core::Effect::Reply).
    PeerRequest(CallId, Identifier, PeerRequest),
    /// The answer to our call, or why there is none.
    CallAnswered(CallId, Result<PeerResponse, Fault>),
    /// An owner's notification, over an open channel or by mail.
    PeerNotification(Identifier, PeerNotification),
    /// A hub has taken a piece of mail, or none has.
    MailPosted(MailId, Result<(), Fault>),
    /// Somebody's key history, which the node has verified; a longer one than before means a new key.
    PeerIdentified(Identifier, KeyHistory),
    /// Somebody proved to hold a key of this person that the known history of their keys does not end with; the node has
    /// refused it.
    HistoryRefused(Identifier, HistoryRefusal),
    /// This person gave a postal address that belongs to somebody else; it was not used.
    PostalRefused(Identifier),
}

impl Event {
    /// Whether the event only updates counters, so that nothing needs to be reconciled unless a record changes.
    pub(crate) fn only_counts(&self) -> bool {
        matches!(
            self,
            Self::StreamOpened(_)
                | Self::StreamEnded { .. }
                | Self::TrafficCarried { .. }
                | Self::InletLive(..)
                | Self::InletRoundTrip(..)
        )
    }
}

/// The user's identity as the driver has loaded it; its keys stay in the keychain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnIdentity {
    /// Its identifier.
    pub identifier: Identifier,
    /// The hash of the latest change of its key history, of which its verification words are made.
    pub latest_change: [u8; 32],
    /// The encoded postal address that others seal mail to.
    pub postal: Vec<u8>,
    /// The secrets of tickets, which only the identity's keys open, by record.
    pub secrets: Vec<(RecordKey, TicketSecret)>,
}
