//! Bob and Alice: the library in as few lines as it can be shown in. One pair trusts anyone, the other only each other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use postern_testkit::program::command;
use postern_testkit::{Hub, Process, TIMEOUT, temp_dir};

/// The pair that leaves trust out, and the lines of code that both programs together may have.
const SHORTEST: ([&str; 2], usize) = (["bob.rs", "alice.rs"], 40);
/// The pair that accepts only each other.
const TRUSTED: ([&str; 2], usize) = (["bob_trusted.rs", "alice_trusted.rs"], 60);
/// The pair that talks through Apache Kafka; `tests/kafka` runs it.
const KAFKA: ([&str; 2], usize) = (["kafka_bob.rs", "kafka_alice.rs"], 55);
const PAIRS: [([&str; 2], usize); 3] = [SHORTEST, TRUSTED, KAFKA];

fn sources(programs: [&str; 2]) -> [PathBuf; 2] {
    let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/src/bin"));
    programs.map(|program| directory.join(program))
}

/// Starts a program of the pair that accepts only each other; with it, the identifier that it prints first.
fn start(program: &str, hub: &str) -> (Process, String) {
    let process = Process::spawn(command(program).arg(hub));
    let identifier = process.wait_for_line(|line| line.starts_with('I'), TIMEOUT).trim().to_owned();
    (process, identifier)
}

/// Bob, who has been told whom to accept; with him, his identifier and the relay that he prints when he is ready.
fn start_bob(hub: &str, accepted: &str) -> (Process, [String; 2]) {
    let (bob, identifier) = start("bob_trusted", hub);
    bob.type_line(accepted);
    let relay = bob.wait_for_line(|line| !line.trim().is_empty() && line.trim() != identifier, TIMEOUT);
    (bob, [identifier, relay.trim().to_owned()])
}

#[test]
fn alice_gets_her_echo_from_bob_through_a_hub() {
    let hub = Hub::start();
    let hub_address = hub.address().to_string();
    let bob = Process::spawn(command("bob").arg(&hub_address));
    let relay = bob.wait_for_line(|_| true, TIMEOUT);
    for _ in 0..2 {
        let alice = Process::run(command("alice").args([&hub_address, relay.trim()]), TIMEOUT).success();
        assert!(alice.stdout.to_lowercase().contains("hello"), "{alice:?}");
    }
    assert!(bob.ended().is_none());
}

#[test]
fn alice_fails_without_bob() {
    let hub = Hub::start();
    let alice = Process::run(command("alice").args([&hub.address().to_string(), "nobody"]), TIMEOUT);
    assert!(alice.status.code().is_some_and(|code| code != 0), "{alice:?}");
}

#[test]
fn bob_and_alice_who_trust_only_each_other_talk() {
    let hub = Hub::start();
    let hub_address = hub.address().to_string();
    let (alice, identifier) = start("alice_trusted", &hub_address);
    let (bob, lines) = start_bob(&hub_address, &identifier);
    lines.iter().for_each(|line| alice.type_line(line));
    assert!(alice.wait(TIMEOUT).success());
    assert!(alice.stdout().lines().any(|line| line == "Hello Bob!"), "{}", alice.stdout());
    assert!(bob.ended().is_none());
}

#[test]
fn bob_refuses_whoever_is_not_alice() {
    let hub = Hub::start();
    let hub_address = hub.address().to_string();
    let (expected, identifier) = start("alice_trusted", &hub_address);
    let (_bob, lines) = start_bob(&hub_address, &identifier);
    let (stranger, _) = start("alice_trusted", &hub_address);
    lines.iter().for_each(|line| stranger.type_line(line));
    // Bob refuses her proof, which is the handshake's last message: she waits for her echo in vain.
    assert!(!stranger.wait(TIMEOUT).success());
    assert!(!stranger.stdout().contains("Hello"), "{}", stranger.stdout());
    lines.iter().for_each(|line| expected.type_line(line));
    assert!(expected.wait(TIMEOUT).success());
}

#[test]
fn alice_refuses_whoever_is_not_bob() {
    let hub = Hub::start();
    let hub_address = hub.address().to_string();
    let (alice, identifier) = start("alice_trusted", &hub_address);
    let (_bob, [bob_identifier, _]) = start_bob(&hub_address, &identifier);
    let (_impostor, [_, relay]) = start_bob(&hub_address, &identifier);
    [bob_identifier, relay].iter().for_each(|line| alice.type_line(line));
    assert!(!alice.wait(TIMEOUT).success());
    assert!(!alice.stdout().contains("Hello"), "{}", alice.stdout());
}

#[test]
fn each_pair_is_short() {
    for (programs, most) in PAIRS {
        let mut lines = Vec::new();
        for source in sources(programs) {
            let code = fs::read_to_string(source).unwrap();
            // What would not be counted must not be there.
            for hidden in ["/*", "macro_rules", "include!", "postern_examples", "\nmod "] {
                assert!(!code.contains(hidden), "{hidden}");
            }
            let lines_of_code = code.lines().filter(|line| !line.trim().is_empty() && !line.trim().starts_with("//"));
            lines.extend(lines_of_code.map(str::to_owned));
        }
        assert!(lines.len() <= most, "{} lines of code:\n{}", lines.len(), lines.join("\n"));
    }
}

#[test]
fn all_are_in_rustfmts_default_style() {
    let default = temp_dir();
    fs::write(default.path().join("rustfmt.toml"), "").unwrap();
    let mut rustfmt = Command::new("rustfmt");
    rustfmt.args(["--check", "--edition", "2024", "--config-path"]).arg(default.path());
    let all = PAIRS.into_iter().flat_map(|(programs, _)| sources(programs));
    let _ = Process::run(rustfmt.args(all), TIMEOUT).success();
}
