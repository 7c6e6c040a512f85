//! A person: a `postern up` with a data directory of its own, and the commands that reach it.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use postern_engine::peer::ticket::Ticket;
use serde_json::Value;
use tempfile::TempDir;

use crate::{Hub, Process, program, temp_dir};

/// How long anything may take in a story that is no question of speed: opening a key file alone takes seconds on a
/// machine that does much else.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The passphrase of everybody's key file.
pub const PASSPHRASE: &str = "correct horse battery staple";

/// Links that were made in this test program: nobody's log may hold one.
static LINKS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A person with a running engine, or one that rests.
///
/// When it is dropped and the test has not failed, everything it wrote is searched for the secrets of invitations.
pub struct Person {
    name: String,
    home: TempDir,
    up: Option<Process>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    wrote: Mutex<String>,
}

/// How a command failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The exit code.
    pub exit: i32,
    /// The code for programs.
    pub code: String,
    /// The sentence.
    pub sentence: String,
    /// What the command had said before.
    pub said: Vec<Value>,
}

impl Person {
    /// A person who is up, with their key in a file, and meets others at a hub.
    ///
    /// # Panics
    /// When they do not come up in time.
    #[track_caller]
    #[must_use]
    pub fn at(hub: &Hub, name: &str) -> Self {
        let mut person = Self::resting(name, &["--hub", &hub.address().to_string()]);
        person.up();
        person
    }

    /// A person who was never up, and the further arguments that they will be brought up with.
    #[must_use]
    pub fn resting(name: &str, arguments: &[&str]) -> Self {
        let home = temp_dir();
        fs::write(home.path().join("passphrase"), PASSPHRASE).expect("Failed to write a passphrase");
        Self {
            name: name.to_owned(),
            home,
            up: None,
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            environment: vec![("POSTERN_LOG".into(), "debug".into())],
            wrote: Mutex::default(),
        }
    }

    /// Sets a variable in the environment of everything that they run from now on.
    pub fn set(&mut self, variable: &str, value: impl Into<String>) {
        self.environment.push((variable.to_owned(), value.into()));
    }

    /// Brings them up and waits until commands reach them.
    ///
    /// # Panics
    /// When that does not happen in time.
    #[track_caller]
    pub fn up(&mut self) {
        let process = self.start();
        process.json_line(|json| json["event"] == "up", PATIENCE);
        self.up = Some(process);
    }

