//! Two people, each with a desktop and the real app, and a hub between them.

use std::net::SocketAddr;

use postern_desktop_tests::DesktopUser;
use postern_engine::api::{
    Answer, Code, GrantState, InletLink, InvitationId, InviteTo, LinkState, Request, ServiceId, ServiceKind, Snapshot,
    Status, Terms,
};
use postern_testkit::port::free_port;
use postern_testkit::{Hub, Service, client};
use postern_testkit::{TIMEOUT, eventually_async};

/// Ann shares her page with Ben; nobody has accepted anything yet.
struct Story {
    ann: DesktopUser,
    ben: DesktopUser,
    hub: Hub,
    page: Service,
    service: ServiceId,
}

impl Story {
    async fn begin() -> Self {
        let (hub, page) = (Hub::start(), Service::http());
        let address = hub.address().to_string();
        let (ann, ben) = tokio::join!(DesktopUser::set_up("Ann", &address), DesktopUser::set_up("Ben", &address));
        let service = share(&ann, "Notes", page.address()).await;
        Self { ann, ben, hub, page, service }
    }

    /// And Ben has it on his localhost.
    async fn joined() -> Self {
        let story = Self::begin().await;
        let link = story.link().await;
        let opened = story.ben.request(Request::Open { link: postern_engine::api::Secret::new(link) }).await.unwrap();
        let Answer::Preview { preview } = opened else { panic!("{opened:?} is no preview") };
        // Both are on one machine, so the owner's own port is taken.
        let accept = Request::Accept { invitation: preview.invitation, port: Some(free_port()) };
        story.ben.request(accept).await.unwrap();
        story.reaches().await;
        story
    }

    /// A link that Ann hands over.
    async fn link(&self) -> String {
        invite(&self.ann, self.service, InviteTo::Link { note: None }).await.1.expect("a link")
    }

    /// Waits until Ben's portal is up, and fetches Ann's page through it.
    async fn reaches(&self) -> SocketAddr {
        let address = self.ben.wait_for("the portal to be up", portal_address).await;
        fetch(address).await;
        address
    }
}

fn portal_address(snapshot: &Snapshot) -> Option<SocketAddr> {
    let up = snapshot.inlets.iter().find(|inlet| matches!(inlet.link, InletLink::Up { .. }))?;
    up.address.parse().ok()
}

fn portal_fault(snapshot: &Snapshot) -> Option<Code> {
    snapshot.inlets.iter().find_map(|inlet| match &inlet.link {
        InletLink::Down { fault, .. } => Some(fault.code),
        _ => None,
    })
}

async fn fetch(address: SocketAddr) {
    eventually_async("the page through the portal", TIMEOUT, || async {
        let asked = tokio::task::spawn_blocking(move || client::ask(address, b"GET / HTTP/1.0\r\n\r\n"));
        let answer = asked.await.unwrap().ok()?;
        // A portal that cannot be used answers with 503.
        (answer.starts_with(b"HTTP/1") && !answer.starts_with(b"HTTP/1.1 503")).then_some(())
    })
    .await;
}

async fn share(person: &DesktopUser, name: &str, target: SocketAddr) -> ServiceId {
    let share = Request::Share {
        name: name.into(),
        kind: ServiceKind::Http,
        target: target.to_string(),
        path: None,
        description: None,
    };
    match person.request(share).await.unwrap() {
        Answer::Service { service } => service,
        other => panic!("{other:?} is no service"),
    }
}

