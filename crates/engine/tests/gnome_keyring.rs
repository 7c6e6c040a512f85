//! The desktop's keychain against a real gnome-keyring, on a session bus of its own.
//!
//! ```text
//! test ─► Session: temporary HOME, dbus-daemon, gnome-keyring-daemon
//!   └──► this test binary again, as `asks_the_keychain` with the session's environment ─► Keychain::os ─► answer on stdout
//! ```
//!
//! The second process is needed because the bus is found through environment variables, which a process cannot change safely for
//! itself. Each question is a process of its own, so every read is also a read after a restart of the program.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use futures_util::StreamExt;
use postern_engine::keys::{Keychain, Profile};
use postern_testkit::TIMEOUT;

const INSTALL: &str = "install it: apt-get install -y --no-install-recommends dbus gnome-keyring libsecret-tools";
const SECRET: &[u8] = b"\0a secret of Postern's tests\xff\xfe";
const ANSWER: &str = "the keychain answers: ";

/// A bus without service activation: nothing starts, and no password window opens, unless the test says so.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=SOCKET</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
"#;

/// Ends a child with its owner.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A login session of a person who has nothing yet.
struct Session {
    // Dropped in this order: programs first, then what they stand on.
    keyring: Option<Running>,
    watch: Option<zbus::Connection>,
    bus: Option<Running>,
    home: tempfile::TempDir,
}

impl Session {
    async fn without_bus() -> Self {
        let home = tempfile::Builder::new().prefix("postern").tempdir().unwrap();
        for folder in ["run", "config", "data", "cache", "ann", "ben"] {
            fs::create_dir(home.path().join(folder)).unwrap();
        }
        Self { keyring: None, watch: None, bus: None, home }
    }

    async fn without_keyring() -> Self {
        let mut session = Self::without_bus().await;
        let config = session.home.path().join("bus.conf");
        fs::write(&config, BUS.replace("SOCKET", session.socket().to_str().unwrap())).unwrap();
        let mut command = session.command("dbus-daemon");
        command.arg("--config-file").arg(&config).args(["--nofork", "--nopidfile", "--print-address=1"]);
        let mut bus = start(command.stdout(Stdio::piped()));
        // The first line is the bus's address, printed when it listens.
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(bus.0.stdout.take().unwrap()), &mut line).unwrap();
        assert!(line.starts_with("unix:"), "dbus-daemon did not start: {line:?}");
        let address = format!("unix:path={}", session.socket().display());
        let watch = zbus::connection::Builder::address(address.as_str()).unwrap().build().await.unwrap();
        session.bus = Some(bus);
        session.watch = Some(watch);
        session
    }

    async fn unlocked() -> Self {
        let mut session = Self::without_keyring().await;
        session.start_keyring(Some("login password")).await;
        session
    }

    /// Starts the keyring daemon, unlocked if there is a password, and waits until it owns its name on the bus.
    async fn start_keyring(&mut self, password: Option<&str>) {
        let proxy = zbus::fdo::DBusProxy::new(self.watch.as_ref().unwrap()).await.unwrap();
        let mut owners = proxy.receive_name_owner_changed_with_args(&[(0, "org.freedesktop.secrets")]).await.unwrap();
        let mut command = self.command("gnome-keyring-daemon");
        command.args(["--foreground", "--components=secrets"]).stdin(Stdio::piped()).stdout(Stdio::null());
        if password.is_some() {
            command.arg("--unlock");
        }
        let mut keyring = start(&mut command);
        let mut input = keyring.0.stdin.take().unwrap();
        input.write_all(password.unwrap_or_default().as_bytes()).unwrap();
        drop(input);
        self.keyring = Some(keyring);
        let started = tokio::time::timeout(TIMEOUT, owners.next()).await;
        assert!(started.is_ok(), "gnome-keyring-daemon did not appear on the bus");
    }

    async fn stop_keyring(&mut self) {
        let proxy = zbus::fdo::DBusProxy::new(self.watch.as_ref().unwrap()).await.unwrap();
        let mut owners = proxy.receive_name_owner_changed_with_args(&[(0, "org.freedesktop.secrets")]).await.unwrap();
        self.keyring = None;
        let stopped = tokio::time::timeout(TIMEOUT, owners.next()).await;
        assert!(stopped.is_ok(), "gnome-keyring-daemon did not leave the bus");
    }

    fn socket(&self) -> PathBuf {
        self.home.path().join("run").join("bus")
    }

    /// A program in this session and in no other: nothing of the environment but the search path is inherited.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let home = self.home.path();
        let mut command = Command::new(program);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home);
        for (name, folder) in
            [("RUNTIME_DIR", "run"), ("CONFIG_HOME", "config"), ("DATA_HOME", "data"), ("CACHE_HOME", "cache")]
        {
            command.env(format!("XDG_{name}"), home.join(folder));
        }
        command.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", self.socket().display()));
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// What a new process of this session gets to hear from the keychain of `person`.
    async fn ask(&self, person: &str, question: &str) -> String {
        let mut command = self.command(std::env::current_exe().unwrap());
        command.args(["--exact", "gnome_keyring::asks_the_keychain", "--ignored", "--nocapture", "--test-threads=1"]);
        command.env("POSTERN_TEST_QUESTION", question).env("POSTERN_TEST_DATA_DIR", self.home.path().join(person));
        let child = tokio::process::Command::from(command).kill_on_drop(true).output();
        let output = tokio::time::timeout(TIMEOUT, child).await.expect("an answer in time").unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let answer = text.lines().find_map(|line| line.split_once(ANSWER));
        answer.unwrap_or_else(|| panic!("{person}: {question} got no answer:\n{text}")).1.to_owned()
    }

    fn assert_no_secret_in_clear(&self) {
        let hex = hex::encode(SECRET);
        let mut seen = 0;
        let mut folders = vec![self.home.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let kind = entry.file_type().unwrap();
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() {
                    let bytes = fs::read(entry.path()).unwrap();
                    for clear in [SECRET, &SECRET[1..20], hex.as_bytes(), hex.to_uppercase().as_bytes()] {
                        let found = bytes.windows(clear.len()).any(|window| window == clear);
                        assert!(!found, "the secret is in clear in {}", entry.path().display());
                    }
                    seen += 1;
                }
            }
        }
        assert!(seen > 1, "the bus's configuration and a keyring should have been searched");
    }

    fn has_keyring_file(&self) -> bool {
        self.home.path().join("data/keyrings/login.keyring").exists()
    }
}

