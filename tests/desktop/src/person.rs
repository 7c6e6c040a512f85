//! A person with a desktop and the app on it.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use postern_engine::api::{Answer, Fault, Request, Snapshot};
use postern_engine::control::{Client, Watch};
use postern_tests::{Finished, Process, program};
use tokio::time::timeout;

use crate::corner::Corner;
use crate::desktop::{Desktop, Keyring};
use crate::page::Page;
use crate::tray::Tray;
use crate::wait::{PATIENCE, until};

/// How long the app may take to end in good order.
const GOODBYE: Duration = Duration::from_secs(20);

/// Somebody who uses Postern.
pub struct Person {
    // Dropped before what it stands on.
    app: Option<Process>,
    inspector: u16,
    theme: Option<&'static str>,
    magnified: bool,
    /// The notifications.
    pub corner: Corner,
    /// The panel.
    pub tray: Tray,
    /// Everything else.
    pub desktop: Desktop,
}

impl Person {
    /// Somebody who has not started the app yet.
    pub async fn new() -> Self {
        Self::with(Keyring::Unlocked).await
    }

    /// Somebody whose keyring is as is said.
    pub async fn with(keyring: Keyring) -> Self {
        let desktop = Desktop::start(keyring).await;
        let (tray, corner) = (Tray::open(desktop.bus()).await, Corner::open(desktop.bus()).await);
        Self { app: None, inspector: free_port(), theme: None, magnified: false, corner, tray, desktop }
    }

    /// Somebody whose app runs in the tray and who is called `name`, and who meets others at `hub`.
    pub async fn set_up(name: &str, hub: &str) -> Self {
        let mut person = Self::new().await;
        person.start(&["--hidden"]);
        let set_up = Request::SetUp { name: name.into(), hubs: vec![hub.into()], this_computer: false };
        person.ask(set_up).await.unwrap();
        person
            .sees("the hub", |snapshot| {
                let up = |hub: &postern_engine::api::HubView| hub.link == postern_engine::api::LinkState::Up;
                snapshot.hubs.iter().any(up).then_some(())
            })
            .await;
        person
    }

    /// Has the desktop look as is said, as `Adwaita:dark`, from the next start on.
    pub fn wear(&mut self, theme: &'static str) {
        self.theme = Some(theme);
    }

    /// Has everything twice as large, as on a screen with many small points, from the next start on.
    pub fn magnify(&mut self) {
        self.magnified = true;
    }

    /// Starts the app.
    pub fn start(&mut self, arguments: &[&str]) {
        assert!(self.app.is_none(), "it runs already");
        self.app = Some(Process::spawn(self.command().args(arguments)));
    }

    /// Starts the app once more, and waits until that has ended.
    #[must_use]
    pub fn start_again(&self, arguments: &[&str]) -> Finished {
        Process::run(self.command().args(arguments), PATIENCE)
    }

    /// The app.
    #[must_use]
    pub fn app(&self) -> &Process {
        self.app.as_ref().expect("the app was not started")
    }

    /// Ends the app as the system does, and waits until it has ended.
    pub fn stop(&mut self) {
        let app = self.app.take().expect("the app was not started");
        app.terminate();
        assert!(app.wait(GOODBYE).success(), "{}", app.stderr());
    }

    /// Ends the app at once, as a power cut does.
    pub fn crash(&mut self) {
        self.app.take().expect("the app was not started").kill();
    }

    /// Where its data is.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.desktop.home().join("data/postern")
    }

    /// Asks the engine, as soon as it can be asked.
    ///
    /// # Errors
    /// The engine's fault.
    pub async fn ask(&self, request: Request) -> Result<Answer, Fault> {
        let mut client = self.client().await;
        client.request(request).await.map_err(|error| match error {
            postern_engine::control::ControlError::Fault(fault) => fault,
            other => panic!("{other}"),
        })
    }

    /// Waits until the engine shows what `probe` finds.
    pub async fn sees<T>(&self, what: &str, probe: impl Fn(&Snapshot) -> Option<T>) -> T {
        let mut last = None;
        let watching = async {
            let mut client = self.client().await;
            client.watch().await.unwrap();
            loop {
                match client.next().await {
                    Ok(Some(Watch::Snapshot(snapshot))) => {
                        if let Some(found) = probe(&snapshot) {
                            return found;
                        }
                        last = Some(snapshot);
                    }
                    Ok(Some(_)) => {}
                    ended => panic!("the engine ended ({ended:?}) before {what}"),
                }
            }
        };
        match timeout(PATIENCE, watching).await {
            Ok(found) => found,
            Err(_) => panic!("waited {PATIENCE:?} in vain for {what}: {last:#?}"),
        }
    }

    /// The window, which must be there, over WebDriver.
    pub async fn page(&self) -> Page {
        Page::attach(&self.desktop, self.inspector).await
    }

    /// Whether the window is on the screen.
    #[must_use]
    pub fn sees_window(&self) -> bool {
        self.desktop.shows_window("Postern")
    }

    async fn client(&self) -> Client {
        let data_dir = self.data_dir();
        until("the control socket", || async { Client::connect(&data_dir).await.ok() }).await
    }

    /// What starts the app on this desktop.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = self.desktop.surrounded(program::command("postern-app"));
        // The window's page can be driven, by whoever knows the port.
        command.env("TAURI_WEBVIEW_AUTOMATION", "true");
        command.env("WEBKIT_INSPECTOR_SERVER", format!("127.0.0.1:{}", self.inspector));
        command.envs(self.theme.map(|theme| ("GTK_THEME", theme)));
        command.envs(self.magnified.then_some(("GDK_SCALE", "2")));
        command.env("POSTERN_LOG", "info,postern_app=debug,postern_engine=debug");
        command
    }
}

/// A port of this machine that nobody uses now.
#[must_use]
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}
