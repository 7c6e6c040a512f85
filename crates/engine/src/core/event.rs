//! What the heart hears.

use crate::api::{Fault, GrantId, InletId, PathKind, Request, ServiceId, UnixMillis};
use crate::core::ByteCounts;
use crate::core::records::{RecordKey, TicketSecret};
use crate::peer::{PeerNotification, PeerRequest, PeerResponse};
use postern_node::identity::Identifier;

/// An instant: what the wall says, and a clock that only goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// By this machine's clock, which may jump. Expiry is judged by it.
    pub wall: UnixMillis,
    /// Milliseconds since the engine started. Waits are measured by it.
    pub ticks: u64,
}

/// A request, until it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A question to or from another engine, until it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// A piece of sealed mail under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailId(pub u64);

/// Why a stream was not let in, or ended early.
pub type Refusal = postern_node::portal::EndReason;

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A face asks. Answered exactly once, by [`Effect::Answer`](crate::core::Effect::Answer).
    Request(RequestId, Request),
    /// The runner has made or loaded this person's identity and postal key, as [`Effect::CreateIdentity`] asked.
    ///
    /// [`Effect::CreateIdentity`]: crate::core::Effect::CreateIdentity
    Identity(Result<OwnIdentity, Fault>),
    /// The time that [`State::next_wake`] named has come, or the wall clock has jumped.
    ///
    /// [`State::next_wake`]: crate::core::State
    Tick,
    /// The machine woke from sleep, or its network changed.
    Resumed,

    /// This computer listens for others, or cannot.
    Listening(Result<Vec<String>, Fault>),
    /// A hub is connected; with its identifier when it has one.
    HubUp(String, Option<Identifier>),
    /// A hub is not, or no longer.
    HubDown(String, Fault),

    /// What a service's target said.
    Health(ServiceId, Result<(), Fault>),
    /// A stream through a service opened.
    StreamOpened(GrantId),
    /// It ended.
    StreamEnded {
        /// Whose it was.
        grant: GrantId,
        /// Towards the service.
        up_bytes: u64,
        /// From the service.
        down_bytes: u64,
        /// How long it was open.
        lasted_ms: u64,
        /// Why it ended early.
        reason: Option<Refusal>,
    },
    /// What the meters of this run have carried, of those that have moved.
    TrafficCarried {
        /// Of grants.
        grants: Vec<(GrantId, ByteCounts)>,
        /// Of portals.
        inlets: Vec<(InletId, ByteCounts)>,
    },
    /// Somebody was not let in.
    StreamRefused(ServiceId, Option<Identifier>, Refusal),

    /// An inlet listens, or cannot.
    InletListening(InletId, Result<u16, Fault>),
    /// Its channel to the owner is up.
    InletUp(InletId, PathKind),
    /// It is not, and about to be again.
    InletConnecting(InletId),
    /// It is not, or no longer.
    InletDown(InletId, Fault),
    /// How long there and back takes.
    InletRoundTrip(InletId, u32),
    /// The owner refused its last stream, or (`None`) took it again.
    InletRefused(InletId, Option<Refusal>),
    /// How many streams run through it.
    InletLive(InletId, u32),

    /// Another engine asks. Answered exactly once, by [`Effect::Reply`](crate::core::Effect::Reply).
    PeerRequest(CallId, Identifier, PeerRequest),
    /// Our question was answered, or could not be.
    CallAnswered(CallId, Result<PeerResponse, Fault>),
    /// An owner tells us something: over an open channel, or sealed in our mailbox.
    PeerNotification(Identifier, PeerNotification),
    /// Mail was put into a mailbox, or could not be.
    MailPosted(MailId, Result<(), Fault>),
    /// Somebody was met whose history is this long, in changes: more than before means a new key.
    PeerIdentified(Identifier, u32),
}

/// What the runner tells of this person's identity; its keys stay in the keychain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnIdentity {
    /// Who.
    pub identifier: Identifier,
    /// The encoded postal address that others seal mail to.
    pub postal: Vec<u8>,
    /// The secrets of records, which only the identity's keys open.
    pub secrets: Vec<(RecordKey, TicketSecret)>,
}
