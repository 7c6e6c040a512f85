//! No secret where it does not belong: everything that a whole story wrote is searched for keys, tickets and passphrases.
//!
//! Beside this, every other story searches what its people wrote, databases included, for the secrets of their invitations.

use std::process::Command;

use postern_engine::identity::{KEY_FILE, RECORD_FILE};
use postern_engine::keys::{Keychain, Passphrase};
use postern_engine::peer::ticket::Ticket;
use postern_node::identity::Identifier;
use postern_testkit::client::ask;
use postern_testkit::json::{find, text};
use postern_testkit::person::PASSPHRASE;
use postern_testkit::port::free_port;
use postern_testkit::{Person, Process, TIMEOUT, World, contains, eventually, program, sha256};
use serde_json::Value;

/// Bytes in a row that no two secrets share by accident.
const PIECE: usize = 16;

#[test]
fn no_key_no_ticket_and_no_passphrase_is_written_anywhere_else() {
    let World { hub: _hub, mut ann, ben, service } = World::sharing("notes");
    ann.share(service.address(), "more");
    let unused = ann.invite("notes", &["--note", "nobody"]);
    let asked = ann.invite("more", &["--ask-first"]);
    let used = ann.invite("notes", &[]);
    let inlet = ben.join(&used);
    assert_eq!(ask(inlet, b"hello").unwrap(), b"hello");
    ann.wait_for("a contact that can be mailed", |seen| {
        (find(&seen["contacts"], "Ben")?["can_be_mailed"] == true).then_some(())
    });
    ann.run(&["invite", "more", "--to", "Ben"]);
    ben.wait_for("the invitation", |seen| seen["invitations"].get(0).map(drop));
    ben.run(&["decline", "more"]);
    // An invitation that waits, with its owner's secret in the friend's database.
    ben.run_with_input(&["join", "-", "--port", &free_port().to_string(), "--wait", "1s"], &asked);
    ann.fails_with_input(&["join", "-"], &unused);
    ben.fails_with_input(&["join", "-"], &unused[..unused.len() - 1]);
    ann.run(&["revoke", "notes/nobody"]);
    ann.run(&["doctor"]);
    ann.run(&["log"]);
    assert_command_lines_hold_nothing(&ann);
    ann.restart();
    ben.wait_until_up("notes");

    let tickets = [&unused, &asked, &used].map(|link| ("ticket", Ticket::decode(link).unwrap().secret.to_vec()));
    for person in [&ann, &ben] {
        let everything = person.everything_written();
        assert!(
            everything.iter().any(|(name, bytes)| name.contains("log") && contains(bytes, b"connected to the hub")),
            "nothing was logged"
        );
        assert!(
            everything.iter().any(|(name, _)| name == RECORD_FILE)
                && everything.iter().any(|(name, _)| name == "postern.db")
        );
        assert!(everything.iter().any(|(name, _)| name == "postern.db-wal"));
        for (name, log) in everything.iter().filter(|(name, _)| name.contains("log")) {
            assert!(!contains(log, b"INSERT INTO"), "the {name} contains statements of the database");
        }
        let mut all = secrets(person);
        all.extend(tickets.clone());
        for (what, secret) in all {
            assert!(secret.len() >= PIECE, "{what} is short");
            for (name, bytes) in &everything {
                for form in [secret.clone(), hex::encode(&secret).into_bytes(), hex::encode_upper(&secret).into_bytes()]
                {
                    assert!(!contains(bytes, &form), "{}: the {name} contains the {what}", person.name());
                }
            }
        }
    }
}

/// The secrets that only the keychain may hold: half of each key is enough to be found.
fn secrets(person: &Person) -> Vec<(&'static str, Vec<u8>)> {
    let data = person.data_dir();
    let record: Value = serde_json::from_slice(&std::fs::read(data.join(RECORD_FILE)).unwrap()).unwrap();
    let identifier: Identifier = text(&person.snapshot()["me"]["identifier"]).parse().unwrap();
    let postal = sha256(&[b"postern postal key 1", &identifier.as_bytes()[..]].concat());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let key = |name: &str| {
        runtime.block_on(async {
            let passphrase = Passphrase::new(PASSPHRASE.to_owned()).unwrap();
            let keychain = Keychain::open_file(data.join(KEY_FILE), passphrase).await.unwrap();
            keychain.get(name).await.unwrap().expect("the key is there").to_vec()
        })
    };
    let half = |key: Vec<u8>| key[key.len() - PIECE..].to_vec();
    vec![
        ("identity's key", half(key(text(&record["key"])))),
        ("key for mail", half(key(&postal))),
        ("passphrase", PASSPHRASE.as_bytes().to_vec()),
    ]
}

fn assert_command_lines_hold_nothing(person: &Person) {
    let line = std::fs::read(format!("/proc/{}/cmdline", person.process().id())).unwrap();
    let environment = std::fs::read(format!("/proc/{}/environ", person.process().id())).unwrap();
    for text in [line, environment] {
        assert!(!contains(&text, PASSPHRASE.as_bytes()) && !contains(&text, b"postern://join/"));
    }
}

#[test]
fn a_backup_makes_the_same_person_again_and_is_of_no_use_without_its_passphrase() {
    let (World { hub: _hub, mut ann, ben, service: _service }, inlet) = World::joined("notes");
    let file = ann.file("backup");
    let with_descriptor = |script: &str, person: &Person, passphrase: &str| {
        std::fs::write(person.file("secret"), passphrase).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script]).arg(program::path("postern")).arg(&file).arg(person.file("secret"));
        command.arg(person.file("passphrase")).env("POSTERN_DATA_DIR", person.data_dir());
        Process::run(&mut command, TIMEOUT)
    };
    let backup = r#"exec "$0" --json backup "$1" --passphrase-fd 3 3< "$2""#;
    let _ = with_descriptor(backup, &ann, "swordfish").success();
    let again = with_descriptor(backup, &ann, "swordfish");
    assert_ne!(again.status.code(), Some(0), "a backup was replaced");
    assert!(!contains(&std::fs::read(&file).unwrap(), b"notes"));

    let identifier = ann.snapshot()["me"]["identifier"].clone();
    let restore =
        r#"exec "$0" --json restore "$1" --passphrase-fd 3 3< "$2" --keychain file --keychain-passphrase-fd 4 4< "$3""#;
    let mut anew = Person::stopped("Ann", &[]);
    let wrong = with_descriptor(restore, &anew, "sailfish");
    assert_eq!(wrong.status.code(), Some(5), "{wrong:?}");
    ann.stop();
    let _ = with_descriptor(restore, &anew, "swordfish").success();
    anew.up();
    assert_eq!(anew.snapshot()["me"]["identifier"], identifier);
    ben.wait_until_up("notes");
    // A connection of before the change may still be ended with an error.
    eventually("the portal to carry", TIMEOUT, || ask(inlet, b"the same").ok().filter(|it| it == b"the same"));
}
