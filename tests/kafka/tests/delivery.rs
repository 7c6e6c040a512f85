//! Delivery that survives restarts, with everything real: two programs, a hub and a broker as processes, which are killed at random.

use std::path::Path;
use std::time::{Duration, Instant};

use postern_kafka_broker::{Broker, Options};
use postern_testkit::program::command;
use postern_testkit::{Process, TIMEOUT, eventually, temp_dir};
use tempfile::TempDir;

use crate::harness::{TestHub, own_broker};
use crate::random::Random;

/// Each way; `POSTERN_KAFKA_MESSAGES` overrides it, as `cargo xtask trials kafka` does.
const MESSAGES: u64 = 2_000;
/// For the messages above, restarts included; more messages get more.
const DELIVERED: Duration = Duration::from_secs(300);
const MORE_FOR_EACH_MESSAGE: Duration = Duration::from_millis(40);

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Kafka is asked to stop, and started again.
    BrokerStopped,
    /// Kafka is killed, and started again.
    BrokerKilled,
    HubKilled,
    /// The program that connects.
    AliceKilled,
    /// The program that accepts.
    BobKilled,
}

const FAULTS: [Fault; 9] = [
    Fault::BrokerStopped,
    Fault::BrokerKilled,
    Fault::HubKilled,
    Fault::HubKilled,
    Fault::HubKilled,
    Fault::AliceKilled,
    Fault::AliceKilled,
    Fault::BobKilled,
    Fault::BobKilled,
];

/// One of the two programs.
pub(crate) struct Program {
    pub(crate) process: Process,
    directory: TempDir,
    identifier: String,
    accepts: bool,
}

/// What both programs are started with.
pub(crate) struct Setting {
    pub(crate) hub: String,
    pub(crate) messages: u64,
    pub(crate) seed: u64,
    pub(crate) streams: [String; 2],
}

impl Program {
    /// Starts both; `more` are arguments of the one that accepts.
    pub(crate) fn start_both(setting: &Setting, more: &[String]) -> [Self; 2] {
        let identify = |directory: &TempDir| {
            let mut identity = command("postern-delivery-peer");
            let run = Process::run(identity.args(["identity", "--data"]).arg(directory.path()), TIMEOUT).success();
            run.stdout.trim().to_owned()
        };
        let directories = [temp_dir(), temp_dir()];
        let identifiers = directories.each_ref().map(identify);
        let [alice, bob] = directories;
        let start = |directory: TempDir, accepts: bool| {
            let [mine, peer] = [usize::from(accepts), usize::from(!accepts)];
            let more = if accepts { more } else { &[] };
            let process = Self::spawn(directory.path(), accepts, &identifiers[peer], setting, more);
            Self { process, directory, identifier: identifiers[mine].clone(), accepts }
        };
        [start(alice, false), start(bob, true)]
    }

    fn spawn(data: &Path, accepts: bool, peer: &str, setting: &Setting, more: &[String]) -> Process {
        let Setting { hub, messages, seed, streams: [to_bob, to_alice] } = setting;
        let mut program = command("postern-delivery-peer");
        program.args(["run", "--hub", hub, "--peer", peer, "--data"]).arg(data);
        program.args(["--messages", &messages.to_string(), "--seed", &seed.to_string()]);
        match accepts {
            true => program.args(["--accept", "--sender", to_alice, "--receiver", to_bob]),
            false => program.args(["--sender", to_bob, "--receiver", to_alice]),
        };
        Process::spawn(program.args(more))
    }

    /// Starts it again, when it has ended.
    fn restart(&mut self, peer: &str, setting: &Setting, more: &[String]) {
        self.process = Self::spawn(self.directory.path(), self.accepts, peer, setting, more);
    }

    /// How many messages it has handled, as its next line of progress says; nothing while it starts.
    fn handled(&self) -> u64 {
        let line = self.process.wait_for_line(|line| line.starts_with("progress "), TIMEOUT);
        line.split(' ').nth(1).and_then(|count| count.parse().ok()).expect("a number")
    }

    /// Ends it, and asks for what its handler has done.
    #[track_caller]
    pub(crate) fn check(&self, messages: u64) {
        self.check_in(self.directory.path(), messages);
    }

    /// The same where the store is elsewhere.
    #[track_caller]
    pub(crate) fn check_in(&self, store: &Path, messages: u64) {
        self.process.kill();
        let mut check = command("postern-delivery-peer");
        let run = Process::run(check.args(["check", "--data"]).arg(store), TIMEOUT).success();
        assert_eq!(run.stdout.trim(), format!("effects {messages} in order"));
    }
}

fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().expect("a number"))
}

