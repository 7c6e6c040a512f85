//! What `docs/kafka.md` tells a reader to type is executed, and does what it says: every console block that needs no other broker
//! than the test's.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use postern_kafka_broker::Tools;
use postern_testkit::port::{free_port, loopback};
use postern_testkit::program::command;
use postern_testkit::{Process, TIMEOUT, contains, temp_dir};

use crate::harness::shared_bootstrap;

const DOCUMENT: &str = include_str!("../../../docs/kafka.md");
/// Stands for any text, in commands and in what they print.
const ANY: char = '…';

/// A fenced block: its language, and its lines.
fn blocks() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut blocks = Vec::new();
    let mut lines = DOCUMENT.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            blocks.push((language, lines.by_ref().take_while(|line| *line != "```").collect()));
        }
    }
    blocks
}

/// Whether a line is what the document says, in which [`ANY`] is any text.
fn is_like(line: &str, said: &str) -> bool {
    let mut parts = said.split(ANY);
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// What a reader has done so far.
struct Reader {
    bootstrap: String,
    directory: tempfile::TempDir,
    hub: String,
    /// What was printed, by what the document says of it.
    printed: BTreeMap<String, String>,
    programs: Vec<(String, Process)>,
}

impl Reader {
    /// The command as the reader types it: with the addresses, files and names that are right here.
    fn typed(&self, said: &str) -> Vec<String> {
        said.split(' ').map(|word| self.word(word)).collect()
    }

    fn word(&self, word: &str) -> String {
        let prefix = "postern-";
        match word {
            "127.0.0.1:4000" => self.hub.clone(),
            "hub.toml" | "target/kafka-hub" => {
                self.directory.path().join(Path::new(word).file_name().unwrap()).display().to_string()
            }
            _ if word.contains(ANY) => match word.strip_prefix(prefix) {
                Some(name) => format!("{prefix}{}", self.printed[name]),
                None => self.printed[word].clone(),
            },
            _ => word.to_owned(),
        }
    }

    /// hub.toml, as the document has it, with the broker that was started.
    fn write_configuration(&self, lines: &[&str]) {
        assert_eq!(lines[0], "# hub.toml");
        let text = lines.join("\n");
        assert!(text.contains("127.0.0.1:9092"), "the address to replace: {text}");
        std::fs::write(self.directory.path().join("hub.toml"), text.replace("127.0.0.1:9092", &self.bootstrap))
            .unwrap();
    }

    /// Executes what stands behind a prompt, and compares what it prints with the lines below.
    fn execute(&mut self, who: &str, said: &str, below: &[&str]) {
        let words = self.typed(said);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match (who, &words[..]) {
            // The test has one; it is what this prints the address of.
            ("broker", ["cargo", "xtask", "kafka"]) => {
                assert!(is_like("Apache Kafka listens on 127.0.0.1:9. In hub.toml:", below[0]))
            }
            ("broker", ["cargo", "xtask", "kafka", "consume", topic]) => self.consume(topic),
            (_, ["cargo", "run", "--bin", program, arguments @ ..]) => {
                let arguments = arguments.strip_prefix(&["--"]).unwrap_or(arguments);
                let mut program = command(program);
                program.args(arguments);
                match who {
                    "alice" => self.talk(program, below),
                    _ => self.start(who, program, below),
                }
            }
            other => panic!("the test does not know how to execute {other:?}"),
        }
    }

    /// A program that prints these lines and runs on.
    fn start(&mut self, who: &str, mut program: Command, below: &[&str]) {
        let process = Process::spawn(&mut program);
        for said in below {
            let expected = said.replace("127.0.0.1:4000", &self.hub);
            let line = process.wait_for_line(|line| is_like(line, &expected), TIMEOUT);
            self.printed.insert((*said).to_owned(), line);
        }
        self.programs.push((who.to_owned(), process));
    }

    /// A program that is typed one line, and answers with the other.
    fn talk(&mut self, mut program: Command, below: &[&str]) {
        let [typed, echo] = below else { panic!("a line and its echo: {below:?}") };
        let process = Process::spawn(&mut program);
        process.type_line(typed);
        process.wait_for_line(|line| line == *echo, TIMEOUT);
        self.printed.insert("what Alice typed".into(), (*typed).to_owned());
        self.programs.push(("alice".into(), process));
    }

    /// "nothing of what Alice typed is in it".
    fn consume(&self, topic: &str) {
        let consumed = Tools::at(&self.bootstrap).unwrap().consume(topic).unwrap();
        assert!(consumed.len() > 500, "a handshake and ciphertext: {}", consumed.len());
        let typed = self.printed["what Alice typed"].as_bytes();
        assert!(typed.windows(8).all(|piece| !contains(&consumed, piece)));
    }
}

#[test]
fn what_the_document_says_to_type_does_what_it_says() {
    let Some(bootstrap) = shared_bootstrap() else { return };
    let hub = loopback(free_port()).to_string();
    let (printed, programs) = Default::default();
    let mut reader = Reader { bootstrap, directory: temp_dir(), hub, printed, programs };
    let mut executed = Vec::new();
    for (language, lines) in blocks() {
        if language == "toml" {
            reader.write_configuration(&lines);
            continue;
        }
        assert_eq!(language, "console", "a block that nobody tries: {lines:?}");
        let (who, said) = lines[0].split_once("$ ").unwrap();
        // What needs another broker, with users and rights (tests/kafka/tests/faults.rs has one).
        if said.starts_with("kafka-acls.sh ") {
            continue;
        }
        reader.execute(who, said, &lines[1..]);
        executed.push(who);
    }
    assert_eq!(executed, ["broker", "hub", "bob", "alice", "broker"]);
    for (who, process) in &reader.programs {
        assert!(process.ended().is_none(), "{who} has ended: {}", process.stderr());
    }
}

#[test]
fn lines_are_compared_with_what_is_said_of_them() {
    assert!(is_like("The hub listens on a:1. It is Iab.", "The hub listens on a:1. It is I…."));
    assert!(!is_like("The hub listens on a:2. It is Iab.", "The hub listens on a:1. It is I…."));
    assert!(is_like("alice_to_bob_7", "alice_to_bob_…") && !is_like("bob", "alice_…"));
    assert!(is_like("same", "same") && !is_like("same again", "same"));
}
