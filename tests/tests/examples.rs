//! Bob and Alice: the library in as few lines as it can be shown in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use postern_testkit::program::command;
use postern_testkit::{Hub, Process, TIMEOUT, temp_dir};

/// Lines of code that both programs together may have.
const LINES: usize = 40;

fn sources() -> [PathBuf; 2] {
    let programs = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/src/bin"));
    ["bob.rs", "alice.rs"].map(|program| programs.join(program))
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
fn both_together_are_short() {
    let mut lines = Vec::new();
    for source in sources() {
        let code = fs::read_to_string(source).unwrap();
        // What would not be counted must not be there.
        for hidden in ["/*", "macro_rules", "include!", "postern_examples", "\nmod "] {
            assert!(!code.contains(hidden), "{hidden}");
        }
        let lines_of_code = code.lines().filter(|line| !line.trim().is_empty() && !line.trim().starts_with("//"));
        lines.extend(lines_of_code.map(str::to_owned));
    }
    assert!(lines.len() <= LINES, "{} lines of code:\n{}", lines.len(), lines.join("\n"));
}

#[test]
fn both_are_in_rustfmts_default_style() {
    let default = temp_dir();
    fs::write(default.path().join("rustfmt.toml"), "").unwrap();
    let mut rustfmt = Command::new("rustfmt");
    rustfmt.args(["--check", "--edition", "2024", "--config-path"]).arg(default.path());
    let _ = Process::run(rustfmt.args(sources()), TIMEOUT).success();
}
