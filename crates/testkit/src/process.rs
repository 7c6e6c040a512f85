//! A program under test: started, its output collected line by line, and ended.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use serde_json::Value;

use crate::TIMEOUT;
use crate::wait::{eventually, within};

/// How long output that a program wrote before its end may take to reach us.
const OUTPUT_GRACE: Duration = Duration::from_secs(10);

/// A running program in a process group of its own.
///
/// Its output is collected line by line. When the test panics, all of it is printed; when this is dropped, the program
/// and everything it started are killed.
pub struct Process {
    name: String,
    child: Mutex<Child>,
    pid: Pid,
    input: Mutex<Option<ChildStdin>>,
    log: Arc<Log>,
}

/// The result of a program that has ended.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to its standard output.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
}

impl Finished {
    /// Itself, when the program exited with 0.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    #[must_use]
    pub fn success(self) -> Self {
        let Self { status, stdout, stderr } = &self;
        assert!(status.success(), "ended with {status}\n{stdout}\n{stderr}");
        self
    }
}

impl Process {
    /// Starts a program. Its input stays open and empty until [`type_line`](Self::type_line) or
    /// [`end_input`](Self::end_input).
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    #[must_use]
    pub fn spawn(command: &mut Command) -> Self {
        let program = Path::new(command.get_program());
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut child = command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("Failed to start {name}: {error}"));

        let log = Arc::new(Log::default());
        if let Some(stdout) = child.stdout.take() {
            log.collect(Source::Stdout, stdout);
        }
        if let Some(stderr) = child.stderr.take() {
            log.collect(Source::Stderr, stderr);
        }
        Self {
            name,
            pid: Pid::from_child(&child),
            input: Mutex::new(child.stdin.take()),
            child: Mutex::new(child),
            log,
        }
    }

    /// Runs a program to its end, with nothing to read.
    ///
    /// # Panics
    /// When it cannot be started or runs longer than `timeout`.
    #[track_caller]
    #[must_use]
    pub fn run(command: &mut Command, timeout: Duration) -> Finished {
        let process = Self::spawn(command);
        process.end_input();
        Finished { status: process.wait(timeout), stdout: process.stdout(), stderr: process.stderr() }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Waits for a line, from standard output or error, that satisfies `wanted`, and takes it: the same line is never
    /// given twice, but lines may be waited for in any order.
    ///
    /// # Panics
    /// When there is none within `timeout`, or the program ended without it.
    #[track_caller]
    pub fn wait_for_line(&self, wanted: impl Fn(&str) -> bool, timeout: Duration) -> String {
        let line = self.log.take(timeout, |line| wanted(&line.text).then(|| line.text.clone()));
        line.unwrap_or_else(|why| panic!("{} did not print the line waited for: {why}", self.name))
    }

    /// Waits for a line of standard output that is JSON and satisfies `wanted`, and takes it.
    ///
    /// # Panics
    /// As [`wait_for_line`](Self::wait_for_line) does.
    #[track_caller]
    pub fn json_line(&self, wanted: impl Fn(&Value) -> bool, timeout: Duration) -> Value {
        let line = self.log.take(timeout, |line| {
            let json = serde_json::from_str(&line.text).ok()?;
            (line.source == Source::Stdout && wanted(&json)).then_some(json)
        });
        line.unwrap_or_else(|why| panic!("{} did not print the JSON waited for: {why}", self.name))
    }

    /// Waits for the event that a `postern` started with `--json` prints under this name, and takes it.
    ///
    /// # Panics
    /// When it does not come within [`TIMEOUT`].
    #[track_caller]
    pub fn event(&self, name: &str) -> Value {
        self.event_within(name, TIMEOUT)
    }

    /// As [`event`](Self::event) does, with a timeout of the caller's.
    ///
    /// # Panics
    /// When it does not come in time.
    #[track_caller]
    pub fn event_within(&self, name: &str, timeout: Duration) -> Value {
        self.json_line(|json| json["event"] == name, timeout)
    }

    /// Writes a line to its standard input. That it ended without reading it is no error: its output tells why.
    ///
    /// # Panics
    /// When its input was ended, or the pipe fails otherwise.
    #[track_caller]
    pub fn type_line(&self, line: &str) {
        let mut input = locked(&self.input);
        let input = input.as_mut().expect("its input has ended");
        match writeln!(input, "{line}") {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            typed => typed.expect("Failed to write to its input"),
        }
    }

    /// Closes its standard input.
    pub fn end_input(&self) {
        locked(&self.input).take();
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Asks it to end as Ctrl-C does (SIGINT).
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Stops it where it is (SIGSTOP), until [`resume`](Self::resume).
    pub fn suspend(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        // The lock keeps it from being reaped in between, after which its id may be another's.
        let _child = locked(&self.child);
        if matches!(peek(self.pid), Reaped::NotYet) {
            let _ = rustix::process::kill_process(self.pid, signal);
        }
    }

    /// Ends it without asking (SIGKILL), and everything it started, and waits until it is gone.
    ///
    /// # Panics
    /// When the system cannot end it.
    pub fn kill(&self) {
        let mut child = locked(&self.child);
        if matches!(peek(self.pid), Reaped::Before) {
            return;
        }
        let _ = rustix::process::kill_process_group(self.pid, Signal::KILL);
        child.wait().expect("Failed to wait for a killed process");
    }

    /// Waits for its end. What it started and left behind is killed then.
    ///
    /// # Panics
    /// When it has not ended within `timeout`.
    #[track_caller]
    pub fn wait(&self, timeout: Duration) -> ExitStatus {
        let what = format!("{} to end", self.name);
        let status = eventually(&what, timeout, || self.ended());
        // Unless a process outside its group holds the pipes, this ends at once.
        within(OUTPUT_GRACE, || self.log.ended().then_some(()));
        status
    }

    /// How it ended, if it has.
    ///
    /// # Panics
    /// When the system does not know it.
    #[must_use]
    pub fn ended(&self) -> Option<ExitStatus> {
        let mut child = locked(&self.child);
        match peek(self.pid) {
            Reaped::NotYet => return None,
            Reaped::Before => {}
            Reaped::Ready => {
                let _ = rustix::process::kill_process_group(self.pid, Signal::KILL);
            }
        }
        Some(child.wait().expect("Failed to wait for a process"))
    }

    /// Everything it has written to standard output so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.log.text(Source::Stdout)
    }

    /// Everything it has written to standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.log.text(Source::Stderr)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            within(OUTPUT_GRACE, || self.log.ended().then_some(()));
            eprintln!("{}", self.log.shown(&self.name));
        }
    }
}