    /// Starts their engine and waits for nothing.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    #[must_use]
    pub fn start(&self) -> Process {
        // The shell opens the descriptor and becomes the program.
        let mut command = Command::new("sh");
        command.args(["-c", r#"exec "$0" "$@" --keychain file --passphrase-fd 3 3< "$PASSPHRASE_FILE""#]);
        command.arg(program::path("postern")).args(["--json", "up", "--name", &self.name]).args(&self.arguments);
        command.env("PASSPHRASE_FILE", self.home.path().join("passphrase"));
        Process::spawn(self.with_environment(&mut command))
    }

    /// Stops them as Ctrl-C does.
    ///
    /// # Panics
    /// When they do not stop in time, or not well.
    #[track_caller]
    pub fn stop(&mut self) {
        let up = self.up.take().expect("they are not up");
        up.interrupt();
        let status = up.wait(PATIENCE);
        self.keep(&up.stdout());
        self.keep(&up.stderr());
        assert!(status.success(), "{} ended with {status}\n{}", self.name, up.stderr());
    }

    /// Ends them without asking, as a power cut does.
    ///
    /// # Panics
    /// When they are not up.
    #[track_caller]
    pub fn kill(&mut self) {
        let up = self.up.take().expect("they are not up");
        up.kill();
        self.keep(&up.stdout());
        self.keep(&up.stderr());
    }

    /// Stops them and brings them up again.
    ///
    /// # Panics
    /// As [`stop`](Self::stop) and [`up`](Self::up) do.
    #[track_caller]
    pub fn restart(&mut self) {
        self.stop();
        self.up();
    }

    /// Their engine's process.
    ///
    /// # Panics
    /// When they are not up.
    #[track_caller]
    #[must_use]
    pub fn process(&self) -> &Process {
        self.up.as_ref().expect("they are not up")
    }

    /// What they call themselves.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Their data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// A place beside their data directory.
    #[must_use]
    pub fn beside(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// One of their commands, ready to run.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program::postern();
        command.arg("--json").args(arguments);
        self.with_environment(&mut command);
        command
    }

    fn with_environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("POSTERN_DATA_DIR", self.data());
        command.envs(self.environment.iter().map(|(variable, value)| (variable, value)))
    }

    /// Runs a command and gives everything it said.
    ///
    /// # Panics
    /// When it fails, or does not end in time.
    #[track_caller]
    pub fn says(&self, arguments: &[&str]) -> Vec<Value> {
        self.says_to(arguments, "")
    }

    /// Runs a command with something to read.
    ///
    /// # Panics
    /// As [`says`](Self::says) does.
    #[track_caller]
    pub fn says_to(&self, arguments: &[&str], input: &str) -> Vec<Value> {
        match self.try_to(arguments, input) {
            Ok(said) => said,
            Err(refusal) => panic!("{} {arguments:?}: {refusal:?}", self.name),
        }
    }

    /// Runs a command that must fail.
    ///
    /// # Panics
    /// When it does not fail, or not in the way commands do.
    #[track_caller]
    pub fn refused(&self, arguments: &[&str]) -> Refusal {
        self.refused_to(arguments, "")
    }

    /// Runs a command that must fail, with something to read.
    ///
    /// # Panics
    /// As [`refused`](Self::refused) does.
    #[track_caller]
    pub fn refused_to(&self, arguments: &[&str], input: &str) -> Refusal {
        match self.try_to(arguments, input) {
            Ok(said) => panic!("{} {arguments:?} did not fail: {said:?}", self.name),
            Err(refusal) => refusal,
        }
    }

    /// Runs a command, whatever comes of it.
    ///
    /// # Errors
    /// How it failed.
    ///
    /// # Panics
    /// When it does not end in time, or fails without saying why.
    #[track_caller]
    pub fn try_to(&self, arguments: &[&str], input: &str) -> Result<Vec<Value>, Refusal> {
        let process = Process::spawn(&mut self.command(arguments));
        if !input.is_empty() {
            process.type_line(input);
        }
        process.end_input();
        let status = process.wait(PATIENCE);
        let (stdout, stderr) = (process.stdout(), process.stderr());
        self.keep(&stderr);
        // What makes a link says it; everything else must not.
        if !stdout.contains("\"event\":\"invited\"") {
            self.keep(&stdout);
        }
        let said: Vec<Value> = stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        if status.success() {
            return Ok(said);
        }
        let failed = said.iter().find(|said| said["event"] == "failed");
        let failed = failed.unwrap_or_else(|| panic!("{arguments:?} ended with {status}\n{stdout}\n{stderr}"));
        Err(Refusal {
            exit: status.code().unwrap_or(-1),
            code: text(&failed["code"]).to_owned(),
            sentence: text(&failed["error"]).to_owned(),
            said: said.clone(),
        })
    }

    /// What they see now.
    ///
    /// # Panics
    /// When `postern ls` fails.
    #[track_caller]
    #[must_use]
    pub fn sees(&self) -> Value {
        self.says(&["ls"])[0]["snapshot"].clone()
    }

    /// Waits until they see something: until `wanted` finds it in what `postern ls --watch` shows.
    ///
    /// # Panics
    /// When they do not within [`PATIENCE`].
    #[track_caller]
    pub fn waits_for<T>(&self, what: &str, wanted: impl Fn(&Value) -> Option<T>) -> T {
        self.waits_for_within(PATIENCE, what, wanted)
    }

    /// As [`waits_for`](Self::waits_for) does, with a time of the caller's.
    ///
    /// # Panics
    /// When they do not see it in time.
    #[track_caller]
    pub fn waits_for_within<T>(&self, time: Duration, what: &str, wanted: impl Fn(&Value) -> Option<T>) -> T {
        let watch = Process::spawn(&mut self.command(&["ls", "--watch"]));
        let _told = Told(format!("{} waits for {what}", self.name));
        let seen = watch.json_line(|json| json["event"] == "snapshot" && wanted(&json["snapshot"]).is_some(), time);
        wanted(&seen["snapshot"]).expect("it was found a moment ago")
    }

    /// Shares a service and gives it a name.
    ///
    /// # Panics
    /// When that fails.
    #[track_caller]
    pub fn shares(&self, target: SocketAddr, name: &str) {
        self.says(&["share", &target.to_string(), "--name", name, "--kind", "tcp"]);
    }

    /// Makes a link, with further arguments such as `--ask-first`.
    ///
    /// # Panics
    /// When that fails.
    #[track_caller]
    pub fn invites(&self, service: &str, arguments: &[&str]) -> String {
        match self.try_invite(service, arguments) {
            Ok(link) => link,
            Err(refusal) => panic!("{} invites to {service}: {refusal:?}", self.name),
        }
    }

    /// Makes a link, if that can be done.
    ///
    /// # Errors
    /// Why it cannot.
    ///
    /// # Panics
    /// When the command does not end in time.
    #[track_caller]
    pub fn try_invite(&self, service: &str, arguments: &[&str]) -> Result<String, Refusal> {
        let said = self.try_to(&[&["invite", service], arguments].concat(), "")?;
        let link = text(&said[0]["link"]).to_owned();
        locked(&LINKS).push(link.clone());
        Ok(link)
    }

    /// Accepts a link at a free port and waits until the portal is up.
    ///
    /// # Panics
    /// When it does not come up in time.
    #[track_caller]
    pub fn joins(&self, link: &str) -> SocketAddr {
        let port = free_port();
        let said = self.says_to(&["join", "-", "--port", &port.to_string(), "--wait", "60s"], link);
        let last = said.last().expect("joining says something");
        assert_eq!(last["event"], "up", "{said:?}");
        address(port)
    }

    /// Waits until a portal is up.
    ///
    /// # Panics
    /// When it does not come up in time.
    #[track_caller]
    pub fn has_up(&self, portal: &str) -> SocketAddr {
        let port = self.waits_for(&format!("{portal} to be up"), |seen| {
            let inlet = find(&seen["inlets"], portal)?;
            (inlet["link"]["state"] == "up").then(|| inlet["port"].as_u64())?
        });
        address(u16::try_from(port).expect("a port"))
    }

    /// Waits until a portal is down for this reason, and gives the sentence.
    ///
    /// # Panics
    /// When it is not in time.
    #[track_caller]
    pub fn has_down(&self, portal: &str, code: &str) -> String {
        self.waits_for(&format!("{portal} to be down: {code}"), |seen| {
            let link = &find(&seen["inlets"], portal)?["link"];
            let fault = &link["fault"];
            (link["state"] == "down" && fault["code"] == code).then(|| text(&fault["message"]).to_owned())
        })
    }

    /// Waits until whoever is called this has access to a service in this state.
    ///
    /// # Panics
    /// When it is not so in time.
    #[track_caller]
    pub fn has_granted(&self, service: &str, person: &str, state: &str) {
        self.waits_for(&format!("access of {person} to {service} to be {state}"), |seen| {
            let people = find(&seen["services"], service)?["people"].as_array()?.clone();
            people.iter().any(|it| it["name"] == person && it["state"] == state).then_some(())
        });
    }

    fn keep(&self, text: &str) {
        locked(&self.wrote).push_str(text);
    }

    /// Everything that they wrote so far: what their commands and their engine said, its log, and, by name, every file of
    /// their data directory but the key file.
    #[must_use]
    pub fn everything(&self) -> Vec<(String, Vec<u8>)> {
        let mut all = vec![("output".to_owned(), locked(&self.wrote).clone().into_bytes())];
        if let Some(up) = &self.up {
            all.push(("engine's output".to_owned(), up.stdout().into_bytes()));
            all.push(("engine's log".to_owned(), up.stderr().into_bytes()));
        }
        for entry in fs::read_dir(self.data()).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name != postern_engine::identity::KEY_FILE
                && let Ok(bytes) = fs::read(entry.path())
            {
                all.push((name, bytes));
            }
        }
        all
    }

