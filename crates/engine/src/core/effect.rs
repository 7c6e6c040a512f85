//! What the core wants done.

use crate::api::{Answer, AuditEvent, Fault, GrantId, InletId, Notice, ServiceId, UnixMillis};
use crate::core::event::{CallId, MailId, Refusal, RequestId};
use crate::core::schema::Change;
use crate::peer::{PeerAddress, PeerNotification, PeerRequest, PeerResponse};
use postern_node::identity::Identifier;

/// One thing to do. Effects are carried out in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Saves changes in one transaction, before anything that follows. If that fails, what follows is not done, and the
    /// engine stops with a fault.
    Save(Vec<Change>),
    /// Appends to the audit log.
    Audit(AuditEvent),
    /// Answers a request.
    Answer(RequestId, Result<Answer, Fault>),
    /// Notifies the user.
    Notify(Notice),
    /// Creates an identity in the keychain, or loads the one that is there; answered by `Event::Identity`.
    CreateIdentity,
    /// Loads the identity from the keychain, and creates none; answered by `Event::Identity`.
    LoadIdentity,

    /// Starts or stops listening in this computer's network; answered by `Event::Listening`.
    Listen(bool),
    /// Keeps a hub connected, with the user's relay and mailbox there.
    KeepHub(String),
    /// Leaves a hub.
    DropHub(String),

    /// Opens a service's outlet, or points the open one at another target.
    KeepOutlet {
        /// The service.
        service: ServiceId,
        /// `host:port`.
        target: String,
    },
    /// Closes a service's outlet and cuts its streams.
    DropOutlet(ServiceId),
    /// Replaces the admission rules of a service. Streams of grants that are no longer admitted are cut at once.
    SetAdmission {
        /// The service.
        service: ServiceId,
        /// One rule for each grant.
        rules: Vec<AdmissionRule>,
    },
    /// Checks whether a service's target accepts connections; answered by `Event::Health`.
    CheckTarget(ServiceId, String),

    /// Keeps an inlet open, and its channel to the owner.
    KeepInlet {
        /// The inlet.
        inlet: InletId,
        /// The only peer that the channel accepts.
        owner: Identifier,
        /// Where the owner can be reached; the first address that works is used.
        reach: Vec<PeerAddress>,
        /// The address of the owner's outlet.
        outlet: String,
        /// The local port.
        port: u16,
        /// The host name that requests of browsers are checked for; nothing if none are.
        host: Option<String>,
    },
    /// Sets what the inlet of a web portal answers while the portal cannot be used.
    DescribeInlet(InletId, InletDescription),
    /// Closes an inlet's channel, and opens another one as soon as the owner is online again.
    ReopenInlet(InletId),
    /// Closes an inlet.
    DropInlet(InletId),

    /// Calls another engine; answered by `Event::CallAnswered`.
    Call {
        /// The call's number.
        call: CallId,
        /// The peer.
        to: Identifier,
        /// Where it can be reached.
        reach: Vec<PeerAddress>,
        /// The request.
        message: PeerRequest,
    },
    /// Answers another engine.
    Reply(CallId, PeerResponse),
    /// Notifies another engine if a channel with it is open.
    NotifyPeer(Identifier, PeerNotification),
    /// Makes the node remember these key histories for as long as it runs, so that an older or forked one is refused. The
    /// encoded histories are those of contacts.
    PinHistories(Vec<Vec<u8>>),
    /// Puts a sealed notification into a mailbox; answered by `Event::MailPosted`.
    SendMail {
        /// The mail's number.
        mail: MailId,
        /// The recipient. Mail is sealed for no other identity, whatever the postal address says.
        person: Identifier,
        /// The encoded postal address.
        to: Vec<u8>,
        /// The hubs to try until one takes it.
        hubs: Vec<String>,
        /// The notification.
        news: PeerNotification,
    },
    /// Closes the channels that were opened to a peer.
    CloseChannels(Identifier),
    /// Closes all channels with a peer, also those that it has opened.
    CutOff(Identifier),
    /// Retries everything at once that waits for its next attempt.
    RetryNow,
}

/// What is known of a web portal, for the page that browsers get while it cannot be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InletDescription {
    /// The portal's name here.
    pub name: String,
    /// The name shown for its owner.
    pub owner: String,
    /// Why it is not up; nothing while it is, or connects.
    pub fault: Option<Fault>,
}

/// What the admission control in front of a service must know about one grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmissionRule {
    /// The grant.
    pub grant: GrantId,
    /// Its person.
    pub person: Identifier,
    /// Why its streams are refused; nothing while they are admitted.
    pub refusal: Option<Refusal>,
    /// When it expires.
    pub until: Option<UnixMillis>,
    /// Connections at once; as many as the service accepts if absent.
    pub connections: Option<u32>,
}
