//! Real peers: nodes on the `ockam` crate and nodes of ours, side by side.
//!
//! ```text
//! test ─ commands ─► ockam-peer ◄═══ TCP ═══► ours ◄─ commands ─ test
//! ```
//!
//! Both programs obey the same commands, so a test is written once and run with the sides swapped. The commands are
//! described in `ockam-peer`'s module `node`.

pub mod noise;
mod portal;
mod program;
pub mod wire;

pub use portal::{Making, Portal, WAYS};

use postern_testkit::Process;
use std::fmt;
use std::process::Command;
use std::time::{Duration, Instant};

/// How long anything may take that does not move much data, on a machine busy with something else.
pub const TIMEOUT: Duration = postern_testkit::TIMEOUT;
/// How long a gigabyte or a hundred thousand answers may take on a small machine busy with something else.
pub const LONG: Duration = Duration::from_secs(900);
/// How long the programs wait, in seconds, for an answer that should come: less than [`TIMEOUT`], so that they tell of it.
const PATIENCE: u64 = 45;
/// How long they wait for one that should not.
const IMPATIENCE: u64 = 3;

/// Lets time pass that a scenario consists of. Results are never waited for like this.
pub fn lasts(duration: Duration) {
    let begun = Instant::now();
    while let Some(rest) = duration.checked_sub(begun.elapsed()).filter(|rest| !rest.is_zero()) {
        std::thread::park_timeout(rest);
    }
}

/// On which crate a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `postern-node`.
    Ours,
    /// `ockam` 0.150.
    Real,
}

use Side::{Ours, Real};

/// Who asks and who answers, mixed both ways.
pub const MIXED: [(Side, Side); 2] = [(Real, Ours), (Ours, Real)];

impl Side {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Ours => Real,
            Real => Ours,
        }
    }
}

/// A node, driven by commands.
pub struct Peer {
    process: Process,
    side: Side,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.side)
    }
}

impl Peer {
    /// Starts a node.
    #[track_caller]
    #[must_use]
    pub fn start(side: Side) -> Self {
        let name = match side {
            Ours => "ours",
            Real => "ockam-peer",
        };
        Self { process: Process::spawn(&mut Command::new(program::path(name))), side }
    }

    /// A node with an identity of its own; gives what it said about it.
    #[track_caller]
    #[must_use]
    pub fn with_identity(side: Side) -> (Self, Identity) {
        let peer = Self::start(side);
        let identity = peer.identity("");
        (peer, identity)
    }

    /// A hub: relays and nothing else. Gives its address.
    #[track_caller]
    #[must_use]
    pub fn hub(side: Side, prefix: &str) -> (Self, String) {
        let hub = Self::start(side);
        let address = hub.tell("listen");
        hub.tell(&format!("hub {prefix}"));
        (hub, address)
    }

    /// Makes an identity: `p256`, a seed, or nothing for any.
    #[track_caller]
    pub fn identity(&self, kind: &str) -> Identity {
        Identity::read(&self.tell(&format!("identity {kind}")))
    }

    /// Gives a command and gets the answer.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn tell(&self, command: &str) -> String {
        self.attempt(command).unwrap_or_else(|failure| panic!("{self}: {command}: {failure}"))
    }

    /// Gives a command that must fail, and gets the reason. It is not waited long for an answer that must not come.
    ///
    /// # Panics
    /// When it succeeds.
    #[track_caller]
    pub fn fails(&self, command: &str) -> String {
        self.tell(&format!("patience {IMPATIENCE}"));
        let failed = self.attempt(command);
        self.tell(&format!("patience {PATIENCE}"));
        match failed {
            Ok(answer) => panic!("{self}: {command} succeeded: {answer}"),
            Err(reason) => reason,
        }
    }

    /// Which crate it stands on.
    #[must_use]
    pub fn side(&self) -> Side {
        self.side
    }

    /// Waits for its end, which nobody asked for.
    #[track_caller]
    pub fn dies(&self) {
        let _ = self.process.wait(TIMEOUT);
    }

    /// Gives a command again and again until it succeeds.
    #[track_caller]
    pub fn at_last(&self, command: &str) -> String {
        postern_testkit::eventually(&format!("{self} to {command}"), 2 * TIMEOUT, || self.attempt(command).ok())
    }

    /// Gives a command that may fail, and gets the answer or the reason.
    ///
    /// # Errors
    /// It says what is wrong.
    #[track_caller]
    pub fn attempt(&self, command: &str) -> Result<String, String> {
        let verb = command.split_ascii_whitespace().next().unwrap_or_default();
        self.process.type_line(command);
        let (good, bad) = (format!("{verb} "), format!("failed {verb}: "));
        let answers = |line: &str| line == verb || line.starts_with(&good) || line.starts_with(&bad);
        let line = self.process.wait_for_line(answers, TIMEOUT);
        match line.strip_prefix(&bad) {
            Some(reason) => Err(reason.to_owned()),
            None => Ok(line.strip_prefix(&good).unwrap_or_default().to_owned()),
        }
    }

    /// Waits for something it tells by itself, and gives what follows the word.
    #[track_caller]
    pub fn tells(&self, word: &str) -> String {
        self.tells_within(word, TIMEOUT)
    }

    /// The same with another time.
    #[track_caller]
    pub fn tells_within(&self, word: &str, timeout: Duration) -> String {
        let start = format!("{word} ");
        let line = self.process.wait_for_line(|line| line.starts_with(&start), timeout);
        line[start.len()..].to_owned()
    }

    /// Stops the program for a while, as a machine that sleeps does.
    pub fn stand_still(&self, duration: Duration) {
        self.process.suspend();
        lasts(duration);
        self.process.resume();
    }

    /// Whether it has told something by itself that begins with the word.
    #[must_use]
    pub fn has_told(&self, word: &str) -> bool {
        let start = format!("{word} ");
        self.process.stdout().lines().any(|line| line.starts_with(&start))
    }

    /// Asks until the answer is the one wanted.
    #[track_caller]
    pub fn eventually(&self, command: &str, wanted: &str) {
        let what = format!("{self} to answer `{wanted}` to {command}");
        postern_testkit::eventually(&what, TIMEOUT, || (self.tell(command) == wanted).then_some(()));
    }

    /// The memory it has resident now, in bytes.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it runs");
        let kibibytes = line.trim_end_matches("kB").trim().parse::<u64>().expect("a number");
        kibibytes * 1024
    }
}

/// What is public about an identity.
#[derive(Debug, Clone)]
pub struct Identity {
    /// `I` and 64 hex digits.
    pub identifier: String,
    /// Its change history in hex.
    pub history: String,
}

impl Identity {
    #[track_caller]
    fn read(answer: &str) -> Self {
        let (identifier, history) = answer.split_once(' ').expect("an identifier and a history");
        Self { identifier: identifier.to_owned(), history: history.to_owned() }
    }
}
