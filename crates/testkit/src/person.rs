//! A person: `postern up` with a data directory of its own, driven by the commands of the same program.

mod actions;
mod clock;
mod secrets;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use crate::json::text;
use crate::network_namespace::{Namespace, isolated};
use crate::{Hub, Process, TIMEOUT, program, temp_dir};

pub use clock::FakeClock;

/// The passphrase of everybody's key file.
pub const PASSPHRASE: &str = "correct horse battery staple";

/// A person, with a running engine or a stopped one.
///
/// When it is dropped and the test has not failed, everything it wrote is searched for the secrets of invitations.
pub struct Person {
    name: String,
    home: TempDir,
    engine: Option<Process>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// Whether engines run in a network namespace of their own.
    is_isolated: bool,
    namespace: Option<Arc<Namespace>>,
    /// Whether writing beyond a limit of file sizes is an error for engines, and not a signal that ends them.
    has_file_limit: bool,
    output: Mutex<String>,
}

/// How a command failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandFailure {
    /// The exit code.
    pub exit: i32,
    /// The code for programs.
    pub code: String,
    /// The message for people.
    pub message: String,
    /// The events that the command printed before.
    pub events: Vec<Value>,
}

impl Person {
    /// A person with a running engine, its key in a file, connected to a hub.
    ///
    /// # Panics
    /// When the engine does not start in time.
    #[track_caller]
    #[must_use]
    pub fn start(hub: &Hub, name: &str) -> Self {
        let mut person = Self::stopped(name, &["--hub", &hub.address().to_string()]);
        person.up();
        person
    }

    /// A person whose engine was never started, and the further arguments of its `postern up`.
    #[must_use]
    pub fn stopped(name: &str, arguments: &[&str]) -> Self {
        let home = temp_dir();
        fs::write(home.path().join("passphrase"), PASSPHRASE).expect("Failed to write a passphrase");
        Self {
            name: name.to_owned(),
            home,
            engine: None,
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            environment: vec![("POSTERN_LOG".into(), "debug".into())],
            is_isolated: false,
            namespace: None,
            has_file_limit: false,
            output: Mutex::default(),
        }
    }

    /// Sets an environment variable of everything that they start from now on.
    pub fn set_env(&mut self, variable: &str, value: impl Into<String>) {
        self.environment.push((variable.to_owned(), value.into()));
    }

    /// From now on, starts engines in a [network namespace](crate::network_namespace) of their own. Commands reach them as always.
    pub fn isolate(&mut self) {
        self.is_isolated = true;
    }

    /// From now on, starts engines in a [network namespace](Namespace) that is shared with other programs.
    pub fn enter(&mut self, namespace: Arc<Namespace>) {
        self.namespace = Some(namespace);
    }

    /// From now on, starts engines for which [`fill_disk`](Self::fill_disk) can be called.
    pub fn expect_full_disk(&mut self) {
        self.has_file_limit = true;
    }

    /// Makes everything that the engine writes to files fail, or succeed again, as when its disk is full and when it is not (Linux).
    ///
    /// # Panics
    /// When the engine does not run, or its limits cannot be set.
    #[track_caller]
    pub fn fill_disk(&self, is_full: bool) {
        let limit = if is_full { "--fsize=1:" } else { "--fsize=unlimited:" };
        let process = self.process().id().to_string();
        let _ = Process::run(Command::new("prlimit").args(["--pid", &process, limit]), TIMEOUT).success();
    }

    /// Starts the engine and waits until commands reach it.
    ///
    /// # Panics
    /// When that does not happen in time.
    #[track_caller]
    pub fn up(&mut self) {
        let process = self.spawn_engine();
        process.event("up");
        self.engine = Some(process);
    }

    /// Starts an engine and waits for nothing.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    #[must_use]
    pub fn spawn_engine(&self) -> Process {
        let mut command = with_passphrase(&self.passphrase_file());
        command.args(["--json", "up", "--keychain", "file", "--passphrase-fd", "3", "--name", &self.name]);
        command.args(&self.arguments);
        if self.has_file_limit {
            command = ignoring_file_limit(&command);
        }
        if self.is_isolated {
            command = isolated(&command);
        }
        if let Some(namespace) = &self.namespace {
            command = namespace.enter(&command);
        }
        Process::spawn(self.with_environment(&mut command))
    }

    /// Stops the engine as Ctrl-C does.
    ///
    /// # Panics
    /// When it does not stop in time, or not with success.
    #[track_caller]
    pub fn stop(&mut self) {
        let engine = self.engine.take().expect("the engine runs");
        engine.interrupt();
        let status = engine.wait(TIMEOUT);
        self.record(&engine.stdout());
        self.record(&engine.stderr());
        assert!(status.success(), "{} ended with {status}\n{}", self.name, engine.stderr());
    }

