//! What the desktop says in a corner of the screen, and what a person answers to it.
//!
//! ```text
//! Notice ──► Notification { topic, title, body, buttons } ──► the desktop ── Press ──► controller
//! ```
//!
//! Text from peers is made plain here; a backend that reads markup escapes the body.

#[cfg(not(target_os = "linux"))]
#[path = "elsewhere.rs"]
mod backend;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod backend;

pub use backend::Backend;

use postern_engine::api::{Fault, InletId, InvitationId, KnockAnswer, Notice, Request, ServiceId};

use crate::face::View;
use crate::text::{NOTE_NAME, plain};

/// What a notification is about. A newer one on the same topic takes the place of the older.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// An invitation to this person.
    Invitation(InvitationId),
    /// Somebody who asks to be let in.
    Knock(InvitationId),
    /// Who uses a service.
    Service(ServiceId),
    /// A portal.
    Portal(InletId),
    /// The hubs.
    Hub,
    /// Somebody, by name.
    Person(String),
    /// This program itself.
    Program,
}

/// One notification.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// What it is about.
    pub topic: Topic,
    /// Its first line: plain text.
    pub title: String,
    /// The rest: plain text, not escaped.
    pub body: String,
    /// What can be pressed, from left to right.
    pub buttons: Vec<Button>,
    /// What a click on anything else of it shows.
    pub opens: View,
    /// Whether it stays until it was answered.
    pub stays: bool,
}

/// Something to press.
#[derive(Debug, Clone, PartialEq)]
pub struct Button {
    /// What it is called.
    pub label: &'static str,
    /// What it asks of the engine.
    pub asks: Request,
}

/// What a person did with a notification.
#[derive(Debug, Clone, PartialEq)]
pub enum Press {
    /// Pressed one of the buttons.
    Button(Request),
    /// Clicked on the rest.
    Body(View),
}

impl Notification {
    /// Something to read that leads to a part of the window.
    #[must_use]
    pub fn new(topic: Topic, title: impl Into<String>, body: impl Into<String>, opens: View) -> Self {
        Self { topic, title: title.into(), body: body.into(), buttons: Vec::new(), opens, stays: false }
    }

    /// What a fault of this program says.
    #[must_use]
    pub fn fault(title: &str, fault: &Fault) -> Self {
        Self::new(Topic::Program, title, fault.message.clone(), View::Home)
    }

    fn button(mut self, label: &'static str, asks: Request) -> Self {
        self.buttons.push(Button { label, asks });
        self.stays = true;
        self
    }
}

impl From<&Notice> for Notification {
    fn from(notice: &Notice) -> Self {
        match notice {
            Notice::Invited { invitation, from, service } => invited(*invitation, from, service),
            Notice::Knock { invitation, from, service } => knock(*invitation, from, service),
            Notice::Joined { service, from, name } => Self::new(
                Topic::Service(*service),
                format!("{} joined", person(from)),
                format!("They can use “{}” now.", person(name)),
                View::Home,
            ),
            Notice::Declined { from, name } => Self::new(
                Topic::Person(from.clone()),
                format!("{} declined", person(from)),
                format!("They do not want to use “{}”.", person(name)),
                View::Home,
            ),
            Notice::GaveBack { from, name } => Self::new(
                Topic::Person(from.clone()),
                format!("{} left", person(from)),
                format!("They no longer use “{}”.", person(name)),
                View::Home,
            ),
            Notice::PortalUp { inlet, name, address } => {
                Self::new(Topic::Portal(*inlet), format!("“{}” is up", person(name)), address.clone(), View::Home)
            }
            Notice::PortalDown { inlet, name, fault } => Self::new(
                Topic::Portal(*inlet),
                format!("“{}” is down", person(name)),
                fault.message.clone(),
                View::Home,
            ),
            Notice::HubLost { address, fault } => {
                Self::new(Topic::Hub, format!("{address} was lost"), fault.message.clone(), View::Settings)
            }
            Notice::HubBack { address } => {
                Self::new(Topic::Hub, format!("{address} is back"), "You can be reached again.", View::Settings)
            }
            Notice::KeyChanged { from } => Self::new(
                Topic::Person(from.clone()),
                format!("The key of {} has changed", person(from)),
                "Compare the words with them before you trust it.",
                View::Home,
            ),
        }
    }
}

fn invited(invitation: InvitationId, from: &str, service: &str) -> Notification {
    let title = format!("{} invites you", person(from));
    let body = format!("To use “{}” on this computer.", person(service));
    Notification::new(Topic::Invitation(invitation), title, body, View::Invitation(invitation))
        .button("Accept", Request::Accept { invitation, port: None })
        .button("Decline", Request::Decline { invitation })
}

fn knock(invitation: InvitationId, from: &str, service: &str) -> Notification {
    let answer = |answer| Request::AnswerKnock { invitation, answer };
    let title = format!("{} asks to be let in", person(from));
    let body = format!("To use “{}”.", person(service));
    Notification::new(Topic::Knock(invitation), title, body, View::Invitations)
        .button("Allow once", answer(KnockAnswer::Once))
        .button("Always allow", answer(KnockAnswer::Always))
        .button("Deny", answer(KnockAnswer::Deny))
}

fn person(name: &str) -> String {
    plain(name, NOTE_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_can_be_answered_from_its_notification() {
        let invitation = InvitationId([7; 16]);
        let notice = Notice::Invited { invitation, from: "<b>Ann</b>\n".into(), service: "Notes\u{202e}".into() };
        let shown = Notification::from(&notice);
        assert_eq!(shown.title, "<b>Ann</b> invites you");
        assert_eq!(shown.body, "To use “Notes” on this computer.");
        assert_eq!(
            shown.buttons,
            [
                Button { label: "Accept", asks: Request::Accept { invitation, port: None } },
                Button { label: "Decline", asks: Request::Decline { invitation } },
            ]
        );
        assert!(shown.stays);
        assert_eq!(shown.opens, View::Invitation(invitation));
    }

    #[test]
    fn a_knock_has_three_answers() {
        let notice =
            Notice::Knock { invitation: InvitationId([1; 16]), from: "Bob".into(), service: "Database".into() };
        let labels: Vec<_> = Notification::from(&notice).buttons.iter().map(|button| button.label).collect();
        assert_eq!(labels, ["Allow once", "Always allow", "Deny"]);
    }

    #[test]
    fn what_only_informs_goes_away_by_itself() {
        let fault = Fault::new(postern_engine::api::Code::OwnerOffline, "Ann is offline.");
        let notice = Notice::PortalDown { inlet: InletId([2; 16]), name: "Notes".into(), fault };
        let shown = Notification::from(&notice);
        assert_eq!((shown.title.as_str(), shown.body.as_str()), ("“Notes” is down", "Ann is offline."));
        assert!(shown.buttons.is_empty() && !shown.stays);
    }
}
