//! The tray's menu: a pure function of the engine's state.

use postern_engine::api::{
    Code, Fault, Health, InletLink, InletView, KnockAnswer, KnockView, ReceivedState, ReceivedView, Request,
    ServiceView, Snapshot, Status,
};

use super::{EngineViewState, TrayAction};
use crate::desktop_integration::View;
use crate::untrusted_text::{MAX_MENU_NAME, sanitize_line};

/// The most services, portals, invitations and knocks in the menu, each: four full groups fit on a screen of 1080
/// pixels. The window shows the rest.
const MAX_GROUP_ITEMS: usize = 10;

/// A menu; equal menus look and act the same.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Menu {
    /// From top to bottom.
    pub entries: Vec<Entry>,
}

/// An entry of a menu.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A separator between groups.
    Separator,
    /// An item.
    Item(Item),
    /// A submenu.
    Submenu {
        /// Its text: plain, not escaped.
        label: String,
        /// Its entries.
        entries: Vec<Entry>,
    },
}

/// An item that can be clicked, or a line of text.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Plain text, not escaped.
    pub label: String,
    /// What a click does; an item without an action is disabled.
    pub action: Option<TrayAction>,
    /// Whether it is checked; nothing if it is not a check item.
    pub checked: Option<bool>,
}

impl Menu {
    pub(super) fn of(state: EngineViewState<'_>, status: &str) -> Self {
        let mut menu = Self::default();
        menu.label(status);
        match state {
            EngineViewState::Starting => {}
            EngineViewState::Failed(_) => menu.item("Try again", TrayAction::RetryStart),
            EngineViewState::Running(snapshot) => menu.add_engine_entries(snapshot),
        }
        menu.separator();
        match state {
            EngineViewState::Running(snapshot) if snapshot.me.is_some() => {
                menu.item("Share a service…", TrayAction::Show(View::Share));
                let pause = if snapshot.paused { "Resume everything" } else { "Pause everything" };
                menu.item(pause, TrayAction::Request(Request::PauseAll { on: !snapshot.paused }));
                menu.item("Settings…", TrayAction::Show(View::Settings));
            }
            _ => menu.item("Open Postern", TrayAction::Show(View::Home)),
        }
        menu.separator();
        menu.item("Quit Postern", TrayAction::Quit);
        menu
    }

    fn add_engine_entries(&mut self, snapshot: &Snapshot) {
        self.item("Open Postern", TrayAction::Show(View::Home));
        if snapshot.me.is_none() {
            self.entries.pop();
            return;
        }
        self.separator();
        let waiting = snapshot.invitations.iter().filter(|invitation| invitation.state == ReceivedState::New);
        self.group(waiting, View::Invitations, invitation_entry);
        self.group(snapshot.knocks.iter(), View::Invitations, knock_entry);
        self.separator();
        self.group(snapshot.services.iter(), View::Home, service_entry);
        self.separator();
        self.group(snapshot.inlets.iter(), View::Home, portal_entry);
    }

    fn group<'a, T: 'a>(
        &mut self,
        things: impl Iterator<Item = &'a T>,
        overflow_view: View,
        entry: impl Fn(&T) -> Entry,
    ) {
        let mut hidden = 0_usize;
        for (number, thing) in things.enumerate() {
            match number < MAX_GROUP_ITEMS {
                true => self.entries.push(entry(thing)),
                false => hidden += 1,
            }
        }
        if hidden > 0 {
            self.item(&format!("{hidden} more…"), TrayAction::Show(overflow_view));
        }
    }

    fn label(&mut self, label: &str) {
        self.entries.push(Entry::Item(Item { label: label.into(), action: None, checked: None }));
    }

    fn item(&mut self, label: &str, action: TrayAction) {
        self.entries.push(item(label, action));
    }

    /// Adds a separator, but never as the first entry or after another one.
    fn separator(&mut self) {
        if !matches!(self.entries.last(), None | Some(Entry::Separator)) {
            self.entries.push(Entry::Separator);
        }
    }
}

