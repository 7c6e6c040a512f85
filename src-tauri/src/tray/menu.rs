//! The tray's menu.

use postern_engine::api::{
    Code, Fault, Health, InletLink, InletView, KnockAnswer, KnockView, ReceivedState, ReceivedView, Request,
    ServiceView, Snapshot, Status,
};

use super::{Click, Shown};
use crate::face::View;
use crate::text::{MENU_NAME, plain};

/// At most so many services, portals, invitations and knocks each; the window shows the rest.
const LONGEST_GROUP: usize = 10;

/// A menu; equal menus look and act the same.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Menu {
    /// From top to bottom.
    pub entries: Vec<Entry>,
}

/// One line of a menu.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A line between groups.
    Separator,
    /// Something to read or to click.
    Item(Item),
    /// A menu of its own.
    Submenu {
        /// What it is called.
        label: String,
        /// What is in it.
        entries: Vec<Entry>,
    },
}

/// Something to read or to click.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Plain text, not escaped.
    pub label: String,
    /// What a click means; without one the item is only to read.
    pub click: Option<Click>,
    /// Whether it has a check mark, if it can have one.
    pub checked: Option<bool>,
}

impl Menu {
    pub(super) fn of(shown: Shown<'_>, status: &str) -> Self {
        let mut menu = Self::default();
        menu.read(status);
        match shown {
            Shown::Starting => {}
            Shown::Failed(_) => menu.click("Try again", Click::Retry),
            Shown::Running(snapshot) => menu.running(snapshot),
        }
        menu.separate();
        match shown {
            Shown::Running(snapshot) if snapshot.me.is_some() => {
                menu.click("Share a service…", Click::Show(View::Share));
                menu.check("Pause everything", snapshot.paused, Request::PauseAll { on: !snapshot.paused });
                menu.click("Settings…", Click::Show(View::Settings));
            }
            _ => menu.click("Open Postern", Click::Show(View::Home)),
        }
        menu.separate();
        menu.click("Quit Postern", Click::Quit);
        menu
    }

    fn running(&mut self, snapshot: &Snapshot) {
        self.click("Open Postern", Click::Show(View::Home));
        if snapshot.me.is_none() {
            self.entries.pop();
            return;
        }
        self.separate();
        let waiting = snapshot.invitations.iter().filter(|invitation| invitation.state == ReceivedState::New);
        self.group(waiting, View::Invitations, invitation);
        self.group(snapshot.knocks.iter(), View::Invitations, knock);
        self.separate();
        self.group(snapshot.services.iter(), View::Home, service);
        self.separate();
        self.group(snapshot.inlets.iter(), View::Home, portal);
    }

    fn group<'a, T: 'a>(&mut self, things: impl Iterator<Item = &'a T>, rest: View, entry: impl Fn(&T) -> Entry) {
        let mut left = 0_usize;
        for (number, thing) in things.enumerate() {
            match number < LONGEST_GROUP {
                true => self.entries.push(entry(thing)),
                false => left += 1,
            }
        }
        if left > 0 {
            self.click(&format!("{left} more…"), Click::Show(rest));
        }
    }

    fn read(&mut self, label: &str) {
        self.entries.push(Entry::Item(Item { label: label.into(), click: None, checked: None }));
    }

    fn click(&mut self, label: &str, click: Click) {
        self.entries.push(action(label, click));
    }

    fn check(&mut self, label: &str, checked: bool, request: Request) {
        self.entries.push(toggle(label, checked, request));
    }

    /// Never first, never twice.
    fn separate(&mut self) {
        if !matches!(self.entries.last(), None | Some(Entry::Separator)) {
            self.entries.push(Entry::Separator);
        }
    }
}

/// What there is to say, in one line.
pub(super) fn status(shown: Shown<'_>) -> String {
    let snapshot = match shown {
        Shown::Starting => return "Starting…".into(),
        Shown::Failed(fault) => return format!("Not running: {}", short(fault)),
        Shown::Running(snapshot) => snapshot,
    };
    if snapshot.me.is_none() {
        return "Not set up yet".into();
    }
    match snapshot.status {
        Status::Paused => "Everything is paused".into(),
        Status::Offline => "Offline: nobody can be reached".into(),
        Status::Attention => attention(snapshot),
        Status::Idle | Status::Ready | Status::Live => work(snapshot),
    }
}

fn attention(snapshot: &Snapshot) -> String {
    let waiting = snapshot.invitations.iter().filter(|invitation| invitation.state == ReceivedState::New).count();
    match (snapshot.knocks.len(), waiting, snapshot.troubles.first()) {
        (0, 0, Some(trouble)) => short(trouble).into(),
        (0, 0, None) => work(snapshot),
        (0, 1, _) => "1 invitation waits for you".into(),
        (0, many, _) => format!("{many} invitations wait for you"),
        (1, _, _) => "Somebody asks to be let in".into(),
        (many, _, _) => format!("{many} people ask to be let in"),
    }
}

