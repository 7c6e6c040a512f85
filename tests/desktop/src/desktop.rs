//! The screen, the session bus and the keyring of one user.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use postern_testkit::{Process, debian, temp_dir};
use tempfile::TempDir;
use zbus::Connection;
use zbus::fdo::DBusProxy;

use postern_testkit::{TIMEOUT, eventually_async};

const PASSWORD: &str = "login password";
const SECRETS: &str = "org.freedesktop.secrets";
/// A bus without service activation: nothing starts, and no password dialog opens, unless the test starts it.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:tmpdir=/tmp</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
"#;

/// The state of the keyring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyring {
    /// Running, and unlocked.
    Unlocked,
    /// Running, and locked.
    Locked,
    /// Not running.
    Missing,
}

/// A place on the screen, in its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Of its left edge.
    pub x: i32,
    /// Of its upper edge.
    pub y: i32,
    /// From left to right.
    pub width: i32,
    /// From top to bottom.
    pub height: i32,
}

/// A screen, a bus, a keyring and a home directory of its own.
pub struct Desktop {
    // Dropped in this order: programs before what they are connected to.
    keyring: Option<Process>,
    connection: Connection,
    _window_manager: Process,
    _bus: Process,
    _screen: Process,
    display: String,
    address: String,
    home: TempDir,
}

impl Desktop {
    /// Starts all of it and waits until it can be used.
    pub async fn start(keyring: Keyring) -> Self {
        Self::start_with(keyring, "1920x1400").await
    }

    /// As [`start`](Self::start) does, with a screen of this size, such as `1280x800`.
    pub async fn start_with(keyring: Keyring, screen_size: &str) -> Self {
        let home = temp_dir();
        for directory in ["run", "config", "data", "cache"] {
            fs::create_dir(home.path().join(directory)).unwrap();
        }
        fs::set_permissions(home.path().join("run"), fs::Permissions::from_mode(0o700)).unwrap();

        let mut screen = debian::command("Xvfb");
        screen.args(["-displayfd", "1", "-screen", "0", &format!("{screen_size}x24"), "-nolisten", "tcp", "-noreset"]);
        let screen = Process::spawn(&mut screen);
        let is_number = |line: &str| !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit());
        let display = format!(":{}", screen.wait_for_line(is_number, TIMEOUT));

        let config = home.path().join("bus.conf");
        fs::write(&config, BUS).unwrap();
        let mut bus = debian::command("dbus-daemon");
        bus.arg("--config-file").arg(&config).args(["--nofork", "--nopidfile", "--print-address=1"]);
        let bus = Process::spawn(&mut bus);
        let address = bus.wait_for_line(|line| line.starts_with("unix:"), TIMEOUT);
        let connection = zbus::connection::Builder::address(address.as_str()).unwrap().build().await.unwrap();

