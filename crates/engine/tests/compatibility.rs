//! Compatibility: today's engine opens what commit 8cefb31 wrote, namely its data directory, backup, tickets and lines of the
//! control socket (`tests/fixtures`). A name that changes in the sources must not change what is serialized.

use postern_engine::api::{Answer, EngineApi, Fault, Notice, Request, Snapshot, Traffic};
use postern_engine::control;
use postern_engine::keys::Passphrase;
use postern_engine::peer::ticket::Ticket;
use postern_engine::{Engine, EngineOptions, KeychainChoice, backup};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

const PASSPHRASE: &str = "correct horse battery staple";
const BACKUP_PASSPHRASE: &str = "a backup passphrase";
/// What follows from words that are longer now, so that contacts of then are to be verified again.
const OF_WORDS: &[&str] = &["words", "verified", "owner_verified", "verify_again"];
/// What has been added since: web portals have host names, so that their address is another, and their requests are checked;
/// services that trust their own machine have a warning.
const ADDED: &[&str] = &["host", "checked", "url", "warning"];
/// What a snapshot says of the moment and of the place, not of what is stored.
const TRANSIENT: &[&str] = &["status", "troubles", "health", "link", "live", "last_used", "addresses", "settings"];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/8cefb31").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(fixture(name)).unwrap()
}

fn json(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap()
}

fn keychain(passphrase: &str) -> KeychainChoice {
    KeychainChoice::File(Passphrase::new(passphrase.to_owned()).unwrap())
}

/// Ann's data directory as 8cefb31 left it, in a place of this test's own.
fn data_dir() -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixture("data")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

async fn start(data_dir: &Path, passphrase: &str) -> Engine {
    let options = EngineOptions { data_dir: data_dir.to_owned(), keychain: keychain(passphrase), listen: None };
    Engine::start(options).await.unwrap()
}

/// What the engine shows once it has its identity.
async fn snapshot(engine: &Engine) -> Value {
    let mut snapshots = engine.snapshot();
    let shown = snapshots.wait_for(|it| it.me.is_some()).await.unwrap();
    serde_json::to_value(&**shown).unwrap()
}

/// A snapshot without what is transient; an invitation that has expired since counts as it was.
fn stored(value: &Value, was: Option<&Value>) -> Value {
    match value {
        Value::Object(fields) => {
            // A hub's identifier is shown while it is connected, and no hub runs here.
            let is_hub = fields.contains_key("address") && fields.contains_key("link") && !fields.contains_key("port");
            let is_other = |name: &str| [TRANSIENT, OF_WORDS, ADDED].iter().any(|names| names.contains(&name));
            let is_transient = |name: &str| is_other(name) || (is_hub && name == "identifier");
            let kept = fields.iter().filter(|(name, _)| !is_transient(name));
            let field = |(name, value): (&String, &Value)| {
                let was = was.and_then(|it| it.get(name));
                let expired = name == "state" && value == "expired" && was.is_some();
                (name.clone(), if expired { was.cloned().unwrap_or_default() } else { stored(value, was) })
            };
            Value::Object(kept.map(field).collect::<Map<_, _>>())
        }
        Value::Array(items) => {
            let item = |(at, item)| stored(item, was.and_then(|it| it.get(at)));
            Value::Array(items.iter().enumerate().map(item).collect())
        }
        other => other.clone(),
    }
}

/// Reads a value with today's type, and shows that the type writes all of it as it was; it may write more.
fn round_trip<T: Serialize + DeserializeOwned>(value: &Value) -> T {
    let read: T = serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"));
    let written = serde_json::to_value(&read).unwrap();
    assert!(contains(&written, value), "{value} became {written}");
    read
}

/// Whether a value is another with, at most, keys beside those.
fn contains(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::Object(fields), Value::Object(parts)) => {
            parts.iter().all(|(name, part)| fields.get(name).is_some_and(|value| contains(value, part)))
        }
        (Value::Array(items), Value::Array(parts)) => {
            items.len() == parts.len() && items.iter().zip(parts).all(|(value, part)| contains(value, part))
        }
        _ => value == part,
    }
}

