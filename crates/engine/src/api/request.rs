//! What the engine can be asked, and what it answers.

use super::{AuditEntry, Fault, GrantId, InletId, InvitationId, Secret, ServiceId, ServiceKind, UnixMillis};
use postern_node::identity::Identifier;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Declares [`Request`], the serialized form, together with its two halves: [`CoreRequest`] and [`LocalRequest`]. Each
/// half is matched exhaustively by its handler, so a request without a handler does not compile.
macro_rules! requests {
    (
        core { $( $(#[doc = $core_doc:literal])+ $core:ident $({ $(
            $(#[doc = $core_field_doc:literal])+ $(#[ts($($core_ts:tt)+)])? $core_field:ident: $core_type:ty,
        )+ })?, )+ }
        local { $( $(#[doc = $local_doc:literal])+ $local:ident $({ $(
            $(#[doc = $local_field_doc:literal])+ $(#[ts($($local_ts:tt)+)])? $local_field:ident: $local_type:ty,
        )+ })?, )+ }
    ) => {
        /// A request to the engine. When it is answered with anything but a [`Fault`], what it changed is on disk.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
        #[serde(tag = "request", rename_all = "kebab-case")]
        pub enum Request {
            $( $(#[doc = $core_doc])+ $core $({ $(
                $(#[doc = $core_field_doc])+ $(#[ts($($core_ts)+)])? $core_field: $core_type,
            )+ })?, )+
            $( $(#[doc = $local_doc])+ $local $({ $(
                $(#[doc = $local_field_doc])+ $(#[ts($($local_ts)+)])? $local_field: $local_type,
            )+ })?, )+
        }

        /// A request that the core carries out.
        #[derive(Debug, Clone, PartialEq)]
        pub enum CoreRequest {
            $( $(#[doc = $core_doc])+ $core $({ $( $(#[doc = $core_field_doc])+ $core_field: $core_type, )+ })?, )+
        }

        /// A request that changes nothing in the core: the driver answers it.
        #[derive(Debug, Clone, PartialEq)]
        pub enum LocalRequest {
            $( $(#[doc = $local_doc])+ $local $({ $( $(#[doc = $local_field_doc])+ $local_field: $local_type, )+ })?, )+
        }

        impl Request {
            /// The half that the request belongs to.
            pub fn target(self) -> RequestTarget {
                match self {
                    $( Self::$core $({ $($core_field),+ })? => {
                        RequestTarget::Core(CoreRequest::$core $({ $($core_field),+ })?)
                    } )+
                    $( Self::$local $({ $($local_field),+ })? => {
                        RequestTarget::Local(LocalRequest::$local $({ $($local_field),+ })?)
                    } )+
                }
            }
        }
    };
}

/// Who carries out a request.
#[derive(Debug, Clone, PartialEq)]
pub enum RequestTarget {
    /// The core.
    Core(CoreRequest),
    /// The driver.
    Local(LocalRequest),
}

requests! {
    core {
        /// Makes the identity, with a name for others to see, and where to be reached.
        SetUp {
            /// What this person calls themselves.
            name: String,
            /// Hubs, as `host:port`.
            hubs: Vec<String>,
            /// Whether this computer can be reached directly in its network.
            this_computer: bool,
        },
        /// Changes what this person calls themselves.
        Rename {
            /// The new name.
            name: String,
        },
        /// Adds a hub.
        AddHub {
            /// `host:port`.
            address: String,
        },
        /// Leaves a hub.
        RemoveHub {
            /// `host:port`.
            address: String,
        },
        /// Whether this computer can be reached directly in its network.
        SetThisComputer {
            /// Whether.
            on: bool,
        },
        /// How long receipts are kept.
        SetRetention {
            /// In days; 0 for ever.
            days: u32,
        },
        /// Pauses or resumes everything, both ways.
        PauseAll {
            /// Whether to pause.
            on: bool,
        },
        /// Tries again at once whatever waits: after a wake, or when the network changed.
        Retry,

        /// Shares a service. Answered with [`Answer::Service`].
        Share {
            /// Its name, as friends see it.
            name: String,
            /// What it speaks.
            kind: ServiceKind,
            /// `host:port`, or a port of this machine.
            target: String,
            /// What a browser opens behind the address.
            path: Option<String>,
            /// What friends read about it.
            description: Option<String>,
        },
        /// Changes a service.
        ChangeService {
            /// Which.
            service: ServiceId,
            /// What.
            patch: ServicePatch,
        },
        /// Switches a service on or off for everybody.
        SetService {
            /// Which.
            service: ServiceId,
            /// On or off.
            on: bool,
        },
        /// Closes a service: revokes every grant and invitation, and tells the friends.
        CloseService {
            /// Which.
            service: ServiceId,
        },

        /// Invites somebody. Answered with [`Answer::Invitation`].
        Invite {
            /// To which service.
            service: ServiceId,
            /// Whom.
            to: InviteTo,
            /// Ask the owner before the friend is let in.
            ask_first: bool,
            /// How long it can be accepted, in seconds; 7 days if absent.
            #[ts(type = "number | null")]
            valid_for: Option<u64>,
            /// What it grants.
            terms: Terms,
        },
        /// The link of an invitation again. Answered with [`Answer::Invitation`].
        InvitationLink {
            /// Which.
            invitation: InvitationId,
        },
        /// Sends an invitation again, valid anew.
        Resend {
            /// Which.
            invitation: InvitationId,
        },
        /// Takes an invitation back.
        RevokeInvitation {
            /// Which.
            invitation: InvitationId,
        },
        /// Answers somebody who asks to be let in.
        AnswerKnock {
            /// The invitation they hold.
            invitation: InvitationId,
            /// The answer.
            answer: KnockAnswer,
        },
        /// Changes a grant's terms.
        ChangeGrant {
            /// Which.
            grant: GrantId,
            /// The new terms.
            terms: Terms,
        },
        /// Pauses or resumes a grant. Pausing cuts its connections.
        PauseGrant {
            /// Which.
            grant: GrantId,
            /// Whether to pause.
            on: bool,
        },
        /// Takes a grant back, and cuts its connections.
        RevokeGrant {
            /// Which.
            grant: GrantId,
        },

        /// Puts the invitation of a link among those to answer. Answered with [`Answer::Preview`].
        Open {
            /// The link.
            link: Secret,
        },
        /// Accepts an invitation. Answered with [`Answer::Done`] at once; the portal follows.
        Accept {
            /// Which.
            invitation: InvitationId,
            /// The local port; the proposed one if absent.
            port: Option<u16>,
        },
        /// Declines an invitation, and tells its owner.
        Decline {
            /// Which.
            invitation: InvitationId,
        },

        /// Changes a portal's name or port.
        ChangeInlet {
            /// Which.
            inlet: InletId,
            /// Its new name.
            name: Option<String>,
            /// Its new port.
            port: Option<u16>,
        },
        /// Switches a portal on or off.
        SetInlet {
            /// Which.
            inlet: InletId,
            /// On or off.
            on: bool,
        },
        /// Removes a portal and gives the grant back.
        RemoveInlet {
            /// Which.
            inlet: InletId,
        },

        /// Gives a contact a petname.
        RenameContact {
            /// Who.
            #[ts(type = "string")]
            person: Identifier,
            /// The petname.
            name: String,
        },
        /// Says that the words were compared, or that they are not to count.
        Verify {
            /// Who.
            #[ts(type = "string")]
            person: Identifier,
            /// Whether they are verified.
            verified: bool,
        },
        /// Keeps somebody out of everything, or no longer. Blocking cuts their connections and drops their invitations.
        Block {
            /// Who.
            #[ts(type = "string")]
            person: Identifier,
            /// Whether to block.
            on: bool,
        },
        /// Forgets a contact who has no access and grants none.
        Forget {
            /// Who.
            #[ts(type = "string")]
            person: Identifier,
        },
    }
    local {
        /// Tells what a link offers, without accepting it. Answered with [`Answer::Preview`].
        Preview {
            /// The link.
            link: Secret,
        },
        /// This machine's listening TCP ports. Answered with [`Answer::Ports`].
        Ports,
        /// Receipts, newest first. Answered with [`Answer::Receipts`].
        Log {
            /// Only those below this number, for the next page.
            #[ts(type = "number | null")]
            before: Option<u64>,
            /// At most this many, and never more than 1,000.
            limit: u32,
        },
        /// Looks for what is wrong. Answered with [`Answer::Findings`].
        Doctor,
        /// Writes the identity and everything else to a file encrypted with a passphrase.
        Backup {
            /// A file that does not exist yet.
            path: String,
            /// The passphrase.
            passphrase: Secret,
        },
    }
}

/// To whom an invitation goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "to", rename_all = "kebab-case")]
pub enum InviteTo {
    /// To whoever gets the link first.
    Link {
        /// For whom it is meant, as a note to oneself.
        note: Option<String>,
    },
    /// To a known person, without a link.
    Contact {
        /// Who.
        #[ts(type = "string")]
        person: Identifier,
    },
}

/// What access is limited to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Terms {
    /// Until when; for ever if absent.
    pub until: Option<UnixMillis>,
    /// Only until the owner's Postern is quit.
    #[serde(default)]
    pub until_quit: bool,
    /// Connections at once; as many as the service takes if absent.
    pub connections: Option<u32>,
}

/// What is to change about a service. Absent is as it was; an empty text removes path or description.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct ServicePatch {
    /// A new name.
    pub name: Option<String>,
    /// Another kind.
    pub kind: Option<ServiceKind>,
    /// Another target.
    pub target: Option<String>,
    /// Another path.
    pub path: Option<String>,
    /// Another description.
    pub description: Option<String>,
}

