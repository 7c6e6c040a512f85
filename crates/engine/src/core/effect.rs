//! What the heart wants done.

use crate::api::{Answer, AuditEvent, Fault, GrantId, InletId, Notice, ServiceId, UnixMillis};
use crate::core::event::{CallId, MailId, RequestId};
use crate::core::records::Change;
use crate::peer::PeerAddress;
use crate::peer::{PeerNotification, PeerRequest, PeerResponse};
use postern_node::identity::Identifier;

/// One thing to do. Effects are carried out in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Saves, in one transaction, before anything that follows. If it fails, what follows is not done, and the
    /// runner stops with a fault.
    Save(Vec<Change>),
    /// Appends to the receipts.
    Audit(AuditEvent),
    /// Answers a face.
    Answer(RequestId, Result<Answer, Fault>),
    /// Tells a person.
    Notify(Notice),
    /// Makes an identity in the keychain, or loads the one that is there; answered by `Event::Identity`.
    CreateIdentity,
    /// Loads the identity that is in the keychain, and makes none; answered by `Event::Identity`.
    LoadIdentity,

    /// Listens in this computer's network, or no longer; answered by `Event::Listening`.
    Listen(bool),
    /// Keeps a hub connected, with our relay and mailbox there.
    KeepHub(String),
    /// Leaves a hub.
    DropHub(String),

    /// Opens a service's outlet at an address, or points the one that is open at another target.
    KeepOutlet {
        /// Which.
        service: ServiceId,
        /// `host:port`.
        target: String,
    },
    /// Closes a service's outlet and cuts its streams.
    DropOutlet(ServiceId),
    /// Who may use a service, from now on. Streams of grants that are no longer active are cut at once.
    SetAdmission {
        /// Which.
        service: ServiceId,
        /// By grant.
        permitted: Vec<AdmissionRule>,
    },
    /// Connects to a service's target and tells whether it answered, by `Event::Health`.
    CheckTarget(ServiceId, String),

    /// Keeps an inlet open, and its channel to the owner.
    KeepInlet {
        /// Which.
        inlet: InletId,
        /// The only one it talks to.
        owner: Identifier,
        /// Where they can be reached; the first that works is used.
        reach: Vec<PeerAddress>,
        /// The address of the owner's outlet.
        outlet: String,
        /// The local port.
        port: u16,
    },
    /// Closes an inlet's channel and opens another one, as soon as its owner is there again.
    ReopenInlet(InletId),
    /// Closes an inlet.
    DropInlet(InletId),

    /// Asks another engine; answered by `Event::CallAnswered`.
    Call {
        /// The question's number.
        call: CallId,
        /// Whom.
        to: Identifier,
        /// Where they can be reached.
        reach: Vec<PeerAddress>,
        /// What.
        message: PeerRequest,
    },
    /// Answers another engine.
    Reply(CallId, PeerResponse),
    /// Tells another engine something, if a channel with it is open.
    NotifyPeer(Identifier, PeerNotification),
    /// Tells another engine something through a mailbox, sealed; answered by `Event::MailPosted`.
    SendMail {
        /// The mail's number.
        mail: MailId,
        /// The encoded postal address.
        to: Vec<u8>,
        /// The hubs to try, all of them until one takes it.
        hubs: Vec<String>,
        /// What.
        news: PeerNotification,
    },
    /// Ends the channels that we have opened with somebody.
    CloseChannels(Identifier),
    /// Tries again at once whatever waits for its next attempt.
    RetryNow,
}

/// A grant as the gate in front of a service needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmissionRule {
    /// Which.
    pub grant: GrantId,
    /// Whose.
    pub person: Identifier,
    /// Nothing while it lets its person in, else what they are told.
    pub refusal: Option<crate::core::Refusal>,
    /// Until when.
    pub until: Option<UnixMillis>,
    /// Connections at once.
    pub connections: Option<u32>,
}