#[tokio::test]
async fn everything_in_a_data_directory_is_found() {
    let directory = data_dir();
    let engine = start(directory.path(), PASSPHRASE).await;
    let was = json("snapshot.json");
    let found = snapshot(&engine).await;
    assert_eq!(stored(&found, Some(&was)), stored(&was, None));
    assert_eq!(found["settings"]["retention_days"], was["settings"]["retention_days"]);

    // Ben was verified by the words of then, which do not count any more.
    let ben = &found["contacts"][0];
    assert_eq!((&ben["verified"], &ben["key_changed"]), (&false.into(), &false.into()));
    assert_eq!(ben["verify_again"], "words-changed");
    let words = ben["words"].as_str().unwrap();
    assert!(words.split(' ').count() == 8 && ben["words"] != was["contacts"][0]["words"], "{words}");

    // The audit log is complete, and its hash chain is intact.
    assert_eq!(found["troubles"].as_array().unwrap().iter().find(|it| it["code"] == "damaged-data"), None);
    let Ok(Answer::Receipts { receipts, intact }) = engine.request(Request::Log { before: None, limit: 1_000 }).await
    else {
        panic!("no log");
    };
    assert!(intact);
    let receipts = serde_json::to_value(receipts).unwrap();
    for old in json("log.json")[0]["receipts"].as_array().unwrap() {
        assert!(receipts.as_array().unwrap().contains(old), "{old}");
    }
    engine.shutdown().await;
}

#[tokio::test]
async fn a_backup_is_restored() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("restored");
    let passphrase = Passphrase::new(BACKUP_PASSPHRASE.to_owned()).unwrap();
    backup::restore(&directory, &fixture("backup.postern"), passphrase, keychain("another")).await.unwrap();
    let engine = start(&directory, "another").await;
    let was = json("snapshot.json");
    assert_eq!(stored(&snapshot(&engine).await, Some(&was)), stored(&was, None));
    engine.shutdown().await;
}

#[test]
fn tickets_are_read_and_written_as_they_were() {
    let tickets = json("tickets.json");
    let tickets = tickets.as_object().unwrap();
    assert_eq!(tickets.len(), 5);
    for (name, link) in tickets {
        let ticket = Ticket::decode(link.as_str().unwrap()).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert_eq!(ticket.encode().reveal(), link.as_str().unwrap(), "{name}");
    }
}

#[test]
fn lines_from_the_control_socket_are_read_and_written_as_they_were() {
    let mut answers = 0;
    for line in text("control.jsonl").lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let parse = |side: &str| serde_json::from_str::<Value>(line[side].as_str().unwrap()).unwrap();
        let (sent, received) = (parse("sent"), parse("received"));
        if sent["call"] == "request" {
            let _: Request = serde_json::from_value(sent["request"].clone()).unwrap();
            match received["say"].as_str().unwrap() {
                "answer" => drop(round_trip::<Answer>(&received["answer"])),
                "fault" => drop(round_trip::<Fault>(&received["fault"])),
                other => panic!("{other}"),
            }
            answers += 1;
        }
    }
    assert_eq!(answers, 43);
    for line in text("watch.jsonl").lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        match line["say"].as_str().unwrap() {
            "snapshot" => drop(round_trip::<Snapshot>(&line["snapshot"])),
            "traffic" => drop(round_trip::<Traffic>(&line["traffic"])),
            "notice" => drop(round_trip::<Notice>(&line["notice"])),
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_client_of_then_is_understood() {
    let directory = data_dir();
    let engine = start(directory.path(), PASSPHRASE).await;
    snapshot(&engine).await;
    let server = control::serve(engine.clone(), |_| {}).await.unwrap();
    for line in text("control.jsonl").lines().skip(1) {
        let line: Value = serde_json::from_str(line).unwrap();
        let then: Value = serde_json::from_str(line["received"].as_str().unwrap()).unwrap();
        let now = exchange(directory.path(), line["sent"].as_str().unwrap()).await;
        // What was asked then is done by now, so an answer may be a fault; its form is what counts.
        assert!(["answer", "fault", "raised"].contains(&now["say"].as_str().unwrap()), "{now}");
        if now["say"] == "answer" && then["say"] == "answer" {
            assert_eq!(now["answer"]["answer"], then["answer"]["answer"], "{line}");
        }
        assert_ne!(now["fault"]["code"], "failed", "{line}: {now}");
    }
    server.close().await;
    engine.shutdown().await;
}

/// One call over a connection of its own, as 8cefb31's command line made it.
async fn exchange(data_dir: &Path, call: &str) -> Value {
    let socket = UnixStream::connect(data_dir.join("control.sock")).await.unwrap();
    let (reading, mut writing) = socket.into_split();
    let mut lines = BufReader::new(reading).lines();
    writing.write_all(b"{\"postern\":1}\n").await.unwrap();
    let welcome: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
    assert_eq!(welcome["postern"], 1);
    writing.write_all(format!("{call}\n").as_bytes()).await.unwrap();
    serde_json::from_str(&lines.next_line().await.unwrap().expect(call)).unwrap()
}