async fn invite(person: &DesktopUser, service: ServiceId, to: InviteTo) -> (InvitationId, Option<String>) {
    let invite = Request::Invite { service, to, ask_first: false, valid_for: None, terms: Terms::default() };
    match person.request(invite).await.unwrap() {
        Answer::Invitation { invitation, link } => (invitation, link.map(|link| link.reveal().to_owned())),
        other => panic!("{other:?} is no invitation"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn first_run_share_and_join_through_the_windows() {
    let (hub, page) = (Hub::start(), Service::http());
    let (mut ann, mut ben) = tokio::join!(DesktopUser::new(), DesktopUser::new());
    ann.start(&[]);
    let window = ann.page().await;
    first_run(&window, "Ann", &hub).await;
    ann.tray.line("Share a service…", |line| line.enabled).await;

    window.click("[data-testid=share-first], [data-testid=share]").await;
    window.fill("[data-testid=share-target]", &page.address().to_string()).await;
    window.click("[data-testid=share-next]").await;
    window.fill("[data-testid=share-name]", "Notes & <b>more</b>").await;
    window.click("[data-testid=share-submit]").await;
    window.click("[data-testid=invite-submit]").await;
    window.click("[data-testid=show-qr]").await;
    window.wait_for("[data-testid=qr]").await;
    let link = eventually_async("the link", TIMEOUT, || async {
        let found = window.evaluate("return document.querySelector('[data-testid=link]')?.value").await?;
        found.as_str().map(str::trim).filter(|link| link.starts_with("postern://join/")).map(String::from)
    })
    .await;
    ann.tray.line("Share “Notes & <b>more</b>”", |line| line.checked == Some(true)).await;

    // What her window shows is not notified too, so she closes it.
    ann.desktop.close_window("Postern");
    eventually_async("Ann's window to be gone", TIMEOUT, || async { (!ann.shows_window()).then_some(()) }).await;

    // Ben has never run Postern: the link starts it, waits until he has set up, and is not accepted by itself.
    ben.start(&[&link]);
    let window = ben.page().await;
    first_run(&window, "Ben", &hub).await;
    window.wait_for("[data-testid=invitation]").await;
    assert!(ben.wait_for("his invitation", |snapshot| Some(snapshot.inlets.is_empty())).await);
    window.fill("[data-testid=invitation-port]", &free_port().to_string()).await;
    window.click("[data-testid=accept]").await;
    window.wait_for("[data-testid=joined][data-state=up]").await;
    let text = window.text("[data-testid=joined]").await;
    let address = ben.wait_for("the portal to be up", portal_address).await;
    assert!(text.contains("You’re in") && text.contains(&address.to_string()), "{text}");
    fetch(address).await;
    ben.tray.line_like("“Notes & <b>more</b>” from “Ann”: up").await;
    let joined = ann.notifications.wait_for_notification("Ben joined").await;
    assert_eq!(joined.body, "They now have access to “Notes &amp; &lt;b&gt;more&lt;/b&gt;”.");
}

async fn first_run(window: &postern_desktop_tests::Page, name: &str, hub: &Hub) {
    window.fill("[data-testid=name]", name).await;
    window.click("[data-testid=first-options]").await;
    window.fill("[data-testid=hub]", &hub.address().to_string()).await;
    window.click("[data-testid=finish]").await;
    window.wait_until_gone("[data-testid=first-run]").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_opens_in_the_app_that_runs() {
    let story = Story::begin().await;
    let link = story.link().await;
    let _ = story.ben.start_second(&[&link]).success();
    let window = story.ben.page().await;
    let text = window.text("[data-testid=invitation]").await;
    assert!(text.contains("Notes") && text.contains("Ann"), "{text}");
    window.fill("[data-testid=invitation-port]", &free_port().to_string()).await;
    window.click("[data-testid=accept]").await;
    story.reaches().await;

    let broken = story.ben.start_second(&["postern://join/nonsense"]).success();
    assert!(broken.stderr.is_empty() || !broken.stderr.contains("nonsense"));
    let note = story.ben.notifications.wait_for_notification("This link cannot be used").await;
    window.wait_for("[data-testid=fault][data-code=bad-ticket]").await;
    assert_eq!(window.text("[data-testid=fault]").await, note.body, "the window says it too");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_accepted_from_its_notification() {
    let story = Story::joined().await;
    // They know each other now: the second service needs no link.
    let ben = story.ann.wait_for("Ben", |snapshot| snapshot.contacts.first().map(|contact| contact.identifier));
    let person = ben.await;
    let other = Service::http();
    let second = share(&story.ann, "Wiki", other.address()).await;
    invite(&story.ann, second, InviteTo::Contact { person }).await;
    let note = story.ben.notifications.wait_for_notification("Ann invites you").await;
    assert_eq!(note.body, "Accept to use “Wiki” on this computer.");
    story.ben.notifications.press(&note, "Accept").await;
    // Both are on one machine, so the port that is proposed is taken: the portal is at another.
    story.ben.tray.line_like("“Wiki” from “Ann”: up").await;
    let gone = || async {
        (!story.ben.notifications.all().iter().any(|shown| shown.id == note.id && shown.open)).then_some(())
    };
    eventually_async("the answered notification to be gone", TIMEOUT, gone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_the_moment_in_which_a_notification_is_shown_counts() {
    let story = Story::joined().await;
    let ben = story.ann.wait_for("Ben", |snapshot| snapshot.contacts.first().map(|contact| contact.identifier));
    let person = ben.await;
    let other = Service::http();
    let second = share(&story.ann, "Wiki", other.address()).await;
    // Accept: its place among the buttons is its key.
    story.ben.notifications.answer_next("0");
    invite(&story.ann, second, InviteTo::Contact { person }).await;
    let accepted =
        |snapshot: &Snapshot| snapshot.inlets.iter().find(|inlet| inlet.name == "Wiki").map(|inlet| inlet.id);
    story.ben.wait_for("the new portal", accepted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_knock_is_answered_from_its_notification() {
    let story = Story::begin().await;
    let ask_first = Request::Invite {
        service: story.service,
        to: InviteTo::Link { note: None },
        ask_first: true,
        valid_for: None,
        terms: Terms::default(),
    };
    let Answer::Invitation { link: Some(link), .. } = story.ann.request(ask_first).await.unwrap() else {
        panic!("there is no link");
    };
    let Answer::Preview { preview } = story.ben.request(Request::Open { link }).await.unwrap() else {
        panic!("there is no preview");
    };
    let accept = Request::Accept { invitation: preview.invitation, port: Some(free_port()) };
    story.ben.request(accept).await.unwrap();
    let note = story.ann.notifications.wait_for_notification("Ben asks for access").await;
    let words = note.body.strip_prefix("They want to use “Notes”. Their words: ").expect("the words of who asks");
    assert_eq!(words.split(' ').filter(|word| *word != "·").count(), 8, "{words}");
    // Whoever is not a verified contact is allowed for good in the window only, beside the words.
    let labels: Vec<_> = note.buttons.iter().map(|(_, label)| label.as_str()).collect();
    assert_eq!(labels, ["Open Postern", "Allow once", "Deny"]);
    story.ann.tray.line_like("“Ben” asks for access to “Notes”").await;
    assert!(story.ben.wait_for("his portals", |snapshot| Some(snapshot.inlets.is_empty())).await, "he waits outside");

    story.ann.notifications.press(&note, "Allow once").await;
    story.reaches().await;
    let terms = |snapshot: &Snapshot| Some(snapshot.services.first()?.people.first()?.terms.clone());
    assert!(story.ann.wait_for("Ben inside", terms).await.until_quit, "once is until she quits");
    let gone = || async {
        (!story.ann.notifications.all().iter().any(|shown| shown.id == note.id && shown.open)).then_some(())
    };
    eventually_async("the answered notification to be gone", TIMEOUT, gone).await;
    let asks = |snapshot: &Snapshot| snapshot.knocks.is_empty().then_some(());
    story.ann.wait_for("nobody at the door", asks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_and_links_are_copied() {
    let story = Story::joined().await;
    let port = story.reaches().await.port();
    let address =
        |snapshot: &Snapshot| snapshot.inlets.first().and_then(|inlet| inlet.host.as_ref().and(inlet.url.clone()));
    let address = story.ben.wait_for("the address of his own host name", address).await;
    assert!(address.starts_with("http://notes.ann.localhost:") && address.contains(&port.to_string()), "{address}");
    let in_clipboard = |person: &DesktopUser, text: &str| (person.desktop.clipboard() == text).then_some(());
    story.ben.tray.click("“Notes” from “Ann”", &format!("Copy address {address}")).await;
    eventually_async("the address in the clipboard", TIMEOUT, || async { in_clipboard(&story.ben, &address) }).await;

    // A link, by the window.
    story.ann.tray.click_icon().await;
    let window = story.ann.page().await;
    window.click("[data-testid=service-open]").await;
    window.click("[data-testid=service-invite]").await;
    window.click("[data-testid=invite-submit]").await;
    window.wait_for("[data-testid=link]").await;
    let link = window.evaluate("return document.querySelector('[data-testid=link]').value").await.unwrap();
    let link = link.as_str().unwrap().trim().to_owned();
    assert!(link.starts_with("postern://join/"), "{link}");
    window.click("[data-testid=copy-link]").await;
    eventually_async("the link in the clipboard", TIMEOUT, || async { in_clipboard(&story.ann, &link) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unusual_names_are_shown_as_text() {
    // From right to left, with emoji that are joined and of a colour, markup, and as long as names can be.
    let (arabic, emoji) = ("ليلى", "👩🏽‍🚀🪐");
    let person = format!("{arabic} {emoji} <b>&amp;</b>");
    let service = format!("{arabic} <img src=x onerror=document.title=1> {}", "w".repeat(30));
    let (hub, page) = (Hub::start(), Service::http());
    let address = hub.address().to_string();
    let (ann, ben) = tokio::join!(DesktopUser::set_up(&person, &address), DesktopUser::set_up("Ben", &address));
    let shared = share(&ann, &service, page.address()).await;
    let (_, link) = invite(&ann, shared, InviteTo::Link { note: None }).await;
    let _ = ben.start_second(&[&link.unwrap()]).success();
    let window = ben.page().await;
    let text = window.text("[data-testid=invitation]").await;
    assert!(text.contains(&person) && text.contains(&service), "{text}");
    let markup = "return [document.title, document.querySelectorAll('main img, main b').length, \
                  document.documentElement.scrollWidth <= innerWidth]";
    assert_eq!(window.evaluate(markup).await.unwrap(), serde_json::json!(["Postern", 0, true]));

    // Isolated and cut in the menu, never breaking a line.
    let line = ben.tray.line_like(&format!("“\u{2068}{person}\u{2069}” invites you to “\u{2068}{arabic} <img")).await;
    assert!(line.label.ends_with("…\u{2069}”") && !line.label.contains('\n'), "{}", line.label);
    window.fill("[data-testid=invitation-port]", &free_port().to_string()).await;
    window.click("[data-testid=accept]").await;
    let up = ben.wait_for("the portal to be up", portal_address).await;
    fetch(up).await;
    window.click("[data-testid=nav-home]").await;
    window.wait_for("[data-testid=inlet][data-state=up]").await;
    assert_eq!(window.evaluate(markup).await.unwrap(), serde_json::json!(["Postern", 0, true]));

    // What reads markup in notifications gets none.
    let joined = ann.notifications.wait_for_notification("Ben joined").await;
    assert!(joined.body.contains("&lt;img src=x"), "{}", joined.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tray_and_the_window_show_the_same() {
    let story = Story::joined().await;
    story.ben.tray.click_icon().await;
    let window = story.ben.page().await;
    window.wait_for("[data-testid=inlet][data-on=true][data-state=up]").await;

    story.ben.tray.click("“Notes” from “Ann”", "On").await;
    window.wait_for("[data-testid=inlet][data-on=false]").await;
    story.ben.tray.line_like("“Notes” from “Ann”: off").await;

    window.click("[data-testid=inlet-toggle]").await;
    story.ben.tray.line_like("“Notes” from “Ann”: up").await;
    story.reaches().await;

    // And the owner's side, by the tray alone.
    story.ann.tray.click("", "Share “Notes”").await;
    story.ann.tray.line("Share “Notes”", |line| line.checked == Some(false)).await;
    window.wait_for("[data-testid=inlet][data-state=down]").await;
    story.ann.tray.click("", "Share “Notes”").await;
    window.wait_for("[data-testid=inlet][data-state=up]").await;
    story.reaches().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_cuts_streams_and_notifies_both() {
    let story = Story::joined().await;
    let grant =
        story.ann.wait_for("the grant", |snapshot| Some(snapshot.services.first()?.people.first()?.grant)).await;
    story.ann.request(Request::RevokeGrant { grant }).await.unwrap();
    let code = story.ben.wait_for("the portal to be down", portal_fault).await;
    assert_eq!(code, Code::Revoked);
    story.ben.tray.line_like("“Notes” from “Ann”: access ended").await;
    story.ben.notifications.wait_for_notification("Your access to “Notes” has ended").await;
    let state = |snapshot: &Snapshot| Some(snapshot.services.first()?.people.first()?.state);
    story
        .ann
        .wait_for("the grant revoked", |snapshot| (state(snapshot) != Some(GrantState::Active)).then_some(()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pausing_everything_pauses_both_ways() {
    let story = Story::joined().await;
    story.ann.tray.click("", "Pause everything").await;
    story.ann.tray.line("Everything is paused", |line| !line.enabled).await;
    let status = story.ann.wait_for("the pause", |snapshot| snapshot.paused.then_some(snapshot.status)).await;
    assert_eq!(status, Status::Paused);
    story.ben.wait_for("the portal to be down", portal_fault).await;
    story.ann.tray.click("", "Resume everything").await;
    story.reaches().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_restores_everything() {
    let mut story = Story::joined().await;
    let before = story.reaches().await;
    story.ben.stop();
    story.ann.crash();
    story.ann.start(&["--hidden"]);
    story.ben.start(&["--hidden"]);
    assert_eq!(story.reaches().await, before, "the port is remembered");
    story.ann.tray.line_like("Share “Notes”").await;
    story.ben.tray.line_like("“Notes” from “Ann”: up").await;
    assert!(story.page.accepted() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_reconnect_to_a_restarted_hub() {
    let Story { ann, ben, hub, page, service } = Story::joined().await;
    let address = hub.address();
    drop(hub);
    ben.notifications.wait_for_notification(&format!("Disconnected from {address}")).await;
    ben.tray.line("Offline", |_| true).await;
    let hub = Hub::start_at(address);
    ben.notifications.wait_for_notification(&format!("Reconnected to {address}")).await;
    let story = Story { ann, ben, hub, page, service };
    story.reaches().await;
    let up = |snapshot: &Snapshot| snapshot.hubs.iter().all(|hub| hub.link == LinkState::Up).then_some(());
    story.ann.wait_for("her hub", up).await;
}
