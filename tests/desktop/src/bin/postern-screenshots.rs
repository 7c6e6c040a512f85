//! Pictures of the real app, light and dark, into `docs/screenshots`: two people, a hub, and what they do.
//! Started by `cargo xtask screenshots`.

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("Pictures of the app are made on Linux only.");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::io;
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use postern_desktop_tests::{DesktopUser, Keyring, Page};
    use postern_engine::api::{
        Answer, InletLink, InvitationId, InviteTo, Request, Secret, ServiceId, ServiceKind, Snapshot, Terms,
    };
    use postern_testkit::port::free_port;
    use postern_testkit::{Hub, Service, client};
    use postern_testkit::{TIMEOUT, eventually_async};

    /// How long a picture must stay the same: a new window shows what it shows at first for longer than a second.
    const STILL: Duration = Duration::from_millis(1500);
    /// What Ann shares.
    const SHARED: [(&str, ServiceKind); 2] = [("Field notes", ServiceKind::Http), ("Measurements", ServiceKind::Tcp)];

    pub(super) fn main() -> io::Result<()> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/screenshots");
        fs::create_dir_all(&directory)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        for (shade, theme) in [("light", "Adwaita"), ("dark", "Adwaita:dark")] {
            let album = Album { directory: directory.clone(), shade, theme };
            runtime.block_on(async {
                album.two_people().await;
                album.strangers().await;
                album.locked_out().await;
            });
        }
        Ok(())
    }

    struct Album {
        directory: PathBuf,
        shade: &'static str,
        theme: &'static str,
    }

    impl Album {
        /// Ann shares with Ben, from the first run on.
        async fn two_people(&self) {
            let (hub, site, lab) = (Hub::start(), Service::http(), Service::echo());
            let mut ann = self.person(Keyring::Unlocked).await;
            ann.start(&[]);
            let window = ann.page().await;
            window.wait_for("[data-testid=first-run]").await;
            self.take(&ann, &window, "first-run").await;
            window.fill("[data-testid=name]", "Ann").await;
            window.click("[data-testid=first-options]").await;
            window.fill("[data-testid=hub]", &hub.address().to_string()).await;
            self.take(&ann, &window, "first-run-reach").await;
            window.click("[data-testid=finish]").await;
            window.wait_for("[data-testid=status]").await;
            self.take(&ann, &window, "empty").await;
            for view in ["invitations", "contacts", "activity"] {
                window.click(&format!("[data-testid=nav-{view}]")).await;
                self.take(&ann, &window, &format!("{view}-empty")).await;
            }

            let ben = self.set_up("Ben", &hub).await;
            let mut services = Vec::new();
            for ((name, kind), address) in SHARED.into_iter().zip([site.address(), lab.address()]) {
                let service = share(&ann, name, kind, &address.to_string()).await;
                let link = invite(&ann, service, Some("Ben"), false).await;
                ben.request(Request::Open { link }).await.ok();
                services.push(service);
            }
            let friend = self.friend(&ben).await;
            let addresses = up(&ben, SHARED.len()).await;
            // Something for the charts and the totals.
            let busy: Vec<_> = addresses
                .iter()
                .map(|address| {
                    tokio::task::spawn_blocking({
                        let address = *address;
                        move || client::ask(address, b"GET / HTTP/1.0\r\n\r\n")
                    })
                })
                .collect();
            self.owner(&ann, &window, &services).await;
            drop(busy);
            self.away((&ann, &window), (&ben, &friend), hub, services[0]).await;
        }

        async fn friend(&self, ben: &DesktopUser) -> Page {
            ben.tray.click("", "Open Postern").await;
            let window = ben.page().await;
            window.click("[data-testid=nav-invitations]").await;
            window.wait_for("[data-testid=invitation]").await;
            self.take(ben, &window, "invitations").await;
            window.click("[data-testid=nav-home]").await;
            self.take(ben, &window, "home-invited").await;
            let waiting = ben.wait_for("two invitations", |snapshot| {
                let ids: Vec<InvitationId> = snapshot.invitations.iter().map(|invitation| invitation.id).collect();
                (ids.len() == SHARED.len()).then_some(ids)
            });
            let waiting = waiting.await;
            for invitation in &waiting {
                ben.request(Request::Accept { invitation: *invitation, port: Some(free_port()) }).await.ok();
            }
            up(ben, waiting.len()).await;
            window.click("[data-testid=nav-home]").await;
            window.wait_for("[data-testid=inlet][data-state=up]").await;
            self.take(ben, &window, "shared-with-me").await;
            window.click("[data-testid=inlet-open]").await;
            self.take(ben, &window, "portal").await;
            window.click("[data-testid=inlet-open]").await;
            window
        }

        async fn owner(&self, ann: &DesktopUser, window: &Page, services: &[ServiceId]) {
            window.click("[data-testid=nav-home]").await;
            window.wait_for("[data-testid=service]").await;
            self.take(ann, window, "home").await;
            window.click("[data-testid=service-open]").await;
            window.wait_for("[data-testid=person]").await;
            self.take(ann, window, "service").await;
            window.click("[data-testid=person-menu]").await;
            self.take(ann, window, "person-menu").await;
            window.click("[data-testid=grant-terms]").await;
            self.take(ann, window, "terms").await;
            window.click("[data-testid=terms-save]").await;
            window.wait_until_gone("[data-testid=terms-dialog]").await;
            for view in ["activity", "settings"] {
                window.click(&format!("[data-testid=nav-{view}]")).await;
                self.take(ann, window, view).await;
            }
            window.click("[data-testid=doctor]").await;
            window.wait_for("[data-testid=finding]").await;
            window.evaluate("document.querySelector('[data-testid=quit]').scrollIntoView()").await;
            self.take(ann, window, "settings-help").await;
            press(window, "backup").await;
            self.take(ann, window, "backup").await;
            window.evaluate("document.querySelector('dialog').close()").await;
            window.click("[data-testid=nav-contacts]").await;
            window.click("[data-testid=contact-open]").await;
            self.take(ann, window, "contacts").await;

            window.click("[data-testid=nav-home]").await;
            window.click("[data-testid=share]").await;
            window.wait_for("[data-testid=share-target]").await;
            self.take(ann, window, "share").await;
            window.fill("[data-testid=share-target]", "5432").await;
            window.click("[data-testid=share-next]").await;
            self.take(ann, window, "share-name").await;
            window.click("[data-testid=share-submit]").await;
            window.wait_for("[data-testid=invite-submit]").await;
            self.take(ann, window, "share-invite").await;
            press(window, "invite-submit").await;
            window.wait_for("[data-testid=link]").await;
            self.take(ann, window, "share-link").await;
            press(window, "share-done").await;

            // Wide, as a window on a desk.
            ann.desktop.resize_window("Postern", 1800, 1280);
            window.click("[data-testid=nav-home]").await;
            self.take(ann, window, "home-wide").await;
            ann.desktop.resize_window("Postern", 760, 1120);
            let knocks = invite(ann, services[0], Some("Cleo"), true).await;
            let cleo = self.person(Keyring::Unlocked).await;
            self.knock(cleo, ann, window, knocks).await;
        }

        /// Cleo knocks, and is seen at the door.
        async fn knock(&self, mut cleo: DesktopUser, ann: &DesktopUser, window: &Page, link: Secret) {
            let hub = ann.wait_for("her hub", |snapshot| snapshot.hubs.first().map(|hub| hub.address.clone())).await;
            cleo.start(&["--hidden"]);
            cleo.request(Request::SetUp { name: "Cleo".into(), hubs: vec![hub], this_computer: false }).await.ok();
            let Ok(Answer::Preview { preview }) = cleo.request(Request::Open { link }).await else { return };
            cleo.request(Request::Accept { invitation: preview.invitation, port: Some(free_port()) }).await.ok();
            window.click("[data-testid=nav-home]").await;
            window.wait_for("[data-testid=knock]").await;
            self.take(ann, window, "knock").await;
            window.click("[data-testid=knock-deny]").await;
            window.wait_until_gone("[data-testid=knock]").await;
        }

        /// What is seen when something is not there.
        async fn away(&self, owner: (&DesktopUser, &Page), user: (&DesktopUser, &Page), hub: Hub, service: ServiceId) {
            let ((ann, window), (ben, friend)) = (owner, user);
            ann.request(Request::SetService { service, on: false }).await.ok();
            friend.wait_for("[data-testid=inlet][data-state=down]").await;
            self.take(ben, friend, "paused-by-owner").await;
            ann.request(Request::SetService { service, on: true }).await.ok();
            up(ben, SHARED.len()).await;
            window.click("[data-testid=pause-all]").await;
            window.wait_for("[data-testid=paused]").await;
            self.take(ann, window, "paused").await;
            window.click("[data-testid=resume]").await;
            window.wait_until_gone("[data-testid=paused]").await;
            up(ben, SHARED.len()).await;

            // Now the hub is all that she is reached through.
            ann.request(Request::SetThisComputer { on: false }).await.ok();
            drop(hub);
            window.wait_for("[data-testid=status][data-status=offline]").await;
            self.take(ann, window, "offline").await;
        }

        /// Names as people really have them, and as somebody who means no good has them.
        async fn strangers(&self) {
            let hub = Hub::start();
            let ben = self.set_up("Ben", &hub).await;
            let page = Service::http();
            for (person, service) in [
                ("ليلى بنت أحمد", "ملاحظات المشروع"),
                ("Zoë 👋🏽🪐", "🧪 Lab notebook"),
                ("<b>Mallory</b>", "<img src=x onerror=alert(1)>"),
                (
                    "Wolfeschlegelsteinhausenbergerdorff Hubert Blaine the Elder",
                    "A very long name of a service that goes on",
                ),
            ] {
                let owner = self.set_up(person, &hub).await;
                let shared = share(&owner, service, ServiceKind::Http, &page.address().to_string()).await;
                let link = invite(&owner, shared, None, false).await;
                let Ok(Answer::Preview { preview }) = ben.request(Request::Open { link }).await else { continue };
                let accept = Request::Accept { invitation: preview.invitation, port: Some(free_port()) };
                ben.request(accept).await.ok();
                // Their machines are gone by the time somebody looks, except for the first second.
                ben.wait_for("the portal", |snapshot| {
                    snapshot.inlets.iter().any(|inlet| inlet.owner_name == preview.owner_name).then_some(())
                })
                .await;
            }
            ben.tray.click("", "Open Postern").await;
            let window = ben.page().await;
            window.wait_for("[data-testid=inlet]").await;
            self.take(&ben, &window, "strange-names").await;
        }

        async fn locked_out(&self) {
            let hub = Hub::start();
            let mut ann = self.set_up("Ann", &hub).await;
            ann.stop();
            ann.desktop.start_keyring(Keyring::Locked).await;
            ann.start(&[]);
            let window = ann.page().await;
            window.wait_for("[data-code=keychain-locked]").await;
            self.take(&ann, &window, "keychain-locked").await;
        }

        async fn person(&self, keyring: Keyring) -> DesktopUser {
            let mut person = DesktopUser::with(keyring).await;
            person.set_theme(self.theme);
            person.set_double_scale();
            person
        }

        async fn set_up(&self, name: &str, hub: &Hub) -> DesktopUser {
            let mut person = self.person(Keyring::Unlocked).await;
            person.start(&["--hidden"]);
            let hubs = vec![hub.address().to_string()];
            person.request(Request::SetUp { name: name.into(), hubs, this_computer: false }).await.ok();
            person
        }

        /// Once nothing on the screen moves any more, and what only informs has gone.
        async fn take(&self, person: &DesktopUser, window: &Page, name: &str) {
            window
                .evaluate("for (const it of document.querySelectorAll('[data-testid=toast] .close')) it.click()")
                .await;
            let to = self.directory.join(format!("{name}-{}.png", self.shade));
            let mut before = Vec::new();
            eventually_async("the window to keep still", TIMEOUT, || {
                person.desktop.picture_of("Postern", &to);
                let now = fs::read(&to).unwrap_or_default();
                let still = now == before && !now.is_empty();
                before = now;
                async move {
                    tokio::time::sleep(STILL).await;
                    still.then_some(())
                }
            })
            .await;
            println!("{}", to.display());
        }
    }

    /// Clicks on what may be half outside of the window.
    async fn press(window: &Page, testid: &str) {
        let selector = format!("[data-testid={testid}]");
        window.wait_for(&selector).await;
        window.evaluate(&format!("document.querySelector('{selector}').scrollIntoView({{ block: 'center' }})")).await;
        window.click(&selector).await;
    }

    async fn share(person: &DesktopUser, name: &str, kind: ServiceKind, target: &str) -> ServiceId {
        let share = Request::Share { name: name.into(), kind, target: target.into(), path: None, description: None };
        match person.request(share).await {
            Ok(Answer::Service { service }) => service,
            other => panic!("{name} is not shared: {other:?}"),
        }
    }

    async fn invite(person: &DesktopUser, service: ServiceId, note: Option<&str>, ask_first: bool) -> Secret {
        let to = InviteTo::Link { note: note.map(Into::into) };
        let terms = Terms::default();
        match person.request(Request::Invite { service, to, ask_first, valid_for: None, terms }).await {
            Ok(Answer::Invitation { link: Some(link), .. }) => Secret::new(link.reveal()),
            other => panic!("there is no link: {other:?}"),
        }
    }

    /// Waits until so many portals are up, and says where they are.
    async fn up(person: &DesktopUser, many: usize) -> Vec<std::net::SocketAddr> {
        let addresses = |snapshot: &Snapshot| {
            let up = snapshot.inlets.iter().filter(|inlet| matches!(inlet.link, InletLink::Up { .. }));
            let addresses: Vec<_> = up.filter_map(|inlet| inlet.address.parse().ok()).collect();
            (addresses.len() >= many).then_some(addresses)
        };
        person.wait_for("the portals to be up", addresses).await
    }
}