fn start(command: &mut Command) -> Running {
    let program = Path::new(command.get_program()).display().to_string();
    Running(command.spawn().unwrap_or_else(|error| panic!("{program} did not start ({error}); {INSTALL}")))
}

/// The second process: asks one question and prints the answer. Without a question (`cargo test -- --ignored`) it does nothing.
#[tokio::test]
#[ignore = "run by the other tests inside their own session"]
async fn asks_the_keychain() {
    let Ok(question) = std::env::var("POSTERN_TEST_QUESTION") else {
        return;
    };
    let data_dir = std::env::var_os("POSTERN_TEST_DATA_DIR").unwrap();
    let keychain = Keychain::os(Profile::of(Path::new(&data_dir)).unwrap());
    let answer = match question.as_str() {
        "get" => keychain.get("identity").await.map(|secret| match secret {
            None => "nothing".to_owned(),
            Some(secret) if secret.as_slice() == SECRET => "the secret".to_owned(),
            Some(secret) if secret.as_slice() == b"another" => "another".to_owned(),
            Some(_) => "something else".to_owned(),
        }),
        "put" => keychain.put("identity", SECRET).await.map(|()| "done".to_owned()),
        "put another" => keychain.put("identity", b"another").await.map(|()| "done".to_owned()),
        "delete" => keychain.delete("identity").await.map(|()| "done".to_owned()),
        _ => panic!("no such question: {question}"),
    };
    let answer = answer.unwrap_or_else(|error| {
        let told = format!("{error} {error:?}");
        assert!(!told.contains("secret of Postern"), "{told}");
        if error.code() == "keychain-failed" { told } else { error.code().to_owned() }
    });
    println!("\n{ANSWER}{answer}");
}