    /// Fails if anything they wrote, the database included, holds the secret of an invitation.
    fn keeps_secrets(&self) {
        let links = locked(&LINKS).clone();
        let everything = self.everything();
        for link in &links {
            let Ok(ticket) = Ticket::decode(link) else { continue };
            for (name, bytes) in &everything {
                let found = holds(bytes, link.as_bytes())
                    || holds(bytes, hex::encode(ticket.secret).as_bytes())
                    || holds(bytes, &ticket.secret);
                assert!(!found, "the {name} of {} holds the secret of an invitation", self.name);
            }
        }
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.keeps_secrets();
        }
    }
}

/// What was waited for, told when the wait fails.
struct Told(String);

impl Drop for Told {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = writeln!(std::io::stderr(), "{} in vain", self.0);
        }
    }
}

/// Whether some bytes hold others.
#[must_use]
pub fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// The one of a list that has this name.
#[must_use]
pub fn find<'a>(list: &'a Value, name: &str) -> Option<&'a Value> {
    list.as_array()?.iter().find(|it| it["name"] == name)
}

/// A text of a JSON document.
///
/// # Panics
/// When it is none.
#[track_caller]
#[must_use]
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// A port of this machine that nobody has, and that the system gives to nobody who does not ask for it by number: so it is
/// still free after a restart.
///
/// # Panics
/// When a thousand are taken.
#[must_use]
pub fn free_port() -> u16 {
    /// Below the ports that Linux hands out.
    const PORTS: std::ops::Range<u16> = 11_000..31_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let width = PORTS.end - PORTS.start;
    // Test programs run at the same time: each begins somewhere else.
    let begin = (std::process::id() % u32::from(width)) as u16;
    (0..1000)
        .map(|_| PORTS.start + begin.wrapping_mul(37).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % width)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a thousand ports are taken")
}