/// The overall status in one line.
pub(super) fn status_line(state: EngineViewState<'_>) -> String {
    let snapshot = match state {
        EngineViewState::Starting => return "Starting…".into(),
        EngineViewState::Failed(fault) => return format!("Not running: {}", fault_summary(fault)),
        EngineViewState::Running(snapshot) => snapshot,
    };
    if snapshot.me.is_none() {
        return "Not set up yet".into();
    }
    match snapshot.status {
        Status::Paused => "Everything is paused".into(),
        Status::Offline => "Offline".into(),
        Status::Attention => attention_text(snapshot),
        Status::Idle | Status::Ready | Status::Live => activity_text(snapshot),
    }
}

/// What is wrong, with how many it concerns, then what waits for an answer.
fn attention_text(snapshot: &Snapshot) -> String {
    let waiting = snapshot.invitations.iter().filter(|invitation| invitation.state == ReceivedState::New).count();
    let requests = match (snapshot.knocks.len(), waiting) {
        (0, 0) => None,
        (0, many) => Some(count(many, "new invitation")),
        (1, _) => Some("1 person asks for access".to_owned()),
        (many, _) => Some(format!("{many} people ask for access")),
    };
    let trouble = snapshot.troubles.first().map(|trouble| fault_summary(trouble).to_owned());
    let parts: Vec<String> = trouble.into_iter().chain(problem_text(snapshot)).chain(requests).collect();
    match parts.is_empty() {
        true => activity_text(snapshot),
        false => parts.join(" · "),
    }
}

/// What should work and does not: `1 service and 2 portals down`; nothing while all works.
fn problem_text(snapshot: &Snapshot) -> Option<String> {
    let services = snapshot.services.iter().filter(|service| service.is_failing()).count();
    let portals = snapshot.inlets.iter().filter(|inlet| inlet.is_failing()).count();
    let counts = [(services, "service"), (portals, "portal")];
    let parts: Vec<_> =
        counts.into_iter().filter(|(number, _)| *number > 0).map(|(it, what)| count(it, what)).collect();
    (!parts.is_empty() && !snapshot.paused).then(|| format!("{} down", parts.join(" and ")))
}

fn activity_text(snapshot: &Snapshot) -> String {
    let shared = snapshot.services.iter().filter(|service| service.on).count();
    let up = snapshot.inlets.iter().filter(|inlet| matches!(inlet.link, InletLink::Up { .. })).count();
    let live: u32 = snapshot.services.iter().map(|service| service.live).sum::<u32>()
        + snapshot.inlets.iter().map(|inlet| inlet.live).sum::<u32>();
    let mut parts = Vec::new();
    if shared > 0 {
        parts.push(format!("{} shared", count(shared, "service")));
    }
    if up > 0 {
        parts.push(format!("{} up", count(up, "portal")));
    }
    if live > 0 {
        parts.push(count(live as usize, "connection"));
    }
    match parts.is_empty() {
        true => "Nothing shared yet".into(),
        false => parts.join(" · "),
    }
}

fn invitation_entry(invitation: &ReceivedView) -> Entry {
    let id = invitation.id;
    let label =
        format!("{} invites you to {}", quoted_name(&invitation.owner_name), quoted_name(&invitation.service_name));
    let entries = vec![
        item("Accept", TrayAction::Request(Request::Accept { invitation: id, port: None })),
        item("Decline", TrayAction::Request(Request::Decline { invitation: id })),
        item("Show invitation…", TrayAction::Show(View::Invitation(id))),
    ];
    Entry::Submenu { label, entries }
}

