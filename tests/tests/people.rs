//! People: who is let in, who is not, and who they are.

use std::io::{Read, Write};

use postern_testkit::client::{ask, connect};
use postern_testkit::json::{find, text};
use postern_testkit::person::with_passphrase;
use postern_testkit::port::free_port;
use postern_testkit::{Hub, Person, Process, Service, TIMEOUT, World};
use serde_json::Value;

fn contact<'a>(seen: &'a Value, name: &str) -> Option<&'a Value> {
    find(&seen["contacts"], name)
}

#[test]
fn of_two_concurrent_redemptions_of_a_ticket_one_succeeds() {
    let hub = Hub::start();
    let ann = Person::start(&hub, "Ann");
    let (ben, eve) = (Person::start(&hub, "Ben"), Person::start(&hub, "Eve"));
    let service = Service::echo_after_end();
    ann.share(service.address(), "notes");
    for _ in 0..5 {
        let link = ann.invite("notes", &[]);
        let join = |person: &Person| {
            let port = free_port().to_string();
            person.try_run(&["join", "-", "--port", &port, "--wait", "60s"], &link)
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
        ann.wait_for_grant("notes", winner, "active");
        ann.run(&["revoke", winner]);
        ann.wait_for_grant("notes", winner, "revoked");
    }
}

#[test]
fn inviting_oneself_or_twice_is_refused_with_a_reason() {
    let World { hub: _hub, ann, ben, service } = World::sharing("notes");
    let link = ann.invite("notes", &[]);
    let own = ann.fails_with_input(&["join", "-"], &link);
    assert_eq!((own.exit, own.code.as_str()), (8, "own-invitation"), "{own:?}");
    ben.join(&link);
    let again = ben.fails_with_input(&["join", "-"], &link);
    assert_eq!(again.code, "already-in", "{again:?}");
    ann.wait_for("the contact", |seen| contact(seen, "Ben").map(drop));
    let twice = ann.fails(&["invite", "notes", "--to", "Ben"]);
    assert_eq!(twice.code, "already-in", "{twice:?}");
    let broken = ben.fails_with_input(&["join", "-"], &link[..link.len() - 4]);
    assert_eq!((broken.exit, broken.code.as_str()), (2, "bad-ticket"), "{broken:?}");
    let taken = ann.fails(&["share", &service.address().to_string(), "--name", "notes"]);
    assert_eq!((taken.exit, taken.code.as_str()), (9, "name-taken"), "{taken:?}");
}

#[test]
fn a_friend_is_removed_and_invited_again() {
    let (World { hub: _hub, ann, ben, service: _service }, inlet) = World::joined("notes");
    ann.run(&["revoke", "Ben"]);
    ben.wait_until_down("notes", "revoked");
    let again = ben.join(&ann.invite("notes", &[]));
    assert_eq!(ask(again, b"back").unwrap(), b"back");
    assert_eq!(ben.snapshot()["inlets"].as_array().unwrap().len(), 1, "the same portal again");
    let _ = inlet;

    // Given back by the friend, and invited again.
    ben.run(&["close", "notes"]);
    ann.wait_for_grant("notes", "Ben", "given-back");
    ben.wait_for("no portal", |seen| seen["inlets"].as_array()?.is_empty().then_some(()));
    let third = ben.join(&ann.invite("notes", &[]));
    assert_eq!(ask(third, b"thrice").unwrap(), b"thrice");

    ann.run(&["close", "notes"]);
    ben.wait_until_down("notes", "service-closed");
}

#[test]
fn a_contact_is_invited_through_the_mailbox_while_offline() {
    let hub = Hub::start();
    let (ann, mut ben) = (Person::start(&hub, "Ann"), Person::start(&hub, "Ben"));
    let (one, two) = (Service::echo_after_end(), Service::digest());
    ann.share(one.address(), "one");
    ann.share(two.address(), "two");
    ben.join(&ann.invite("one", &[]));
    ann.wait_for("a contact that can be mailed", |seen| (contact(seen, "Ben")?["can_be_mailed"] == true).then_some(()));
    ben.stop();
    ann.run(&["invite", "two", "--to", "Ben"]);
    ann.wait_for("the mail to be delivered", |seen| {
        (find(&seen["services"], "two")?["invitations"][0]["state"] == "delivered").then_some(())
    });

    ben.up();
    let invitation = ben.wait_for("the invitation", |seen| seen["invitations"].get(0).cloned());
    assert_eq!((&invitation["owner_name"], &invitation["service_name"]), (&"Ann".into(), &"two".into()));
    assert_eq!(invitation["owner_known"], true);
    // Who is invited says nothing before they answer.
    assert_eq!(find(&ann.snapshot()["services"], "two").unwrap()["invitations"][0]["state"], "delivered");
    let said = ben.run(&["accept", "two", "--port", &free_port().to_string(), "--wait", "60s"]);
    assert_eq!(said.last().unwrap()["event"], "up", "{said:?}");
    ann.wait_for_grant("two", "Ben", "active");

    // Straight over a channel, and declined.
    ann.run(&["revoke", "two/Ben"]);
    ann.run(&["invite", "two", "--to", "Ben"]);
    ben.wait_for("the invitation", |seen| (seen["invitations"][0]["service_name"] == "two").then_some(()));
    ben.run(&["decline", "two"]);
    ann.wait_for("the answer", |seen| {
        let invitations = find(&seen["services"], "two")?["invitations"].as_array()?.clone();
        invitations.iter().any(|it| it["state"] == "declined").then_some(())
    });
}

#[test]
fn verification_words_match_and_a_new_key_is_reported() {
    let (World { hub: _hub, ann, mut ben, service: _service }, inlet) = World::joined("notes");
    ann.wait_for("the contact", |seen| contact(seen, "Ben").map(drop));
    let [of_ben, of_ann] = [(&ann, "Ben"), (&ben, "Ann")].map(|(person, name)| {
        let said = person.run(&["verify", name]);
        (text(&said[0]["words"]).to_owned(), text(&said[0]["own_words"]).to_owned())
    });
    assert_eq!((&of_ben.0, &of_ben.1), (&of_ann.1, &of_ann.0), "each sees the words of the other and their own");
    assert!(of_ben.0 != of_ann.0 && of_ben.0.split(' ').count() == 8, "{of_ben:?}");
    assert!(ann.fails(&["verify", "--yes", "Ben"]).message.contains("--words"));
    ann.run(&["verify", "--words", &of_ben.0, "Ben"]);
    assert_eq!(contact(&ann.snapshot(), "Ben").unwrap()["verified"], true);

    // The friend's key changes: the owner sees it, and nobody is let in silently.
    let busy = Process::run(&mut rotate(&ben), TIMEOUT);
    assert_eq!(busy.status.code(), Some(9), "{busy:?}");
    ben.stop();
    let _ = Process::run(&mut rotate(&ben), TIMEOUT).success();
    ben.up();
    ann.wait_for("the change", |seen| (contact(seen, "Ben")?["key_changed"] == true).then_some(()));
    ann.process().json_line(|json| json["notice"]["notice"] == "key-changed", TIMEOUT);
    let changed = ann.snapshot();
    let changed = contact(&changed, "Ben").unwrap();
    assert_eq!((&changed["verified"], &changed["verify_again"]), (&false.into(), &"key-changed".into()));
    assert_ne!(text(&changed["words"]), of_ben.0, "the words have changed with the key");
    // The words that were compared before count for nothing.
    ann.fails(&["verify", "--words", &of_ben.0, "Ben"]);
    let pasted = text(&changed["words"]).to_uppercase().replace(' ', " · ");
    ann.run(&["verify", "--words", &pasted, "Ben"]);
    let seen = ann.snapshot();
    let ben_now = contact(&seen, "Ben").unwrap();
    assert_eq!((&ben_now["key_changed"], &ben_now["verified"]), (&false.into(), &true.into()));
    assert_eq!(ben.wait_until_up("notes"), inlet);
    assert_eq!(ask(inlet, b"x").unwrap(), b"x");
}

/// `postern identity rotate` with a person's key.
fn rotate(person: &Person) -> std::process::Command {
    let mut command = with_passphrase(&person.passphrase_file());
    command.args(["--json", "identity", "rotate", "--keychain", "file", "--passphrase-fd", "3"]);
    command.env("POSTERN_DATA_DIR", person.data_dir());
    command
}

#[test]
fn a_blocked_contact_loses_all_access() {
    let (World { hub: _hub, ann, ben, service: _service }, inlet) = World::joined("notes");
    ann.wait_for("the contact", |seen| contact(seen, "Ben").map(drop));
    ann.run(&["contacts", "rename", "Ben", "Benjamin"]);
    let refusal = ann.fails(&["contacts", "forget", "Benjamin"]);
    assert_ne!(refusal.exit, 0, "whoever has access is not forgotten");
    let mut open = connect(inlet);
    open.write_all(b"hello").unwrap();
    ann.wait_for("the connection", |seen| (find(&seen["services"], "notes")?["live"] == 1).then_some(()));
    ann.run(&["contacts", "block", "Benjamin"]);
    assert!(open.read(&mut [0]).map_or(true, |count| count == 0));
    let message = ben.wait_until_down("notes", "blocked");
    assert!(message.contains("Ann"), "{message}");
    assert!(ask(inlet, b"?").map_or(true, |answer| answer.is_empty()));
    ann.run(&["contacts", "unblock", "Benjamin"]);
    assert_eq!(contact(&ann.snapshot(), "Benjamin").unwrap()["blocked"], false);
    assert_eq!(ben.wait_until_up("notes"), inlet);
    assert_eq!(ask(inlet, b"in again").unwrap(), b"in again");
}