/// What the owner says to a knock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum KnockAnswer {
    /// Until the owner's Postern is quit.
    Once,
    /// As the invitation says.
    Always,
    /// No.
    Deny,
}

/// What the engine answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// It is done.
    Done,
    /// The service that was shared.
    Service {
        /// Its id.
        service: ServiceId,
    },
    /// An invitation and its link.
    Invitation {
        /// Its id.
        invitation: InvitationId,
        /// `postern://join/…`; absent when it went to a contact's mailbox.
        link: Option<Secret>,
    },
    /// What an invitation offers.
    Preview {
        /// It.
        preview: InvitationPreview,
    },
    /// Listening ports.
    Ports {
        /// By port.
        ports: Vec<ListeningPort>,
    },
    /// Receipts.
    Receipts {
        /// Newest first.
        receipts: Vec<AuditEntry>,
        /// Whether every hash of the whole log holds.
        intact: bool,
    },
    /// What was found.
    Findings {
        /// Worst first.
        findings: Vec<Finding>,
    },
}

/// What a link offers, read from the link alone: nobody was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct InvitationPreview {
    /// Its id.
    pub invitation: InvitationId,
    /// Who invites.
    #[ts(type = "string")]
    pub owner: Identifier,
    /// What they call themselves, or their petname if known.
    pub owner_name: String,
    /// Whether they are a contact.
    pub owner_known: bool,
    /// The words both see; nothing before this person has set up.
    pub words: Option<String>,
    /// The service's name.
    pub service_name: String,
    /// What it speaks.
    pub kind: ServiceKind,
    /// The owner's port, proposed for here.
    pub port: u16,
    /// Until when it can be accepted.
    pub expires: UnixMillis,
    /// Why it cannot be accepted, if it cannot.
    pub fault: Option<Fault>,
}

/// A program that listens on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ListeningPort {
    /// The port.
    pub port: u16,
    /// `127.0.0.1`, `0.0.0.0`, …
    pub address: String,
    /// The program's name, if the system tells.
    pub program: Option<String>,
    /// Its process.
    pub process: Option<u32>,
    /// What it most likely speaks.
    pub kind: ServiceKind,
    /// A name to propose.
    pub name: String,
}

/// Something the doctor found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What is looked at: `keychain`, `hub`, `service`, `portal`, `data`, `clock`.
    pub subject: String,
    /// What was found.
    pub message: String,
    /// What to do.
    pub advice: Option<String>,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// All is well.
    Good,
    /// It works, not as it could.
    Warning,
    /// It does not work.
    Bad,
}
