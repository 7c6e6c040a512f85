//! The requests that the engine can be made, in their serialized form and in the two halves that handle them.

use super::{GrantId, InletId, InvitationId, Secret, ServiceId, ServiceKind, UnixMillis};
use postern_node::identity::Identifier;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

mod invite_to;

pub use invite_to::InviteTo;

/// Declares [`Request`], the serialized form, together with its two halves: [`CoreRequest`] and [`LocalRequest`]. Each
/// half is matched exhaustively by its handler, so a request without a handler does not compile.
macro_rules! requests {
    (
        core { $( $(#[doc = $core_doc:literal])+ $core:ident $({ $(
            $(#[doc = $core_field_doc:literal])+ $(#[serde($($core_serde:tt)+)])? $(#[ts($($core_ts:tt)+)])? $core_field:ident: $core_type:ty,
        )+ })?, )+ }
        local { $( $(#[doc = $local_doc:literal])+ $local:ident $({ $(
            $(#[doc = $local_field_doc:literal])+ $(#[ts($($local_ts:tt)+)])? $local_field:ident: $local_type:ty,
        )+ })?, )+ }
    ) => {
        /// A request to the engine. When it is answered with anything but a [`Fault`](super::Fault), what it changed is on disk.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
        #[serde(tag = "request", rename_all = "kebab-case")]
        pub enum Request {
            $( $(#[doc = $core_doc])+ $core $({ $(
                $(#[doc = $core_field_doc])+ $(#[serde($($core_serde)+)])? $(#[ts($($core_ts)+)])? $core_field: $core_type,
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
            /// How many kinds of requests there are.
            #[cfg(test)]
            const COUNT: usize = [$( stringify!($core), )+ $( stringify!($local), )+].len();

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
        /// Creates the identity and the profile.
        SetUp {
            /// The user's name, as others see it.
            name: String,
            /// Hubs, as `host:port`.
            hubs: Vec<String>,
            /// Whether this computer can be reached directly in its network.
            this_computer: bool,
        },
        /// Changes the user's name.
        Rename {
            /// The new name.
            name: String,
        },
        /// Adds a hub.
        AddHub {
            /// `host:port`.
            address: String,
        },
        /// Removes a hub.
        RemoveHub {
            /// `host:port`.
            address: String,
        },
        /// Whether this computer can be reached directly in its network.
        SetThisComputer {
            /// Whether it can.
            on: bool,
        },
        /// Sets how long audit entries are kept.
        SetRetention {
            /// In days; 0 for ever.
            days: u32,
        },
        /// Sets the address of the page that web links lead to: where somebody serves `web/join.html`.
        SetWebLinks {
            /// `https://host/path`; none forgets it.
            base: Option<String>,
        },
        /// Pauses or resumes everything: services and portals.
        PauseAll {
            /// Whether to pause.
            on: bool,
        },
        /// Retries everything at once: after a wake, or when the network changed.
        Retry,

        /// Shares a service. Answered with `Answer::Service`.
        Share {
            /// Its name, as friends see it.
            name: String,
            /// The protocol it speaks.
            kind: ServiceKind,
            /// `host:port`, or a port of this machine.
            target: String,
            /// The path that a browser opens.
            path: Option<String>,
            /// The description that friends read.
            description: Option<String>,
        },
        /// Changes a service.
        ChangeService {
            /// The service.
            service: ServiceId,
            /// The changes.
            patch: ServicePatch,
        },
        /// Switches a service on or off for everybody.
        SetService {
            /// The service.
            service: ServiceId,
            /// On or off.
            on: bool,
        },
        /// Closes a service: revokes every grant and invitation, and tells the friends.
        CloseService {
            /// The service.
            service: ServiceId,
        },

        /// Invites somebody. Answered with `Answer::Invitation`.
        Invite {
            /// The service.
            service: ServiceId,
            /// The person, or a link.
            to: InviteTo,
            /// Whether redeeming it asks the owner first.
            ask_first: bool,
            /// How long it can be accepted, in seconds; 7 days if absent.
            #[ts(type = "number | null")]
            valid_for: Option<u64>,
            /// The terms of the grant.
            terms: Terms,
        },
        /// Shows the link of an invitation again. Answered with `Answer::Invitation`.
        InvitationLink {
            /// The invitation.
            invitation: InvitationId,
        },
        /// Sends an invitation again, with a new expiry.
        Resend {
            /// The invitation.
            invitation: InvitationId,
        },
        /// Revokes an invitation.
        RevokeInvitation {
            /// The invitation.
            invitation: InvitationId,
        },
        /// Answers a knock.
        AnswerKnock {
            /// The invitation they hold.
            invitation: InvitationId,
            /// The answer.
            answer: KnockAnswer,
        },
        /// Changes a grant's terms.
        ChangeGrant {
            /// The grant.
            grant: GrantId,
            /// The new terms.
            terms: Terms,
        },
        /// Pauses or resumes a grant. Pausing cuts its connections.
        PauseGrant {
            /// The grant.
            grant: GrantId,
            /// Whether to pause.
            on: bool,
        },
        /// Revokes a grant, and cuts its connections.
        RevokeGrant {
            /// The grant.
            grant: GrantId,
        },

        /// Puts the invitation of a link among those to answer. Answered with `Answer::Preview`.
        Open {
            /// The link.
            link: Secret,
        },
        /// Accepts an invitation. Answered with `Answer::Done` at once; the portal follows.
        Accept {
            /// The invitation.
            invitation: InvitationId,
            /// The local port; the proposed one if absent.
            port: Option<u16>,
        },
        /// Declines an invitation, and tells its owner.
        Decline {
            /// The invitation.
            invitation: InvitationId,
        },

        /// Changes a portal's name or port.
        ChangeInlet {
            /// The portal.
            inlet: InletId,
            /// Its new name.
            name: Option<String>,
            /// Its new port.
            port: Option<u16>,
        },
        /// Switches a portal on or off.
        SetInlet {
            /// The portal.
            inlet: InletId,
            /// On or off.
            on: bool,
        },
        /// Switches a web portal's check of browsers' requests on or off, and with it its own host name.
        SetInletCheck {
            /// The portal.
            inlet: InletId,
            /// On or off.
            on: bool,
        },
        /// Removes a portal and gives the grant back.
        RemoveInlet {
            /// The portal.
            inlet: InletId,
        },

        /// Gives a contact a petname.
        RenameContact {
            /// The person.
            #[ts(type = "string")]
            person: Identifier,
            /// The petname.
            name: String,
        },
        /// Marks the verification words as compared, or not.
        Verify {
            /// The person.
            #[ts(type = "string")]
            person: Identifier,
            /// Whether they are verified.
            verified: bool,
            /// The words that the user compared; refused with `key-changed` if they are not the person's. Needed to verify.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[ts(optional)]
            words: Option<String>,
        },
        /// Blocks or unblocks a contact. Blocking cuts their connections and withdraws their invitations.
        Block {
            /// The person.
            #[ts(type = "string")]
            person: Identifier,
            /// Whether to block.
            on: bool,
        },
        /// Removes a contact who has no access and grants none.
        Forget {
            /// The person.
            #[ts(type = "string")]
            person: Identifier,
        },
    }
    local {
        /// Shows what a link offers, without accepting it. Answered with `Answer::Preview`.
        Preview {
            /// The link.
            link: Secret,
        },
        /// Lists this machine's listening TCP ports. Answered with `Answer::Ports`.
        Ports,
        /// Finds a port for a new portal. Answered with `Answer::FreePort`.
        FreePort {
            /// The port that is wanted.
            port: u16,
        },
        /// Asks the program that listens at a port of this computer whether it speaks HTTP, with one request, unless the port or the
        /// program is known for something else. Answered with `Answer::Protocol`, within 3 s.
        Protocol {
            /// The port.
            port: u16,
        },
        /// Reads the audit log, newest first. Answered with `Answer::Receipts`.
        Log {
            /// Only entries below this number, for the next page.
            #[ts(type = "number | null")]
            before: Option<u64>,
            /// At most this many, and never more than 1,000.
            limit: u32,
        },
        /// Verifies the whole audit log. Answered with `Answer::LogVerified`.
        VerifyLog,
        /// Looks for problems. Answered with `Answer::Findings`.
        Doctor,
        /// Writes the identity and all stored data to a file encrypted with a passphrase.
        Backup {
            /// A file that does not exist yet.
            path: String,
            /// The passphrase.
            passphrase: Secret,
        },
    }
}

/// The limits of a grant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Terms {
    /// When it expires; never if absent.
    pub until: Option<UnixMillis>,
    /// Whether it ends when the owner's Postern quits.
    #[serde(default)]
    pub until_quit: bool,
    /// Connections at once; as many as the service accepts if absent.
    pub connections: Option<u32>,
}

/// Changes of a service. What is absent stays; an empty text removes path or description.
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
    /// Whether the target is checked: off for a service that a connection without a request harms.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub health_check: Option<bool>,
}

/// The owner's answer to a knock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum KnockAnswer {
    /// Yes, until the owner's Postern quits.
    Once,
    /// Yes, on the invitation's terms.
    Always,
    /// No.
    Deny,
}

#[cfg(test)]
mod tests;