        let mut window_manager = debian::command("openbox");
        set_environment(&mut window_manager, home.path(), &display, &address);
        let window_manager = Process::spawn(&mut window_manager);
        let mut desktop = Self {
            keyring: None,
            connection,
            _window_manager: window_manager,
            _bus: bus,
            _screen: screen,
            display,
            address,
            home,
        };
        desktop.start_keyring(keyring).await;
        desktop
    }

    /// Stops the keyring, and starts it in this state.
    pub async fn start_keyring(&mut self, keyring: Keyring) {
        let bus = DBusProxy::new(&self.connection).await.unwrap();
        let owned = || async { bus.name_has_owner(SECRETS.try_into().unwrap()).await.unwrap() };
        self.keyring = None;
        eventually_async("the keyring to be gone", TIMEOUT, || async { (!owned().await).then_some(()) }).await;
        if keyring == Keyring::Missing {
            return;
        }
        let mut command = self.command("gnome-keyring-daemon");
        command.args(["--foreground", "--components=secrets"]);
        if keyring == Keyring::Unlocked {
            command.arg("--unlock");
        }
        let process = Process::spawn(&mut command);
        if keyring == Keyring::Unlocked {
            process.type_line(PASSWORD);
        }
        process.end_input();
        self.keyring = Some(process);
        eventually_async("the keyring", TIMEOUT, || async { owned().await.then_some(()) }).await;
    }

    /// A program of this desktop.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        self.with_environment(debian::command(program))
    }

    /// A command, on this desktop.
    #[must_use]
    pub fn with_environment(&self, mut command: Command) -> Command {
        set_environment(&mut command, self.home.path(), &self.display, &self.address);
        command
    }

    /// The bus.
    pub fn bus(&self) -> &Connection {
        &self.connection
    }

    /// The home directory, with everything the user has.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Whether a window called `title` is on the screen.
    #[must_use]
    pub fn shows_window(&self, title: &str) -> bool {
        !self.windows(title).is_empty()
    }

    /// Where the window called `title` is on the screen and how large it is, without its frame, in pixels of the screen; nothing
    /// while there is none.
    #[must_use]
    pub fn geometry(&self, title: &str) -> Option<Geometry> {
        let found = self.windows(title);
        let mut ask = self.command("xdotool");
        let told = ask.args(["getwindowgeometry", "--shell", found.lines().next()?]).output().unwrap();
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let number = |name: &str| told.lines().find_map(|line| line.strip_prefix(name)?.parse::<i32>().ok());
        Some(Geometry { x: number("X=")?, y: number("Y=")?, width: number("WIDTH=")?, height: number("HEIGHT=")? })
    }

    /// Closes the window called `title` as its frame's button does.
    pub fn close_window(&self, title: &str) {
        let closed = self.command("wmctrl").args(["-F", "-c", title]).status().unwrap();
        assert!(closed.success(), "there is no window to close");
    }

    /// How the program was started that shows a window called `title`, if there is one.
    #[must_use]
    pub fn owner_of(&self, title: &str) -> Option<Vec<String>> {
        let found = self.windows(title);
        let owner = self.command("xdotool").args(["getwindowpid", found.lines().next()?]).output().unwrap();
        let line = fs::read(format!("/proc/{}/cmdline", String::from_utf8_lossy(&owner.stdout).trim())).ok()?;
        Some(line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect())
    }

    /// Types into the field of the window called `title` that has the keyboard, and ends the line.
    pub fn type_into(&self, title: &str, text: &str) {
        let found = self.windows(title);
        let window = found.lines().next().expect("there is no window to type into");
        let mut typing = self.command("xdotool");
        // In place of what is there already.
        typing.args(["windowfocus", "--sync", window, "key", "ctrl+a", "type", "--delay", "5", text]);
        let typed = typing.status();
        assert!(typed.unwrap().success());
        assert!(self.command("xdotool").args(["key", "Return"]).status().unwrap().success());
    }

    /// The text in the clipboard.
    #[must_use]
    pub fn clipboard(&self) -> String {
        let read = self.command("xclip").args(["-selection", "clipboard", "-out"]).output().unwrap();
        String::from_utf8_lossy(&read.stdout).into_owned()
    }

    /// Resizes the window called `title`, in pixels of the screen.
    pub fn resize_window(&self, title: &str, width: u32, height: u32) {
        let found = self.windows(title);
        let window = found.lines().next().expect("there is no window to resize");
        let mut resize = self.command("xdotool");
        resize.args(["windowsize", "--sync", window, &width.to_string(), &height.to_string()]);
        assert!(resize.status().unwrap().success());
    }

    /// A picture of the window called `title`.
    pub fn picture_of(&self, title: &str, to: &Path) {
        let found = self.windows(title);
        let window = found.lines().next().expect("there is no window to take a picture of");
        let taken = self
            .command("import")
            .args(["-window", window, "-strip", "-define", "png:exclude-chunks=date,time"])
            .arg(to)
            .status()
            .unwrap();
        assert!(taken.success());
    }

    /// The pixels of the upper `rows` of the screen as red, green and blue, row by row.
    #[must_use]
    pub fn upper_rows(&self, rows: usize) -> Vec<[u8; 3]> {
        let taken = self.command("xwd").args(["-silent", "-root"]).output().unwrap().stdout;
        // The header is made of numbers of four bytes (`XWDFile.h`); behind it are the names of colours, then the points, each four
        // bytes: blue, green, red and nothing.
        let number = |at: usize| taken.get(at..at + 4).map_or(0, |it| u32::from_be_bytes([it[0], it[1], it[2], it[3]]));
        let [header, width, line, colours] = [0, 16, 48, 76].map(|at| number(at) as usize);
        let points = taken.get(header + colours * 12..).unwrap_or_default();
        let row = |row: usize| points.get(row * line..row * line + width * 4).unwrap_or_default();
        (0..rows).flat_map(|it| row(it).as_chunks::<4>().0).map(|[blue, green, red, _]| [*red, *green, *blue]).collect()
    }

    /// Whether there is more than one colour in the window called `title`: something was drawn in it.
    #[must_use]
    pub fn is_drawn(&self, title: &str) -> bool {
        let found = self.windows(title);
        let Some(window) = found.lines().next() else { return false };
        let taken = self.command("xwd").args(["-silent", "-id", window]).output().unwrap().stdout;
        // Behind the header and the names of colours are the points, each four bytes.
        let number = |at: usize| taken.get(at..at + 4).map_or(0, |it| u32::from_be_bytes([it[0], it[1], it[2], it[3]]));
        let points = taken.get((number(0) + number(76) * 12) as usize..).unwrap_or_default();
        let (points, _) = points.as_chunks::<4>();
        points.first().is_some_and(|first| points.iter().any(|point| point != first))
    }

    /// The visible windows called `title`, a number on each line.
    fn windows(&self, title: &str) -> String {
        let mut search = self.command("xdotool");
        let found = search.args(["search", "--onlyvisible", "--name", &format!("^{title}$")]).output().unwrap();
        String::from_utf8_lossy(&found.stdout).into_owned()
    }
}

fn set_environment(command: &mut Command, home: &Path, display: &str, address: &str) {
    command.env("HOME", home).env("DISPLAY", display).env("DBUS_SESSION_BUS_ADDRESS", address);
    for (name, directory) in
        [("RUNTIME_DIR", "run"), ("CONFIG_HOME", "config"), ("DATA_HOME", "data"), ("CACHE_HOME", "cache")]
    {
        command.env(format!("XDG_{name}"), home.join(directory));
    }
    command.env("XDG_CURRENT_DESKTOP", "GNOME").env("NO_AT_BRIDGE", "1").env("GTK_A11Y", "none");
    command.env("GDK_BACKEND", "x11").env("LIBGL_ALWAYS_SOFTWARE", "1").env_remove("WAYLAND_DISPLAY");
}