fn work(snapshot: &Snapshot) -> String {
    let shared = snapshot.services.iter().filter(|service| service.on).count();
    let up = snapshot.inlets.iter().filter(|inlet| matches!(inlet.link, InletLink::Up { .. })).count();
    let live: u32 = snapshot.services.iter().map(|service| service.live).sum::<u32>()
        + snapshot.inlets.iter().map(|inlet| inlet.live).sum::<u32>();
    let mut parts = Vec::new();
    if shared > 0 {
        parts.push(format!("{shared} shared"));
    }
    if up > 0 {
        parts.push(counted(up, "portal"));
    }
    if live > 0 {
        parts.push(format!("{live} connected"));
    }
    match parts.is_empty() {
        true => "Nothing is shared".into(),
        false => parts.join(" · "),
    }
}

fn invitation(invitation: &ReceivedView) -> Entry {
    let id = invitation.id;
    let label = format!("{} invites you to {}", quoted(&invitation.owner_name), quoted(&invitation.service_name));
    let entries = vec![
        action("Accept", Click::Ask(Request::Accept { invitation: id, port: None })),
        action("Decline", Click::Ask(Request::Decline { invitation: id })),
        action("Look at it…", Click::Show(View::Invitation(id))),
    ];
    Entry::Submenu { label, entries }
}

fn knock(knock: &KnockView) -> Entry {
    let answer = |answer| Click::Ask(Request::AnswerKnock { invitation: knock.invitation, answer });
    let entries = vec![
        action("Allow once", answer(KnockAnswer::Once)),
        action("Always allow", answer(KnockAnswer::Always)),
        action("Deny", answer(KnockAnswer::Deny)),
    ];
    Entry::Submenu { label: format!("{} asks for {}", quoted(&knock.name), quoted(&knock.service_name)), entries }
}

fn service(service: &ServiceView) -> Entry {
    let state = match (&service.health, service.live) {
        (_, _) if !service.on => "",
        (Health::Down { .. }, _) => " (does not answer)",
        (_, 0) => "",
        (_, _) => " (in use)",
    };
    let request = Request::SetService { service: service.id, on: !service.on };
    toggle(&format!("Share {}{state}", quoted(&service.name)), service.on, request)
}

fn portal(inlet: &InletView) -> Entry {
    let state = match &inlet.link {
        InletLink::Off => "off",
        InletLink::Connecting => "connecting",
        InletLink::Up { .. } => "up",
        InletLink::Down { fault, .. } => short(fault),
    };
    let label = format!("{} from {}: {state}", quoted(&inlet.name), quoted(&inlet.owner_name));
    let mut entries = vec![toggle("On", inlet.on, Request::SetInlet { inlet: inlet.id, on: !inlet.on })];
    if let Some(url) = &inlet.url {
        entries.push(action("Open in the browser", Click::OpenUrl(url.clone())));
    }
    entries.push(action(&format!("Copy address {}", inlet.address), Click::Copy(inlet.address.clone())));
    Entry::Submenu { label, entries }
}

fn action(label: &str, click: Click) -> Entry {
    Entry::Item(Item { label: label.into(), click: Some(click), checked: None })
}

fn toggle(label: &str, checked: bool, request: Request) -> Entry {
    Entry::Item(Item { label: label.into(), click: Some(Click::Ask(request)), checked: Some(checked) })
}

fn quoted(name: &str) -> String {
    format!("“{}”", plain(name, MENU_NAME))
}

fn counted(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

/// Why, in the few words that a menu has room for.
fn short(fault: &Fault) -> &'static str {
    match fault.code {
        Code::PortTaken => "its port is taken",
        Code::Expired => "expired",
        Code::Revoked => "taken back",
        Code::Denied => "denied",
        Code::Asked => "its owner is being asked",
        Code::PausedByOwner => "paused by its owner",
        Code::Paused => "paused",
        Code::ServiceClosed => "no longer shared",
        Code::ServiceDown => "the service does not answer",
        Code::OwnerOffline => "its owner is offline",
        Code::HubUnreachable => "the hub cannot be reached",
        Code::NoWayIn => "nobody can reach you yet",
        Code::NotTrusted => "somebody else answers",
        Code::KeyChanged => "a key has changed",
        Code::Blocked => "blocked",
        Code::KeychainLocked => "the keychain is locked",
        Code::KeychainMissing => "there is no keychain",
        Code::KeychainFailed => "the keychain failed",
        Code::WrongPassphrase => "wrong passphrase",
        Code::InUse => "another Postern uses the data",
        Code::NewerData => "the data is from a newer Postern",
        Code::DamagedData => "the data was damaged",
        Code::Storage => "the disk failed",
        _ => "see the window",
    }
}

#[cfg(test)]
mod tests;
