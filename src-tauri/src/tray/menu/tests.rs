use postern_engine::api::{InletId, InvitationId, Me, PathKind, ServiceId, ServiceKind, UnixMillis};

use super::*;
use crate::tray::{Icon, Tray};

/// A menu as text: `[x]` and `[ ]` are check items, disabled items are in parentheses.
fn render(menu: &Menu) -> String {
    fn render_entries(entries: &[Entry], depth: usize, text: &mut String) {
        for entry in entries {
            text.push_str(&"  ".repeat(depth));
            match entry {
                Entry::Separator => text.push('-'),
                Entry::Submenu { label, .. } => text.push_str(&format!("{label} >")),
                Entry::Item(Item { label, action: None, .. }) => text.push_str(&format!("({label})")),
                Entry::Item(Item { label, checked, .. }) => {
                    text.push_str(match checked {
                        None => "",
                        Some(true) => "[x] ",
                        Some(false) => "[ ] ",
                    });
                    text.push_str(label);
                }
            }
            text.push('\n');
            if let Entry::Submenu { entries, .. } = entry {
                render_entries(entries, depth + 1, text);
            }
        }
    }
    let mut text = String::new();
    render_entries(&menu.entries, 0, &mut text);
    text
}

/// The action of the item with this label.
fn action_of<'a>(entries: &'a [Entry], label: &str) -> Option<&'a TrayAction> {
    entries.iter().find_map(|entry| match entry {
        Entry::Item(item) if item.label == label => item.action.as_ref(),
        Entry::Submenu { entries, .. } => action_of(entries, label),
        _ => None,
    })
}

fn me() -> Option<Me> {
    let identifier = "I".to_owned() + &"0a".repeat(32);
    Some(Me { identifier: identifier.parse().unwrap(), name: "Ann".into(), words: None })
}

fn shared(name: &str, on: bool) -> ServiceView {
    ServiceView {
        id: ServiceId([1; 16]),
        name: name.into(),
        kind: ServiceKind::Http,
        target: "127.0.0.1:8000".into(),
        path: None,
        description: None,
        warning: None,
        on,
        health: Health::Up,
        people: Vec::new(),
        invitations: Vec::new(),
        live: 0,
        created: UnixMillis(0),
    }
}

fn reached(name: &str, link: InletLink, url: Option<&str>) -> InletView {
    InletView {
        id: InletId([2; 16]),
        owner: me().unwrap().identifier,
        owner_name: "Bob".into(),
        owner_verified: false,
        name: name.into(),
        service_name: name.into(),
        kind: ServiceKind::Tcp,
        description: None,
        port: 5432,
        address: "127.0.0.1:5432".into(),
        url: url.map(Into::into),
        host: None,
        checked: false,
        on: link != InletLink::Off,
        link,
        live: 0,
        expires: None,
        invitation: None,
    }
}

fn up() -> InletLink {
    InletLink::Up { way: PathKind::Hub { address: "hub:1".into() }, round_trip_ms: Some(20) }
}

fn down(code: Code) -> InletLink {
    InletLink::Down { fault: Fault::new(code, "why"), since: UnixMillis(0) }
}

fn received(owner: &str, service: &str) -> ReceivedView {
    ReceivedView {
        id: InvitationId([5; 16]),
        owner: me().unwrap().identifier,
        owner_name: owner.into(),
        owner_known: false,
        owner_verified: false,
        words: "a b c".into(),
        looks_like: None,
        service_name: service.into(),
        kind: ServiceKind::Tcp,
        description: None,
        port: 5432,
        expires: UnixMillis(0),
        state: ReceivedState::New,
    }
}

fn knocking(name: &str) -> KnockView {
    KnockView {
        invitation: InvitationId([6; 16]),
        person: me().unwrap().identifier,
        name: name.into(),
        words: "a b c".into(),
        looks_like: None,
        verified: false,
        service: ServiceId([1; 16]),
        service_name: "Notes".into(),
        at: UnixMillis(0),
    }
}