#[test]
fn everything_arrives_once_and_in_order_whatever_is_killed() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = number_from("POSTERN_KAFKA_SEED").unwrap_or(now);
    let messages = number_from("POSTERN_KAFKA_MESSAGES").unwrap_or(MESSAGES);
    eprintln!("POSTERN_KAFKA_SEED={seed} POSTERN_KAFKA_MESSAGES={messages}");
    let Some(mut broker) = own_broker(Options::default()) else { return };
    let mut hub = TestHub::with_kafka(&broker.bootstrap());
    let setting = Setting {
        hub: hub.address().to_string(),
        messages,
        seed,
        streams: ["alice_to_bob".into(), "bob_to_alice".into()],
    };
    let mut programs = Program::start_both(&setting, &[]);
    let started = Instant::now();
    let mut random = Random::seeded(seed);
    for (at, fault) in schedule(&mut random, 2 * messages) {
        let deadline = started + DELIVERED + MORE_FOR_EACH_MESSAGE * u32::try_from(messages).unwrap();
        while programs.iter().map(Program::handled).sum::<u64>() < at {
            assert!(Instant::now() < deadline, "too slow before {fault:?} at {at}");
        }
        eprintln!("{:8.1} s, {at} messages: {fault:?}", started.elapsed().as_secs_f64());
        happen(fault, &mut broker, &mut hub, &mut programs, &setting);
    }
    let left = (DELIVERED + MORE_FOR_EACH_MESSAGE * u32::try_from(messages).unwrap()).saturating_sub(started.elapsed());
    for program in &programs {
        program.process.wait_for_line(|line| line == "done", left.max(TIMEOUT));
    }
    eprintln!("{:8.1} s: all {messages} messages each way", started.elapsed().as_secs_f64());
    programs.iter().for_each(|program| program.check(messages));
}

/// Each fault, and the number of messages after which it happens.
fn schedule(random: &mut Random, total: u64) -> Vec<(u64, Fault)> {
    let mut faults = FAULTS;
    random.shuffle(&mut faults);
    let mut places: Vec<u64> = faults.iter().map(|_| random.below(total * 9 / 10)).collect();
    places.sort_unstable();
    places.into_iter().zip(faults).collect()
}

fn happen(fault: Fault, broker: &mut Broker, hub: &mut TestHub, [alice, bob]: &mut [Program; 2], setting: &Setting) {
    match fault {
        Fault::BrokerStopped => {
            broker.stop().unwrap();
            broker.restart().unwrap();
        }
        Fault::BrokerKilled => {
            broker.kill().unwrap();
            broker.restart().unwrap();
        }
        Fault::HubKilled => hub.kill_and_restart(),
        Fault::AliceKilled => {
            alice.process.kill();
            alice.restart(&bob.identifier, setting, &[]);
        }
        Fault::BobKilled => {
            bob.process.kill();
            bob.restart(&alice.identifier, setting, &[]);
        }
    }
}

#[test]
fn a_plain_handler_that_dies_before_the_mark_is_called_once_more_and_told_so() {
    // Each mark is written before the next call: only one can be missing.
    let each = ["--unmarked".into(), "1".into()];
    // The default, when nothing else was handled at the time.
    for (messages, die_at, options) in [(20, 7, &each[..]), (1, 1, &[])] {
        let Some(bootstrap) = crate::harness::shared_bootstrap() else { return };
        let hub = TestHub::with_kafka(&bootstrap);
        let streams = ["there", "back"].map(crate::conformance::unique);
        let setting = Setting { hub: hub.address().to_string(), messages, seed: 1, streams };
        let effects = temp_dir();
        let file = effects.path().join("effects");
        let plain = ["--plain".into(), file.display().to_string(), "--die-at".into(), die_at.to_string()];
        let more = [&plain[..], options].concat();
        let [alice, mut bob] = Program::start_both(&setting, &more);
        assert!(!bob.process.wait(TIMEOUT).success());
        bob.restart(&alice.identifier, &setting, &more);
        // Once more than there are messages.
        let lines = eventually("the effects", TIMEOUT, || {
            let lines: Vec<String> = std::fs::read_to_string(&file).ok()?.lines().map(str::to_owned).collect();
            (lines.len() as u64 > messages).then_some(lines)
        });
        let first = (1..=die_at).map(|number| format!("{number} false"));
        let repeated = std::iter::once(format!("{die_at} true"));
        let rest = (die_at + 1..=messages).map(|number| format!("{number} false"));
        assert_eq!(lines, first.chain(repeated).chain(rest).collect::<Vec<_>>());
    }
}

#[test]
fn a_plain_handler_that_dies_before_several_marks_is_called_again_in_order_and_told_so() {
    let Some(bootstrap) = crate::harness::shared_bootstrap() else { return };
    let hub = TestHub::with_kafka(&bootstrap);
    let streams = ["there", "back"].map(crate::conformance::unique);
    let setting = Setting { hub: hub.address().to_string(), messages: 200, seed: 1, streams };
    let effects = temp_dir();
    let file = effects.path().join("effects");
    let more = ["--plain".into(), file.display().to_string(), "--die-at".into(), "100".into()];
    let [alice, mut bob] = Program::start_both(&setting, &more);
    assert!(!bob.process.wait(TIMEOUT).success());
    let calls = || -> Vec<(u64, bool)> {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let parse = |line: &str| line.split_once(' ').map(|(number, again)| (number.parse().unwrap(), again == "true"));
        text.lines().filter_map(parse).collect()
    };
    assert_eq!(calls(), (1..=100).map(|number| (number, false)).collect::<Vec<_>>());
    bob.restart(&alice.identifier, &setting, &more);
    eventually("the last effect", TIMEOUT, || (calls().last()?.0 == 200).then_some(()));
    let after = calls().split_off(100);
    let first = after[0].0;
    assert_eq!(after.iter().map(|(number, _)| *number).collect::<Vec<_>>(), (first..=200).collect::<Vec<_>>());
    assert!((1..=100).contains(&first), "the first that is repeated is {first}");
    assert!(after.iter().take_while(|(number, _)| *number <= 100).all(|(_, again)| *again), "{after:?}");
}
