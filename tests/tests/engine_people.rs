//! People: who is let in, who is not, and who they are.
#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

use std::io::{Read, Write};

use postern_tests::client::{ask, connect};
use postern_tests::person::{PASSPHRASE, find, free_port, text};
use postern_tests::{Hub, PATIENCE, Person, Process, Service, program};
use serde_json::Value;

fn contact<'a>(seen: &'a Value, name: &str) -> Option<&'a Value> {
    find(&seen["contacts"], name)
}

#[test]
fn two_race_for_one_ticket_and_one_wins() {
    let hub = Hub::start();
    let ann = Person::at(&hub, "Ann");
    let (ben, eve) = (Person::at(&hub, "Ben"), Person::at(&hub, "Eve"));
    let service = Service::echo_after_end();
    ann.shares(service.address(), "notes");
    for _ in 0..5 {
        let link = ann.invites("notes", &[]);
        let join = |person: &Person| {
            let port = free_port().to_string();
            person.try_to(&["join", "-", "--port", &port, "--wait", "60s"], &link)
        };
        let (first, second) = std::thread::scope(|scope| {
            let first = scope.spawn(|| join(&ben));
            let second = join(&eve);
            (first.join().unwrap(), second)
        });
        let (winner, loser, refusal) = match (first, second) {
            (Ok(_), Err(refusal)) => ("Ben", "Eve", refusal),
            (Err(refusal), Ok(_)) => ("Eve", "Ben", refusal),
            both => panic!("not one of both: {both:?}"),
        };
        assert_eq!((refusal.exit, refusal.code.as_str()), (8, "ticket-used"), "{loser}: {refusal:?}");
        ann.has_granted("notes", winner, "active");
        ann.says(&["revoke", winner]);
        ann.has_granted("notes", winner, "revoked");
    }
}

#[test]
fn inviting_oneself_or_twice_gives_a_sentence() {
    let hub = Hub::start();
    let (ann, ben) = (Person::at(&hub, "Ann"), Person::at(&hub, "Ben"));
    let service = Service::echo_after_end();
    ann.shares(service.address(), "notes");
    let link = ann.invites("notes", &[]);
    let own = ann.refused_to(&["join", "-"], &link);
    assert_eq!((own.exit, own.code.as_str()), (8, "own-invitation"), "{own:?}");
    ben.joins(&link);
    let again = ben.refused_to(&["join", "-"], &link);
    assert_eq!(again.code, "already-in", "{again:?}");
    ann.waits_for("the contact", |seen| contact(seen, "Ben").map(drop));
    let twice = ann.refused(&["invite", "notes", "--to", "Ben"]);
    assert_eq!(twice.code, "already-in", "{twice:?}");
    let broken = ben.refused_to(&["join", "-"], &link[..link.len() - 4]);
    assert_eq!((broken.exit, broken.code.as_str()), (2, "bad-ticket"), "{broken:?}");
    let taken = ann.refused(&["share", &service.address().to_string(), "--name", "notes"]);
    assert_eq!((taken.exit, taken.code.as_str()), (9, "name-taken"), "{taken:?}");
}

#[test]
fn a_friend_is_removed_and_invited_again() {
    let hub = Hub::start();
    let (ann, ben) = (Person::at(&hub, "Ann"), Person::at(&hub, "Ben"));
    let service = Service::echo_after_end();
    ann.shares(service.address(), "notes");
    let inlet = ben.joins(&ann.invites("notes", &[]));
    ann.says(&["revoke", "Ben"]);
    ben.has_down("notes", "revoked");
    let again = ben.joins(&ann.invites("notes", &[]));
    assert_eq!(ask(again, b"back").unwrap(), b"back");
    assert_eq!(ben.sees()["inlets"].as_array().unwrap().len(), 1, "the same portal again");
    let _ = inlet;

    // Given back by the friend, and invited again.
    ben.says(&["close", "notes"]);
    ann.has_granted("notes", "Ben", "given-back");
    ben.waits_for("no portal", |seen| seen["inlets"].as_array()?.is_empty().then_some(()));
    let third = ben.joins(&ann.invites("notes", &[]));
    assert_eq!(ask(third, b"thrice").unwrap(), b"thrice");

    ann.says(&["close", "notes"]);
    ben.has_down("notes", "service-closed");
}