    /// Kills the engine, as a power failure does.
    ///
    /// # Panics
    /// When it does not run.
    #[track_caller]
    pub fn kill(&mut self) {
        let engine = self.engine.take().expect("the engine runs");
        engine.kill();
        self.record(&engine.stdout());
        self.record(&engine.stderr());
    }

    /// Stops the engine and starts it again.
    ///
    /// # Panics
    /// As [`stop`](Self::stop) and [`up`](Self::up) do.
    #[track_caller]
    pub fn restart(&mut self) {
        self.stop();
        self.up();
    }

    /// The engine's process.
    ///
    /// # Panics
    /// When it does not run.
    #[track_caller]
    #[must_use]
    pub fn process(&self) -> &Process {
        self.engine.as_ref().expect("the engine runs")
    }

    /// Their name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Their data directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// A file beside their data directory.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The file with the passphrase of their key file.
    #[must_use]
    pub fn passphrase_file(&self) -> PathBuf {
        self.file("passphrase")
    }

    /// A `postern --json` command for their data directory, ready to run.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program::postern();
        command.arg("--json").args(arguments);
        self.with_environment(&mut command);
        command
    }

    fn with_environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("POSTERN_DATA_DIR", self.data_dir());
        command.envs(self.environment.iter().map(|(variable, value)| (variable, value)))
    }

    /// Runs a command that must succeed; gives the events it printed.
    ///
    /// # Panics
    /// When it fails, or does not end in time.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Vec<Value> {
        self.run_with_input(arguments, "")
    }

    /// As [`run`](Self::run) does, with a line on standard input.
    ///
    /// # Panics
    /// As [`run`](Self::run) does.
    #[track_caller]
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Vec<Value> {
        match self.try_run(arguments, input) {
            Ok(events) => events,
            Err(failure) => panic!("{} {arguments:?}: {failure:?}", self.name),
        }
    }

    /// Runs a command that must fail.
    ///
    /// # Panics
    /// When it does not fail, or without an event that says why.
    #[track_caller]
    pub fn fails(&self, arguments: &[&str]) -> CommandFailure {
        self.fails_with_input(arguments, "")
    }

    /// As [`fails`](Self::fails) does, with a line on standard input.
    ///
    /// # Panics
    /// As [`fails`](Self::fails) does.
    #[track_caller]
    pub fn fails_with_input(&self, arguments: &[&str], input: &str) -> CommandFailure {
        match self.try_run(arguments, input) {
            Ok(events) => panic!("{} {arguments:?} did not fail: {events:?}", self.name),
            Err(failure) => failure,
        }
    }

    /// Runs a command that may fail, with a line on standard input unless that is empty.
    ///
    /// # Errors
    /// How it failed.
    ///
    /// # Panics
    /// When it does not end in time, or fails without an event that says why.
    #[track_caller]
    pub fn try_run(&self, arguments: &[&str], input: &str) -> Result<Vec<Value>, CommandFailure> {
        let process = Process::spawn(&mut self.command(arguments));
        if !input.is_empty() {
            process.type_line(input);
        }
        process.end_input();
        let status = process.wait(TIMEOUT);
        let (stdout, stderr) = (process.stdout(), process.stderr());
        self.record(&stderr);
        // Only the command that creates a link may print it.
        if !stdout.contains("\"event\":\"invited\"") {
            self.record(&stdout);
        }
        let events: Vec<Value> = stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        if status.success() {
            return Ok(events);
        }
        let failed = events.iter().find(|event| event["event"] == "failed");
        let failed = failed.unwrap_or_else(|| panic!("{arguments:?} ended with {status}\n{stdout}\n{stderr}"));
        Err(CommandFailure {
            exit: status.code().unwrap_or(-1),
            code: text(&failed["code"]).to_owned(),
            message: text(&failed["error"]).to_owned(),
            events: events.clone(),
        })
    }

    fn record(&self, text: &str) {
        locked(&self.output).push_str(text);
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.assert_no_secret_written();
        }
    }
}

/// `postern` with a passphrase file open at file descriptor 3: the shell opens it and becomes the program. Arguments
/// such as `--passphrase-fd 3` are the caller's.
///
/// # Panics
/// When the workspace does not build.
#[must_use]
pub fn with_passphrase(file: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", r#"exec "$0" "$@" 3< "$PASSPHRASE_FILE""#]).arg(program::path("postern"));
    command.env("PASSPHRASE_FILE", file);
    command
}

/// The same command with the signal ignored that ends a program when it writes beyond its limit of file sizes; the write then fails.
fn ignoring_file_limit(command: &Command) -> Command {
    let mut ignoring = Command::new("env");
    ignoring.arg("--ignore-signal=XFSZ").arg(command.get_program()).args(command.get_args());
    ignoring.envs(command.get_envs().filter_map(|(variable, value)| Some((variable, value?))));
    ignoring
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
