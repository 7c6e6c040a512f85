//! Desktop notifications: a pure function of the engine's notices, and the user's responses.
//!
//! ```text
//! Notice ──► Notification { topic, title, body, actions } ──► desktop ── NotificationResponse ──► controller
//! ```
//!
//! Text from peers is sanitized here; a backend whose server interprets markup escapes the body.

#[cfg(not(target_os = "linux"))]
#[path = "macos_windows.rs"]
mod backend;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod backend;

pub use backend::Backend;

use postern_engine::api::{Code, Fault, InletId, InvitationId, KnockAnswer, Notice, Request, ServiceId};
use postern_engine::verification_words::groups;

use crate::desktop_integration::View;
use crate::untrusted_text::{MAX_NOTIFICATION_NAME, sanitize_line};

/// What a notification is about. A newer one on the same topic takes the place of the older.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A received invitation.
    Invitation(InvitationId),
    /// Somebody who requests access with an invitation.
    Knock(InvitationId),
    /// The users of a service.
    Service(ServiceId),
    /// A portal.
    Portal(InletId),
    /// The connection to hubs.
    Hub,
    /// A person, by name.
    Person(String),
    /// The program itself.
    App,
}

/// A notification.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// What it is about.
    pub topic: Topic,
    /// The first line: plain text.
    pub title: String,
    /// The rest: plain text, not escaped.
    pub body: String,
    /// Its buttons, from left to right.
    pub actions: Vec<Action>,
    /// The view that a click outside the buttons opens.
    pub default_view: View,
    /// Whether it stays until the user responds.
    pub persistent: bool,
}

/// A button.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// Its text.
    pub label: &'static str,
    /// The request that it sends to the engine.
    pub request: Request,
}

/// The user's response to a notification.
#[derive(Debug, Clone, PartialEq)]
pub enum NotificationResponse {
    /// Pressed a button.
    Action(Request),
    /// Clicked elsewhere on it (the default action).
    Default(View),
}

impl Notification {
    /// A notification without buttons that opens a view.
    #[must_use]
    pub fn new(topic: Topic, title: impl Into<String>, body: impl Into<String>, default_view: View) -> Self {
        Self { topic, title: title.into(), body: body.into(), actions: Vec::new(), default_view, persistent: false }
    }

    /// A notification of a fault.
    #[must_use]
    pub fn fault(title: &str, fault: &Fault) -> Self {
        Self::new(Topic::App, title, fault.message.clone(), View::Home)
    }

    fn action(mut self, label: &'static str, request: Request) -> Self {
        self.actions.push(Action { label, request });
        self.persistent = true;
        self
    }
}

impl From<&Notice> for Notification {
    fn from(notice: &Notice) -> Self {
        match notice {
            Notice::Invited { invitation, from, service } => invited(*invitation, from, service),
            Notice::Knock { invitation, from, service, words, looks_like, verified } => {
                let person =
                    Knocker { from, words: words.as_deref(), looks_like: looks_like.as_deref(), verified: *verified };
                knock(*invitation, &person, service)
            }
            Notice::Joined { service, from, name } => Self::new(
                Topic::Service(*service),
                format!("{} joined", display_name(from)),
                format!("They now have access to “{}”.", display_name(name)),
                View::Home,
            ),
            Notice::Declined { from, name } => Self::new(
                Topic::Person(from.clone()),
                format!("{} declined", display_name(from)),
                format!("They declined the invitation to “{}”.", display_name(name)),
                View::Home,
            ),
            Notice::GaveBack { from, name } => Self::new(
                Topic::Person(from.clone()),
                format!("{} left", display_name(from)),
                format!("They gave up their access to “{}”.", display_name(name)),
                View::Home,
            ),
            Notice::PortalUp { inlet, name, address } => {
                Self::new(Topic::Portal(*inlet), format!("“{}” is up", display_name(name)), address.clone(), View::Home)
            }
            Notice::PortalDown { inlet, name, fault } => {
                Self::new(Topic::Portal(*inlet), portal_down(name, fault.code), fault.message.clone(), View::Home)
            }
            Notice::HubLost { address, fault } => {
                Self::new(Topic::Hub, format!("Disconnected from {address}"), fault.message.clone(), View::Settings)
            }
            Notice::HubBack { address } => {
                Self::new(Topic::Hub, format!("Reconnected to {address}"), "You are reachable again.", View::Settings)
            }
            Notice::KeyChanged { from } => Self::new(
                Topic::Person(from.clone()),
                format!("The key of {} has changed", display_name(from)),
                "Verify them again: compare their words, which have changed too.",
                View::Home,
            ),
            Notice::KeyRefused { from, fault } => Self::new(
                Topic::Person(from.clone()),
                format!("A key of {} was refused", display_name(from)),
                fault.message.clone(),
                View::Home,
            ),
        }
    }
}