#[test]
fn while_the_engine_starts() {
    let tray = Tray::of(EngineViewState::Starting);
    assert_eq!(render(&tray.menu), "(Starting…)\n-\nOpen Postern\n-\nQuit Postern\n");
    assert_eq!((tray.icon, tray.tooltip.as_str()), (Icon::Idle, "Postern: Starting…"));

    let tray = Tray::of(EngineViewState::Running(&Snapshot::default()));
    assert_eq!(render(&tray.menu), "(Not set up yet)\n-\nOpen Postern\n-\nQuit Postern\n");
}

#[test]
fn when_the_engine_failed_to_start() {
    let tray = Tray::of(EngineViewState::Failed(&Fault::new(Code::KeychainLocked, "Unlock it.")));
    let menu = "(Not running: keychain locked)\nTry again\n-\nOpen Postern\n-\nQuit Postern\n";
    assert_eq!(render(&tray.menu), menu);
    assert_eq!(tray.icon, Icon::Attention);
}

#[test]
fn with_nothing_shared() {
    let tray = Tray::of(EngineViewState::Running(&Snapshot { me: me(), ..Snapshot::default() }));
    let menu = "\
(Nothing shared yet)
Open Postern
-
Share a service…
Pause everything
Settings…
-
Quit Postern
";
    assert_eq!(render(&tray.menu), menu);
}

#[test]
fn all_groups_together() {
    let busy = ServiceView { live: 2, ..shared("Notes", true) };
    let fault = Fault::new(Code::ServiceDown, "Nothing listens.");
    let broken = ServiceView { health: Health::Down { fault, since: UnixMillis(0) }, ..shared("Site", true) };
    let snapshot = Snapshot {
        me: me(),
        status: Status::Attention,
        services: vec![busy, broken, shared("Old", false)],
        inlets: vec![
            reached("Lab", up(), Some("http://127.0.0.1:5432/lab")),
            reached("Database", down(Code::OwnerOffline), None),
            reached("Shell", InletLink::Off, None),
        ],
        invitations: vec![received("Carol", "Wiki")],
        knocks: vec![knocking("Dave")],
        ..Snapshot::default()
    };
    let tray = Tray::of(EngineViewState::Running(&snapshot));
    let menu = "\
(1 service and 1 portal down · 1 person asks for access)
Open Postern
-
“Carol” invites you to “Wiki” >
  Accept
  Decline
  Show invitation…
“Dave” asks for access to “Notes” >
  Allow once
  Deny
  Compare words…
-
[x] Share “Notes” (in use)
[x] Share “Site” (not responding)
[ ] Share “Old”
-
“Lab” from “Bob”: up >
  [x] On
  Open in browser
  Copy address 127.0.0.1:5432
“Database” from “Bob”: owner offline >
  [x] On
  Copy address 127.0.0.1:5432
“Shell” from “Bob”: off >
  [ ] On
  Copy address 127.0.0.1:5432
-
Share a service…
Pause everything
Settings…
-
Quit Postern
";
    assert_eq!(render(&tray.menu), menu);
    assert_eq!(tray.icon, Icon::Attention);

    let entries = &tray.menu.entries;
    let invitation = InvitationId([5; 16]);
    let expected = [
        ("Accept", TrayAction::Request(Request::Accept { invitation, port: None })),
        ("Decline", TrayAction::Request(Request::Decline { invitation })),
        ("Show invitation…", TrayAction::Show(View::Invitation(invitation))),
        (
            "Allow once",
            TrayAction::Request(Request::AnswerKnock { invitation: InvitationId([6; 16]), answer: KnockAnswer::Once }),
        ),
        ("Share “Old”", TrayAction::Request(Request::SetService { service: ServiceId([1; 16]), on: true })),
        ("On", TrayAction::Request(Request::SetInlet { inlet: InletId([2; 16]), on: false })),
        ("Open in browser", TrayAction::OpenUrl("http://127.0.0.1:5432/lab".into())),
        ("Copy address 127.0.0.1:5432", TrayAction::Copy("127.0.0.1:5432".into())),
        ("Pause everything", TrayAction::Request(Request::PauseAll { on: true })),
        ("Share a service…", TrayAction::Show(View::Share)),
        ("Quit Postern", TrayAction::Quit),
    ];
    for (label, expected_action) in expected {
        assert_eq!(action_of(entries, label), Some(&expected_action), "{label}");
    }
}

