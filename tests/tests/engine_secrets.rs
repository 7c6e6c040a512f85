//! No secret where it does not belong: everything that a whole story wrote is searched for keys, tickets and passphrases.
//!
//! Beside this, every other story searches what its people wrote, databases included, for the secrets of their invitations.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

use std::process::Command;

use postern_engine::identity::{KEY_FILE, RECORD_FILE};
use postern_engine::keys::{Keychain, Passphrase};
use postern_engine::peer::ticket::Ticket;
use postern_node::identity::Identifier;
use postern_tests::client::ask;
use postern_tests::person::{PASSPHRASE, find, free_port, holds, text};
use postern_tests::{Hub, PATIENCE, Person, Process, Service, eventually, program, sha256};
use serde_json::Value;

/// Bytes in a row that no two secrets share by accident.
const PIECE: usize = 16;

#[test]
fn no_key_no_ticket_and_no_passphrase_is_written_anywhere_else() {
    let hub = Hub::start();
    let (mut ann, ben) = (Person::at(&hub, "Ann"), Person::at(&hub, "Ben"));
    let service = Service::echo_after_end();
    ann.shares(service.address(), "notes");
    ann.shares(service.address(), "more");
    let unused = ann.invites("notes", &["--note", "nobody"]);
    let asked = ann.invites("more", &["--ask-first"]);
    let used = ann.invites("notes", &[]);
    let inlet = ben.joins(&used);
    assert_eq!(ask(inlet, b"hello").unwrap(), b"hello");
    ann.waits_for("a contact that can be mailed", |seen| {
        (find(&seen["contacts"], "Ben")?["can_be_mailed"] == true).then_some(())
    });
    ann.says(&["invite", "more", "--to", "Ben"]);
    ben.waits_for("the invitation", |seen| seen["invitations"].get(0).map(drop));
    ben.says(&["decline", "more"]);
    // An invitation that waits, with its owner's secret in the friend's database.
    ben.says_to(&["join", "-", "--port", &free_port().to_string(), "--wait", "1s"], &asked);
    ann.refused_to(&["join", "-"], &unused);
    ben.refused_to(&["join", "-"], &unused[..unused.len() - 1]);
    ann.says(&["revoke", "notes/nobody"]);
    ann.says(&["doctor"]);
    ann.says(&["log"]);
    assert_command_lines_hold_nothing(&ann);
    ann.restart();
    ben.has_up("notes");

    let tickets = [&unused, &asked, &used].map(|link| ("ticket", Ticket::decode(link).unwrap().secret.to_vec()));
    for person in [&ann, &ben] {
        let everything = person.everything();
        assert!(
            everything.iter().any(|(name, bytes)| name.contains("log") && holds(bytes, b"connected to the hub")),
            "nothing was logged"
        );
        assert!(
            everything.iter().any(|(name, _)| name == RECORD_FILE)
                && everything.iter().any(|(name, _)| name == "postern.db")
        );
        assert!(everything.iter().any(|(name, _)| name == "postern.db-wal"));
        for (name, log) in everything.iter().filter(|(name, _)| name.contains("log")) {
            assert!(!holds(log, b"INSERT INTO"), "the {name} holds statements of the database");
        }
        let mut all = secrets(person);
        all.extend(tickets.clone());
        for (what, secret) in all {
            assert!(secret.len() >= PIECE, "{what} is short");
            for (name, bytes) in &everything {
                for form in [secret.clone(), hex::encode(&secret).into_bytes(), hex::encode_upper(&secret).into_bytes()]
                {
                    assert!(!holds(bytes, &form), "{}: the {name} holds the {what}", person.name());
                }
            }
        }
    }
}

/// The secrets that only the keychain may hold: half of each key is enough to be found.
fn secrets(person: &Person) -> Vec<(&'static str, Vec<u8>)> {
    let data = person.data();
    let record: Value = serde_json::from_slice(&std::fs::read(data.join(RECORD_FILE)).unwrap()).unwrap();
    let identifier: Identifier = text(&person.sees()["me"]["identifier"]).parse().unwrap();
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
        assert!(!holds(&text, PASSPHRASE.as_bytes()) && !holds(&text, b"postern://join/"));
    }
}

#[test]
fn a_backup_makes_the_same_person_again_and_is_of_no_use_without_its_passphrase() {
    let hub = Hub::start();
    let (mut ann, ben) = (Person::at(&hub, "Ann"), Person::at(&hub, "Ben"));
    let service = Service::echo_after_end();
    ann.shares(service.address(), "notes");
    let inlet = ben.joins(&ann.invites("notes", &[]));
    let file = ann.beside("backup");
    let with_descriptor = |script: &str, person: &Person, passphrase: &str| {
        std::fs::write(person.beside("secret"), passphrase).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script]).arg(program::path("postern")).arg(&file).arg(person.beside("secret"));
        command.arg(person.beside("passphrase")).env("POSTERN_DATA_DIR", person.data());
        Process::run(&mut command, PATIENCE)
    };
    let backup = r#"exec "$0" --json backup "$1" --passphrase-fd 3 3< "$2""#;
    let _ = with_descriptor(backup, &ann, "swordfish").success();
    let again = with_descriptor(backup, &ann, "swordfish");
    assert_ne!(again.status.code(), Some(0), "a backup was replaced");
    assert!(!holds(&std::fs::read(&file).unwrap(), b"notes"));

    let identifier = ann.sees()["me"]["identifier"].clone();
    let restore =
        r#"exec "$0" --json restore "$1" --passphrase-fd 3 3< "$2" --keychain file --keychain-passphrase-fd 4 4< "$3""#;
    let mut anew = Person::resting("Ann", &[]);
    let wrong = with_descriptor(restore, &anew, "sailfish");
    assert_eq!(wrong.status.code(), Some(5), "{wrong:?}");
    ann.stop();
    let _ = with_descriptor(restore, &anew, "swordfish").success();
    anew.up();
    assert_eq!(anew.sees()["me"]["identifier"], identifier);
    ben.has_up("notes");
    // A connection of before the change may still be ended with an error.
    eventually("the portal to carry", PATIENCE, || ask(inlet, b"the same").ok().filter(|it| it == b"the same"));
}