/// Whether a child has been reaped: until then its id, and so its group's, is its own.
enum Reaped {
    NotYet,
    Ready,
    Before,
}

/// Whether a child has ended, without reaping it: its id stays reserved, so that killing its group cannot hit a
/// process that was given the same number later.
fn peek(pid: Pid) -> Reaped {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match rustix::process::waitid(WaitId::Pid(pid), options) {
        Ok(None) => Reaped::NotYet,
        Ok(Some(_)) => Reaped::Ready,
        Err(_) => Reaped::Before,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Stdout,
    Stderr,
}

struct OutputLine {
    source: Source,
    text: String,
    after: Duration,
    taken: bool,
}

/// What a program has written, in the order of arrival.
struct Log {
    started: Instant,
    state: Mutex<LogState>,
    changed: Condvar,
}

#[derive(Default)]
struct LogState {
    lines: Vec<OutputLine>,
    open: usize,
}

impl Default for Log {
    fn default() -> Self {
        Self { started: Instant::now(), state: Mutex::default(), changed: Condvar::new() }
    }
}

impl Log {
    fn collect(self: &Arc<Self>, source: Source, pipe: impl Read + Send + 'static) {
        let log = Arc::clone(self);
        locked(&log.state).open += 1;
        thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut bytes = Vec::new();
            while let Ok(1..) = pipe.read_until(b'\n', &mut bytes) {
                log.push(source, &bytes);
                bytes.clear();
            }
            locked(&log.state).open -= 1;
            log.changed.notify_all();
        });
    }

    fn push(&self, source: Source, bytes: &[u8]) {
        let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let line = OutputLine {
            source,
            text: String::from_utf8_lossy(line).into_owned(),
            after: self.started.elapsed(),
            taken: false,
        };
        locked(&self.state).lines.push(line);
        self.changed.notify_all();
    }

    /// Waits for the first line not taken yet for which `wanted` gives a value, and takes it.
    fn take<T>(&self, timeout: Duration, wanted: impl Fn(&OutputLine) -> Option<T>) -> Result<T, String> {
        let deadline = Instant::now() + timeout;
        let mut state = locked(&self.state);
        let mut seen = 0;
        loop {
            for line in state.lines.iter_mut().skip(seen).filter(|line| !line.taken) {
                if let Some(found) = wanted(line) {
                    line.taken = true;
                    return Ok(found);
                }
            }
            seen = state.lines.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if state.open == 0 {
                return Err("it has ended".into());
            }
            if left.is_zero() {
                return Err(format!("not within {timeout:?}"));
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether both pipes are closed: nothing more will arrive.
    fn ended(&self) -> bool {
        locked(&self.state).open == 0
    }

    fn text(&self, source: Source) -> String {
        let state = locked(&self.state);
        let mut text = String::new();
        for line in state.lines.iter().filter(|line| line.source == source) {
            text.push_str(&line.text);
            text.push('\n');
        }
        text
    }

    fn shown(&self, name: &str) -> String {
        let mut shown = format!("── output of {name}");
        for line in &locked(&self.state).lines {
            let mark = if line.source == Source::Stdout { ' ' } else { '!' };
            // Writing to a string does not fail.
            let _ = write!(shown, "\n{:9.3}{mark} {}", line.after.as_secs_f64(), line.text);
        }
        shown
    }
}

/// A test that panicked with a lock held must not hide the output of other programs.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