fn knock_entry(knock: &KnockView) -> Entry {
    let answer = |answer| TrayAction::Request(Request::AnswerKnock { invitation: knock.invitation, answer });
    let mut entries = vec![item("Allow once", answer(KnockAnswer::Once))];
    // Of anybody else the words come first, which the window shows.
    if knock.verified {
        entries.push(item("Always allow", answer(KnockAnswer::Always)));
    }
    entries
        .extend([item("Deny", answer(KnockAnswer::Deny)), item("Compare words…", TrayAction::Show(View::Invitations))]);
    let known = if knock.looks_like.is_some() { " (not the one you know)" } else { "" };
    Entry::Submenu {
        label: format!("{}{known} asks for access to {}", quoted_name(&knock.name), quoted_name(&knock.service_name)),
        entries,
    }
}

fn service_entry(service: &ServiceView) -> Entry {
    let state = match (&service.health, service.live) {
        (_, _) if !service.on => "",
        (Health::Down { .. }, _) => " (not responding)",
        (_, 0) => "",
        (_, _) => " (in use)",
    };
    let request = Request::SetService { service: service.id, on: !service.on };
    toggle(&format!("Share {}{state}", quoted_name(&service.name)), service.on, request)
}

fn portal_entry(inlet: &InletView) -> Entry {
    let state = match &inlet.link {
        InletLink::Off => "off",
        InletLink::Connecting => "connecting",
        InletLink::Up { .. } => "up",
        InletLink::Down { fault, .. } => fault_summary(fault),
    };
    let label = format!("{} from {}: {state}", quoted_name(&inlet.name), quoted_name(&inlet.owner_name));
    // Access that has ended cannot be switched on again, only removed.
    let mut entries = vec![match inlet.is_ended() {
        true => item("Remove", TrayAction::Request(Request::RemoveInlet { inlet: inlet.id })),
        false => toggle("On", inlet.on, Request::SetInlet { inlet: inlet.id, on: !inlet.on }),
    }];
    if let Some(url) = &inlet.url {
        entries.push(item("Open in browser", TrayAction::OpenUrl(url.clone())));
    }
    // Of a web portal the address with its own host name, which keeps its cookies from other portals.
    let address = inlet.host.as_ref().and(inlet.url.as_ref()).unwrap_or(&inlet.address);
    entries.push(item(&format!("Copy address {address}"), TrayAction::Copy(address.clone())));
    Entry::Submenu { label, entries }
}

fn item(label: &str, action: TrayAction) -> Entry {
    Entry::Item(Item { label: label.into(), action: Some(action), checked: None })
}

fn toggle(label: &str, checked: bool, request: Request) -> Entry {
    Entry::Item(Item { label: label.into(), action: Some(TrayAction::Request(request)), checked: Some(checked) })
}

fn quoted_name(name: &str) -> String {
    format!("“{}”", sanitize_line(name, MAX_MENU_NAME))
}

fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

/// The fault in a few words.
fn fault_summary(fault: &Fault) -> &'static str {
    match fault.code {
        Code::PortTaken => "port in use",
        Code::Expired => "access expired",
        Code::Revoked => "access ended",
        Code::Denied => "refused",
        Code::Asked => "waiting for approval",
        Code::PausedByOwner => "paused by its owner",
        Code::Paused => "paused",
        Code::ServiceClosed => "no longer shared",
        Code::ServiceDown => "service not responding",
        Code::OwnerOffline => "owner offline",
        Code::HubUnreachable => "hub unreachable",
        Code::NoWayIn => "not reachable by others",
        Code::NotTrusted => "identity does not match",
        Code::ClockSkew => "clocks differ",
        Code::KeyChanged => "key changed",
        Code::Blocked => "blocked",
        Code::KeychainLocked => "keychain locked",
        Code::KeychainMissing => "no keychain",
        Code::KeychainFailed => "keychain error",
        Code::WrongPassphrase => "wrong passphrase",
        Code::InUse => "data in use by another instance",
        Code::NewerData => "data of a newer version",
        Code::DamagedData => "data damaged",
        Code::Storage => "disk error",
        _ => "see the window",
    }
}

#[cfg(test)]
mod tests;
