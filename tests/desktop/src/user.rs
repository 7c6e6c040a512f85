//! A user with a desktop of their own and the app on it.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use postern_engine::api::{Answer, Fault, Request, Snapshot};
use postern_engine::control::{Client, Watch};
use postern_testkit::port::free_port;
use postern_testkit::{Finished, Process, TIMEOUT, eventually_async, program};
use tokio::time::timeout;

use crate::desktop::{Desktop, Keyring};
use crate::notification_server::NotificationServer;
use crate::page::Page;
use crate::tray::Tray;

/// How long the app may take to stop: its engine waits up to 5 s for its peers.
const STOP: Duration = Duration::from_secs(20);

/// Somebody who uses the app.
pub struct DesktopUser {
    // Dropped before the desktop it runs on.
    app: Option<Process>,
    inspector: u16,
    theme: Option<&'static str>,
    magnified: bool,
    programs: Option<PathBuf>,
    /// The notifications.
    pub notifications: NotificationServer,
    /// The panel.
    pub tray: Tray,
    /// Everything else.
    pub desktop: Desktop,
}

impl DesktopUser {
    /// Somebody who has not started the app yet.
    pub async fn new() -> Self {
        Self::with(Keyring::Unlocked).await
    }

    /// Somebody whose keyring is in this state.
    pub async fn with(keyring: Keyring) -> Self {
        Self::on(Desktop::start(keyring).await).await
    }

    /// Somebody with this desktop.
    pub async fn on(desktop: Desktop) -> Self {
        let (tray, notifications) = (Tray::open(desktop.bus()).await, NotificationServer::open(desktop.bus()).await);
        Self {
            app: None,
            inspector: free_port(),
            theme: None,
            magnified: false,
            programs: None,
            notifications,
            tray,
            desktop,
        }
    }

    /// Somebody called `name` whose app runs in the tray and is connected to `hub`.
    pub async fn set_up(name: &str, hub: &str) -> Self {
        let mut person = Self::new().await;
        person.start(&["--hidden"]);
        let set_up = Request::SetUp { name: name.into(), hubs: vec![hub.into()], this_computer: false };
        person.request(set_up).await.unwrap();
        person
            .wait_for("the hub", |snapshot| {
                let up = |hub: &postern_engine::api::HubView| hub.link == postern_engine::api::LinkState::Up;
                snapshot.hubs.iter().any(up).then_some(())
            })
            .await;
        person
    }

    /// Sets the GTK theme, such as `Adwaita:dark`, for the next start.
    pub fn set_theme(&mut self, theme: &'static str) {
        self.theme = Some(theme);
    }

    /// Doubles the scale, as on a screen with a high density, for the next start.
    pub fn set_double_scale(&mut self) {
        self.magnified = true;
    }

    /// Sets a directory whose programs the next start finds before those of the system.
    pub fn set_programs(&mut self, directory: impl Into<PathBuf>) {
        self.programs = Some(directory.into());
    }

    /// Starts the app.
    pub fn start(&mut self, arguments: &[&str]) {
        assert!(self.app.is_none(), "it runs already");
        self.app = Some(Process::spawn(self.command().args(arguments)));
    }

    /// Starts a second instance of the app, and waits until it has ended.
    #[must_use]
    pub fn start_second(&self, arguments: &[&str]) -> Finished {
        Process::run(self.command().args(arguments), TIMEOUT)
    }

    /// The app.
    #[must_use]
    pub fn app(&self) -> &Process {
        self.app.as_ref().expect("the app was not started")
    }

    /// Stops the app with SIGTERM, as the session does, and waits until it has ended.
    pub fn stop(&mut self) {
        let app = self.app.take().expect("the app was not started");
        app.terminate();
        assert!(app.wait(STOP).success(), "{}", app.stderr());
    }

    /// Kills the app, as a power failure does.
    pub fn crash(&mut self) {
        self.app.take().expect("the app was not started").kill();
    }

    /// The app's data directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.desktop.home().join("data/postern")
    }

    /// Sends the engine a request, as soon as its control socket accepts connections.
    ///
    /// # Errors
    /// The engine's fault.
    pub async fn request(&self, request: Request) -> Result<Answer, Fault> {
        let mut client = self.client().await;
        client.request(request).await.map_err(|error| match error {
            postern_engine::control::ControlError::Fault(fault) => fault,
            other => panic!("{other}"),
        })
    }

    /// Waits until `probe` finds a value in the engine's snapshot.
    pub async fn wait_for<T>(&self, what: &str, probe: impl Fn(&Snapshot) -> Option<T>) -> T {
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
        match timeout(TIMEOUT, watching).await {
            Ok(found) => found,
            Err(_) => panic!("timed out after {TIMEOUT:?}, waiting for {what}: {last:#?}"),
        }
    }

    /// The page of the window, which must exist, over WebDriver.
    pub async fn page(&self) -> Page {
        Page::attach(&self.desktop, self.inspector).await
    }

    /// Whether the window is on the screen.
    #[must_use]
    pub fn shows_window(&self) -> bool {
        self.desktop.shows_window("Postern")
    }

    async fn client(&self) -> Client {
        let data_dir = self.data_dir();
        eventually_async("the control socket", TIMEOUT, || async { Client::connect(&data_dir).await.ok() }).await
    }

    /// What starts the app on this desktop.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = self.desktop.with_environment(program::command("postern-app"));
        // Lets a WebDriver that knows the port drive the window's page.
        command.env("TAURI_WEBVIEW_AUTOMATION", "true");
        command.env("WEBKIT_INSPECTOR_SERVER", format!("127.0.0.1:{}", self.inspector));
        command.envs(self.theme.map(|theme| ("GTK_THEME", theme)));
        command.envs(self.magnified.then_some(("GDK_SCALE", "2")));
        if let Some(programs) = &self.programs {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let places = std::iter::once(programs.clone()).chain(std::env::split_paths(&path));
            command.env("PATH", std::env::join_paths(places).unwrap());
        }
        // As a login does; the name that the first run proposes.
        command.env("USER", "root");
        command.env("POSTERN_LOG", "info,postern_app=debug,postern_engine=debug");
        command
    }
}
