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

    use postern_desktop_tests::{Keyring, Page, Person};
    use postern_engine::model::{Answer, InletLink, InviteTo, Request, Secret, ServiceKind, Terms};
    use postern_tests::{Hub, Service};

    pub(super) fn main() -> io::Result<()> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/screenshots");
        fs::create_dir_all(&directory)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        for (shade, theme) in [("light", "Adwaita"), ("dark", "Adwaita:dark")] {
            runtime.block_on(Album { directory: directory.clone(), shade }.fill(theme));
        }
        Ok(())
    }

    struct Album {
        directory: PathBuf,
        shade: &'static str,
    }

    impl Album {
        async fn fill(&self, theme: &'static str) {
            let (hub, site, lab) = (Hub::start(), Service::http(), Service::echo());
            let (mut ann, mut ben) = (Person::with(Keyring::Unlocked).await, Person::with(Keyring::Unlocked).await);
            ann.wear(theme);
            ben.wear(theme);
            ann.start(&[]);
            let window = ann.page().await;
            window.sees("[data-testid=first-run]").await;
            self.take(&ann, "first-run").await;
            let hubs = vec![hub.address().to_string()];
            ann.ask(Request::SetUp { name: "Ann".into(), hubs: hubs.clone(), this_computer: false }).await.ok();
            window.sees("[data-testid=status]").await;
            self.take(&ann, "empty").await;

            ben.start(&["--hidden"]);
            ben.ask(Request::SetUp { name: "Ben".into(), hubs, this_computer: false }).await.ok();
            let shared =
                [("Field notes", site.address(), ServiceKind::Http), ("Measurements", lab.address(), ServiceKind::Tcp)];
            for (name, address, kind) in shared {
                let target = address.to_string();
                let share = Request::Share { name: name.into(), kind, target, path: None, description: None };
                let Ok(Answer::Service { service }) = ann.ask(share).await else { continue };
                let to = InviteTo::Link { note: Some("Ben".into()) };
                let terms = Terms::default();
                let invite = Request::Invite { service, to, ask_first: false, valid_for: None, terms };
                let Ok(Answer::Invitation { link: Some(link), .. }) = ann.ask(invite).await else { continue };
                ben.ask(Request::Open { link: Secret::new(link.reveal()) }).await.ok();
            }
            self.friend(&ben).await;
            self.owner(&ann, &window).await;
        }

        async fn friend(&self, ben: &Person) {
            ben.tray.click("", "Open Postern").await;
            let window = ben.page().await;
            window.click("[data-testid=nav-invitations]").await;
            window.sees("[data-testid=invitation]").await;
            self.take(ben, "invitations").await;
            let waiting = ben.sees("two invitations", |snapshot| {
                let ids: Vec<_> = snapshot.invitations.iter().map(|invitation| invitation.id).collect();
                (ids.len() == 2).then_some(ids)
            });
            for invitation in waiting.await {
                ben.ask(Request::Accept { invitation, port: Some(postern_desktop_tests::free_port()) }).await.ok();
            }
            ben.sees("two portals", |snapshot| {
                let up = snapshot.inlets.iter().filter(|inlet| matches!(inlet.link, InletLink::Up { .. })).count();
                (up == 2).then_some(())
            })
            .await;
            window.click("[data-testid=nav-home]").await;
            window.sees("[data-testid=inlet][data-state=up]").await;
            self.take(ben, "shared-with-me").await;
        }

        async fn owner(&self, ann: &Person, window: &Page) {
            window.click("[data-testid=nav-home]").await;
            window.sees("[data-testid=service]").await;
            self.take(ann, "home").await;
            window.click("[data-testid=service-open]").await;
            window.sees("[data-testid=person]").await;
            self.take(ann, "service").await;
            for view in ["contacts", "activity", "settings"] {
                window.click(&format!("[data-testid=nav-{view}]")).await;
                self.take(ann, view).await;
            }
            window.click("[data-testid=nav-home]").await;
            window.click("[data-testid=share]").await;
            window.sees("[data-testid=share-target]").await;
            self.take(ann, "share").await;
        }

        /// Once the page has drawn what it has to.
        async fn take(&self, person: &Person, name: &str) {
            tokio::time::sleep(std::time::Duration::from_millis(700)).await;
            let to = self.directory.join(format!("{name}-{}.png", self.shade));
            person.desktop.picture_of("Postern", &to);
            println!("{}", to.display());
        }
    }
}