#[tokio::test]
async fn create_read_replace_delete() {
    let session = Session::unlocked().await;
    assert_eq!(session.ask("ann", "get").await, "nothing");
    assert_eq!(session.ask("ann", "put").await, "done");
    assert_eq!(session.ask("ann", "get").await, "the secret");
    assert_eq!(session.ask("ann", "put another").await, "done");
    assert_eq!(session.ask("ann", "get").await, "another");
    assert_eq!(session.ask("ann", "delete").await, "done");
    assert_eq!(session.ask("ann", "get").await, "nothing");
    assert_eq!(session.ask("ann", "delete").await, "done");
}

#[tokio::test]
async fn two_data_directories_are_two_people() {
    let session = Session::unlocked().await;
    assert_eq!(session.ask("ann", "put").await, "done");
    assert_eq!(session.ask("ben", "get").await, "nothing");
    assert_eq!(session.ask("ben", "put another").await, "done");
    assert_eq!(session.ask("ann", "get").await, "the secret");
    assert_eq!(session.ask("ben", "delete").await, "done");
    assert_eq!(session.ask("ann", "get").await, "the secret");
}

#[tokio::test]
async fn survives_a_restart_and_is_nowhere_in_clear() {
    let mut session = Session::unlocked().await;
    assert_eq!(session.ask("ann", "put").await, "done");
    session.stop_keyring().await;
    assert!(session.has_keyring_file());
    session.assert_no_secret_in_clear();
    assert_eq!(session.ask("ann", "get").await, "keychain-no-service");
    session.start_keyring(Some("login password")).await;
    assert_eq!(session.ask("ann", "get").await, "the secret");
    session.assert_no_secret_in_clear();
}

#[tokio::test]
async fn a_locked_keychain_is_distinguished_from_an_empty_one() {
    let mut session = Session::unlocked().await;
    assert_eq!(session.ask("ann", "put").await, "done");
    session.stop_keyring().await;
    session.start_keyring(None).await;
    assert_eq!(session.ask("ann", "get").await, "keychain-locked");
    assert_eq!(session.ask("ann", "put another").await, "keychain-locked");
    assert_eq!(session.ask("ann", "delete").await, "keychain-locked");
    // Nothing of ben's is there, but a locked keyring is not the one to say so.
    assert_eq!(session.ask("ben", "get").await, "keychain-locked");
    assert_eq!(session.ask("ben", "put").await, "keychain-locked");
    assert_eq!(session.ask("ben", "delete").await, "keychain-locked");

    session.stop_keyring().await;
    session.start_keyring(Some("login password")).await;
    assert_eq!(session.ask("ann", "get").await, "the secret", "nothing was changed while it was locked");
    assert_eq!(session.ask("ben", "get").await, "nothing");
}

#[tokio::test]
async fn another_login_password_leaves_it_locked() {
    let mut session = Session::unlocked().await;
    assert_eq!(session.ask("ann", "put").await, "done");
    session.stop_keyring().await;
    session.start_keyring(Some("not the login password")).await;
    assert_eq!(session.ask("ann", "get").await, "keychain-locked");
}

#[tokio::test]
async fn no_default_keyring_cannot_store() {
    let mut session = Session::without_keyring().await;
    session.start_keyring(None).await;
    assert_eq!(session.ask("ann", "get").await, "nothing");
    assert_eq!(session.ask("ann", "put").await, "keychain-no-default");
}

#[tokio::test]
async fn no_secret_service() {
    let session = Session::without_keyring().await;
    for question in ["get", "put", "delete"] {
        assert_eq!(session.ask("ann", question).await, "keychain-no-service", "{question}");
    }
}

#[tokio::test]
async fn no_bus() {
    let session = Session::without_bus().await;
    for question in ["get", "put", "delete"] {
        assert_eq!(session.ask("ann", question).await, "keychain-no-bus", "{question}");
    }
}

#[tokio::test]
async fn the_bus_went_away() {
    let mut session = Session::unlocked().await;
    session.keyring = None;
    session.watch = None;
    session.bus = None;
    assert_eq!(session.ask("ann", "get").await, "keychain-no-bus");
}