/// What happened to a portal, in one line.
fn portal_down(name: &str, code: Code) -> String {
    let name = display_name(name);
    match code {
        Code::PausedByOwner => format!("“{name}” is paused"),
        Code::Revoked | Code::Expired => format!("Your access to “{name}” has ended"),
        Code::ServiceClosed => format!("“{name}” is no longer shared"),
        Code::Blocked => format!("You can no longer use “{name}”"),
        Code::PortTaken => format!("The port of “{name}” is in use"),
        Code::OwnerOffline => format!("“{name}” is offline"),
        _ => format!("“{name}” is down"),
    }
}

fn invited(invitation: InvitationId, from: &str, service: &str) -> Notification {
    let title = format!("{} invites you", display_name(from));
    let body = format!("Accept to use “{}” on this computer.", display_name(service));
    Notification::new(Topic::Invitation(invitation), title, body, View::Invitation(invitation))
        .action("Accept", Request::Accept { invitation, port: None })
        .action("Decline", Request::Decline { invitation })
}

/// What is known of somebody who asks for access.
struct Knocker<'a> {
    from: &'a str,
    words: Option<&'a str>,
    /// The name of a contact that theirs can be taken for.
    looks_like: Option<&'a str>,
    verified: bool,
}

/// Only a verified contact can be allowed for good from here: anybody else may have chosen the name of somebody whom the user
/// knows, so the window with the words to compare comes first.
fn knock(invitation: InvitationId, person: &Knocker<'_>, service: &str) -> Notification {
    let answer = |answer| Request::AnswerKnock { invitation, answer };
    let title = format!("{} asks for access", display_name(person.from));
    let mut body = String::new();
    if let Some(name) = person.looks_like {
        body.push_str(&format!("This is not the {} you know. ", display_name(name)));
    }
    body.push_str(&format!("They want to use “{}”.", display_name(service)));
    if let Some(words) = person.words {
        body.push_str(&format!(" Their words: {}", groups(words).join(" · ")));
    }
    let mut notification = Notification::new(Topic::Knock(invitation), title, body, View::Invitations)
        .action("Allow once", answer(KnockAnswer::Once));
    if person.verified {
        notification = notification.action("Always allow", answer(KnockAnswer::Always));
    }
    notification.action("Deny", answer(KnockAnswer::Deny))
}

fn display_name(name: &str) -> String {
    sanitize_line(name, MAX_NOTIFICATION_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_has_two_actions() {
        let invitation = InvitationId([7; 16]);
        let notice = Notice::Invited { invitation, from: "<b>Ann</b>\n".into(), service: "Notes\u{202e}".into() };
        let notification = Notification::from(&notice);
        assert_eq!(notification.title, "<b>Ann</b> invites you");
        assert_eq!(notification.body, "Accept to use “Notes” on this computer.");
        assert_eq!(
            notification.actions,
            [
                Action { label: "Accept", request: Request::Accept { invitation, port: None } },
                Action { label: "Decline", request: Request::Decline { invitation } },
            ]
        );
        assert!(notification.persistent);
        assert_eq!(notification.default_view, View::Invitation(invitation));
    }

    #[test]
    fn only_a_verified_contact_is_allowed_for_good_in_a_notification() {
        let knock = |looks_like: Option<&str>, verified| {
            Notification::from(&Notice::Knock {
                invitation: InvitationId([1; 16]),
                from: "Bob".into(),
                service: "Database".into(),
                words: Some("a b c d e f g h".into()),
                looks_like: looks_like.map(str::to_owned),
                verified,
            })
        };
        let labels = |it: &Notification| it.actions.iter().map(|button| button.label).collect::<Vec<_>>();
        let verified = knock(None, true);
        assert_eq!(labels(&verified), ["Allow once", "Always allow", "Deny"]);
        assert_eq!(verified.body, "They want to use “Database”. Their words: a b c d · e f g h");
        let stranger = knock(Some("Bob"), false);
        assert_eq!(labels(&stranger), ["Allow once", "Deny"]);
        assert!(stranger.body.starts_with("This is not the Bob you know."), "{}", stranger.body);
    }

    #[test]
    fn a_notification_without_actions_is_not_persistent() {
        let fault = Fault::new(postern_engine::api::Code::OwnerOffline, "Ann is offline.");
        let notice = Notice::PortalDown { inlet: InletId([2; 16]), name: "Notes".into(), fault };
        let notification = Notification::from(&notice);
        assert_eq!(
            (notification.title.as_str(), notification.body.as_str()),
            ("“Notes” is offline", "Ann is offline.")
        );
        assert!(notification.actions.is_empty() && !notification.persistent);
    }

    #[test]
    fn a_notification_says_what_happened_to_a_portal() {
        let title = |code| {
            let fault = Fault::new(code, "why");
            Notification::from(&Notice::PortalDown { inlet: InletId([2; 16]), name: "Wiki".into(), fault }).title
        };
        assert_eq!(title(Code::PausedByOwner), "“Wiki” is paused");
        assert_eq!(title(Code::Revoked), "Your access to “Wiki” has ended");
        assert_eq!(title(Code::Expired), "Your access to “Wiki” has ended");
        assert_eq!(title(Code::ServiceClosed), "“Wiki” is no longer shared");
        assert_eq!(title(Code::Blocked), "You can no longer use “Wiki”");
        assert_eq!(title(Code::ServiceDown), "“Wiki” is down");
    }
}