#[test]
fn a_contact_is_invited_through_the_mailbox_while_offline() {
    let hub = Hub::start();
    let (ann, mut ben) = (Person::at(&hub, "Ann"), Person::at(&hub, "Ben"));
    let (one, two) = (Service::echo_after_end(), Service::digest());
    ann.shares(one.address(), "one");
    ann.shares(two.address(), "two");
    ben.joins(&ann.invites("one", &[]));
    ann.waits_for("a contact that can be mailed", |seen| {
        (contact(seen, "Ben")?["can_be_mailed"] == true).then_some(())
    });
    ben.stop();
    ann.says(&["invite", "two", "--to", "Ben"]);
    ann.waits_for("the mail to be delivered", |seen| {
        (find(&seen["services"], "two")?["invitations"][0]["state"] == "delivered").then_some(())
    });

    ben.up();
    let invitation = ben.waits_for("the invitation", |seen| seen["invitations"].get(0).cloned());
    assert_eq!((&invitation["owner_name"], &invitation["service_name"]), (&"Ann".into(), &"two".into()));
    assert_eq!(invitation["owner_known"], true);
    ann.waits_for("it to be seen", |seen| {
        (find(&seen["services"], "two")?["invitations"][0]["state"] == "seen").then_some(())
    });
    let said = ben.says(&["accept", "two", "--port", &free_port().to_string(), "--wait", "60s"]);
    assert_eq!(said.last().unwrap()["event"], "up", "{said:?}");
    ann.has_granted("two", "Ben", "active");

    // Straight over a channel, and declined.
    ann.says(&["revoke", "two/Ben"]);
    ann.says(&["invite", "two", "--to", "Ben"]);
    ben.waits_for("the invitation", |seen| (seen["invitations"][0]["service_name"] == "two").then_some(()));
    ben.says(&["decline", "two"]);
    ann.waits_for("the answer", |seen| {
        let invitations = find(&seen["services"], "two")?["invitations"].as_array()?.clone();
        invitations.iter().any(|it| it["state"] == "declined").then_some(())
    });
}

#[test]
fn words_are_the_same_on_both_sides_and_a_new_key_is_told() {
    let hub = Hub::start();
    let (ann, mut ben) = (Person::at(&hub, "Ann"), Person::at(&hub, "Ben"));
    let service = Service::echo_after_end();
    ann.shares(service.address(), "notes");
    let inlet = ben.joins(&ann.invites("notes", &[]));
    ann.waits_for("the contact", |seen| contact(seen, "Ben").map(drop));
    let [ours, theirs] = [(&ann, "Ben"), (&ben, "Ann")].map(|(person, name)| {
        let said = person.says(&["verify", name]);
        text(&said[0]["words"]).to_owned()
    });
    assert_eq!(ours, theirs);
    assert!(ours.split(['-', ' ']).count() >= 4, "{ours}");
    ann.says(&["verify", "--yes", "Ben"]);
    assert_eq!(contact(&ann.sees(), "Ben").unwrap()["verified"], true);

    // The friend's key changes: the owner sees it, and nobody is let in silently.
    let busy = Process::run(&mut rotate(&ben), PATIENCE);
    assert_eq!(busy.status.code(), Some(9), "{busy:?}");
    ben.stop();
    let _ = Process::run(&mut rotate(&ben), PATIENCE).success();
    ben.up();
    ann.waits_for("the change", |seen| (contact(seen, "Ben")?["key_changed"] == true).then_some(()));
    ann.process().json_line(|json| json["notice"]["notice"] == "key-changed", PATIENCE);
    assert_eq!(contact(&ann.sees(), "Ben").unwrap()["verified"], false);
    ann.says(&["verify", "--yes", "Ben"]);
    let seen = ann.sees();
    let ben_now = contact(&seen, "Ben").unwrap();
    assert_eq!((&ben_now["key_changed"], &ben_now["verified"]), (&false.into(), &true.into()));
    assert_eq!(ben.has_up("notes"), inlet);
    assert_eq!(ask(inlet, b"x").unwrap(), b"x");
}

/// `postern identity rotate` with a person's key.
fn rotate(person: &Person) -> std::process::Command {
    std::fs::write(person.beside("passphrase"), PASSPHRASE).unwrap();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", r#"exec "$0" --json identity rotate --keychain file --passphrase-fd 3 3< "$1""#]);
    command.arg(program::path("postern")).arg(person.beside("passphrase"));
    command.env("POSTERN_DATA_DIR", person.data());
    command
}

#[test]
fn somebody_who_is_blocked_is_out_of_everything() {
    let hub = Hub::start();
    let (ann, ben) = (Person::at(&hub, "Ann"), Person::at(&hub, "Ben"));
    let service = Service::echo_after_end();
    ann.shares(service.address(), "notes");
    let inlet = ben.joins(&ann.invites("notes", &[]));
    ann.waits_for("the contact", |seen| contact(seen, "Ben").map(drop));
    ann.says(&["contacts", "rename", "Ben", "Benjamin"]);
    let refusal = ann.refused(&["contacts", "forget", "Benjamin"]);
    assert_ne!(refusal.exit, 0, "whoever has access is not forgotten");
    let mut open = connect(inlet);
    open.write_all(b"hello").unwrap();
    ann.waits_for("the connection", |seen| (find(&seen["services"], "notes")?["live"] == 1).then_some(()));
    ann.says(&["contacts", "block", "Benjamin"]);
    assert!(open.read(&mut [0]).map_or(true, |count| count == 0));
    let sentence = ben.has_down("notes", "blocked");
    assert!(sentence.contains("Ann"), "{sentence}");
    assert!(ask(inlet, b"?").map_or(true, |answer| answer.is_empty()));
    ann.says(&["contacts", "unblock", "Benjamin"]);
    assert_eq!(contact(&ann.sees(), "Benjamin").unwrap()["blocked"], false);
    assert_eq!(ben.has_up("notes"), inlet);
    assert_eq!(ask(inlet, b"in again").unwrap(), b"in again");
}