/// A port of this machine as an address.
#[must_use]
pub fn address(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// The clock of some programs, to be turned while they run (`libfaketime`, from Debian).
///
/// Only the wall clock is turned: waits are measured by another, as on a machine whose time was set.
pub struct Clock {
    file: PathBuf,
}

impl Clock {
    /// A clock that is right, kept in a directory.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn right(directory: &Path) -> Self {
        let clock = Self { file: directory.join("clock") };
        clock.turn("+0");
        clock
    }

    /// Turns it, as `+8d` or `-1h` from what is right.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn turn(&self, offset: &str) {
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{offset}\n"))
            .and_then(|()| fs::rename(&new, &self.file))
            .expect("Failed to turn a clock");
    }

    /// Puts it before the eyes of a person.
    ///
    /// # Panics
    /// When `libfaketime` is not installed.
    pub fn of(&self, person: &mut Person) {
        let library = ["x86_64", "aarch64"].map(|cpu| format!("/usr/lib/{cpu}-linux-gnu/faketime/libfaketime.so.1"));
        let library = library.into_iter().find(|library| Path::new(library).exists());
        person.set("LD_PRELOAD", library.expect("libfaketime is not installed; `cargo xtask test` installs it"));
        person.set("FAKETIME_TIMESTAMP_FILE", self.file.to_string_lossy());
        person.set("FAKETIME_NO_CACHE", "1");
        person.set("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