#[test]
fn paused_is_shown_and_can_be_resumed() {
    let snapshot = Snapshot { me: me(), status: Status::Paused, paused: true, ..Snapshot::default() };
    let tray = Tray::of(EngineViewState::Running(&snapshot));
    assert_eq!((tray.icon, tray.tooltip.as_str()), (Icon::Paused, "Postern: Everything is paused"));
    let resume = TrayAction::Request(Request::PauseAll { on: false });
    assert_eq!(action_of(&tray.menu.entries, "Resume everything"), Some(&resume));
}

#[test]
fn the_status_line_counts() {
    let busy = ServiceView { live: 2, ..shared("Notes", true) };
    let mut snapshot = Snapshot {
        me: me(),
        status: Status::Live,
        services: vec![busy, shared("Old", false)],
        inlets: vec![reached("Lab", up(), None), reached("Database", up(), None)],
        ..Snapshot::default()
    };
    assert_eq!(status_line(EngineViewState::Running(&snapshot)), "1 service shared · 2 portals up · 2 connections");
    snapshot.status = Status::Attention;
    snapshot.invitations = vec![received("Carol", "Wiki"), received("Carol", "Wiki")];
    assert_eq!(status_line(EngineViewState::Running(&snapshot)), "2 new invitations");
    snapshot.invitations.clear();
    snapshot.troubles = vec![Fault::new(Code::NoWayIn, "…")];
    assert_eq!(status_line(EngineViewState::Running(&snapshot)), "not reachable by others");
    snapshot.status = Status::Offline;
    assert_eq!(status_line(EngineViewState::Running(&snapshot)), "Offline");
}

#[test]
fn access_that_has_ended_is_no_problem_and_can_only_be_removed() {
    let mut snapshot = Snapshot { me: me(), status: Status::Attention, ..Snapshot::default() };
    for code in [Code::Revoked, Code::Expired, Code::ServiceClosed, Code::Blocked, Code::Denied] {
        snapshot.inlets = vec![reached("Lab", down(code), None), reached("Database", down(Code::PortTaken), None)];
        let tray = Tray::of(EngineViewState::Running(&snapshot));
        assert_eq!(tray.tooltip, "Postern: 1 portal down", "{code:?}");
        let remove = TrayAction::Request(Request::RemoveInlet { inlet: InletId([2; 16]) });
        assert_eq!(action_of(&tray.menu.entries, "Remove"), Some(&remove), "{code:?}");
    }
    snapshot.inlets = vec![reached("Lab", down(Code::PausedByOwner), None)];
    assert_eq!(status_line(EngineViewState::Running(&snapshot)), "Nothing shared yet");
}

#[test]
fn names_from_peers_are_sanitized() {
    let long = "x".repeat(10_000);
    let names = [long.as_str(), "שלום", "👩‍💻", "<b>&_x</b>\n\u{202e}Quit Postern"];
    let snapshot = Snapshot {
        me: me(),
        invitations: names.iter().map(|name| received(name, "Wiki")).collect(),
        ..Snapshot::default()
    };
    let menu = render(&Tray::of(EngineViewState::Running(&snapshot)).menu);
    let lines: Vec<_> = menu.lines().filter(|line| line.contains("invites")).collect();
    assert_eq!(
        lines,
        [
            format!("“{}…” invites you to “Wiki” >", "x".repeat(31)),
            "“\u{2068}שלום\u{2069}” invites you to “Wiki” >".into(),
            "“👩‍💻” invites you to “Wiki” >".into(),
            "“<b>&_x</b> Quit Postern” invites you to “Wiki” >".into(),
        ]
    );
}

#[test]
fn five_hundred_services_make_a_bounded_menu() {
    let snapshot = Snapshot {
        me: me(),
        services: (0..500).map(|number| shared(&format!("Service {number}"), true)).collect(),
        inlets: (0..500).map(|number| reached(&format!("Portal {number}"), up(), None)).collect(),
        ..Snapshot::default()
    };
    let tray = Tray::of(EngineViewState::Running(&snapshot));
    assert!(tray.menu.entries.len() < 35, "{}", tray.menu.entries.len());
    assert_eq!(action_of(&tray.menu.entries, "490 more…"), Some(&TrayAction::Show(View::Home)));
}
