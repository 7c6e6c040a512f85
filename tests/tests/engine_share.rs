//! One service, shared with one person: from the link to the last byte.

use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

use postern_tests::client::{ask, connect};
use postern_tests::person::{address, find, free_port, text};
use postern_tests::{Clock, Hub, PATIENCE, Payload, Person, SOON, Service, eventually, temp_dir};

/// How long a revoked stream may live on.
const AT_ONCE: Duration = Duration::from_secs(1);

#[test]
fn share_invite_join_use_and_revoke_during_a_transfer() {
    let hub = Hub::start();
    let (ann, ben) = (Person::at(&hub, "Ann"), Person::at(&hub, "Ben"));
    let service = Service::source(Payload::new(u64::MAX / 2));
    let echo = Service::echo_after_end();
    ann.shares(service.address(), "numbers");
    ann.shares(echo.address(), "echo");

    let link = ann.invites("numbers", &[]);
    let preview = ben.says_to(&["preview", "-"], &link);
    assert_eq!(preview[0]["preview"]["owner_name"], "Ann");
    assert_eq!(preview[0]["preview"]["service_name"], "numbers");
    assert_eq!(preview[0]["preview"]["owner_known"], false);
    let inlet = ben.joins(&link);
    let other = ben.joins(&ann.invites("echo", &[]));
    ann.has_granted("numbers", "Ben", "active");
    assert_eq!(ask(other, b"hello").unwrap(), b"hello");

    let mut transfer = connect(inlet);
    let mut buffer = vec![0; 1 << 16];
    let mut received = 0;
    while received < 50_000_000 {
        received += transfer.read(&mut buffer).unwrap();
    }
    let revoking = Instant::now();
    ann.says(&["revoke", "numbers/Ben"]);
    let revoked = Instant::now();
    let ended = loop {
        match transfer.read(&mut buffer) {
            Ok(1..) => assert!(revoked.elapsed() < SOON, "the stream flows on"),
            Ok(0) => break None,
            Err(error) => break Some(error.kind()),
        }
    };
    assert!(revoked.elapsed() < AT_ONCE, "cut {:?} after it was revoked", revoked.elapsed());
    assert!(revoking.elapsed() < PATIENCE);
    assert_eq!(ended, Some(ErrorKind::ConnectionReset), "a part must not be taken for the whole");

    let sentence = ben.has_down("numbers", "revoked");
    assert!(sentence.contains("Ann"), "{sentence}");
    assert!(ask(inlet, b"").map_or(true, |answer| answer.is_empty()), "a revoked portal carries something");
    ann.has_granted("numbers", "Ben", "revoked");
    assert_eq!(ask(other, b"still in").unwrap(), b"still in");
    eventually("the owner's connections to end", SOON, || (service.live() == 0).then_some(()));

    let log = ann.says(&["log"]);
    let receipts = log[0]["receipts"].as_array().unwrap();
    assert_eq!(log[0]["intact"], true);
    let has =
        |deed: &str, what: &str| receipts.iter().any(|it| it["deed"]["deed"] == deed && it["deed"]["what"] == what);
    assert!(has("invitation", "accepted") && has("grant", "revoked"), "{receipts:#?}");
    assert!(receipts.iter().any(|it| it["deed"]["deed"] == "connection" && it["deed"]["ended"].is_string()));
}

#[test]
fn an_invitation_is_accepted_while_its_owner_is_offline() {
    let hub = Hub::start();
    let (mut ann, ben) = (Person::at(&hub, "Ann"), Person::at(&hub, "Ben"));
    let service = Service::echo_after_end();
    ann.shares(service.address(), "notes");
    let link = ann.invites("notes", &[]);
    ann.stop();

    let port = free_port();
    let said = ben.says_to(&["join", "-", "--port", &port.to_string(), "--wait", "2s"], &link);
    let last = said.last().unwrap();
    assert_eq!(last["event"], "waiting", "{said:?}");
    let why = ben.waits_for("the reason", |seen| {
        let state = &seen["invitations"][0]["state"];
        (state["state"] == "accepting" && state["fault"].is_object()).then(|| text(&state["fault"]["code"]).to_owned())
    });
    assert_eq!(why, "owner-offline");

    ann.up();
    assert_eq!(ben.has_up("notes"), address(port));
    assert_eq!(ask(address(port), b"at last").unwrap(), b"at last");
}

#[test]
fn a_service_goes_down_and_comes_back() {
    let hub = Hub::start();
    let (ann, ben) = (Person::at(&hub, "Ann"), Person::at(&hub, "Ben"));
    let port = free_port();
    ann.shares(address(port), "later");
    let down = |seen: &serde_json::Value| {
        find(&seen["services"], "later")?["health"]["fault"]["code"].as_str().map(str::to_owned)
    };
    assert_eq!(ann.waits_for("the service to be down", down), "service-down");
    let inlet = address(free_port());
    ben.says_to(&["join", "-", "--port", &inlet.port().to_string(), "--wait", "1s"], &ann.invites("later", &[]));
    // Nobody has used it.
    let sentence = ben.has_down("later", "service-down");
    assert!(sentence.contains("Ann"), "{sentence}");

    let listener = std::net::TcpListener::bind(address(port)).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = std::io::copy(&mut &stream, &mut &stream);
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
    });
    ann.waits_for("the service to be up", |seen| {
        (find(&seen["services"], "later")?["health"]["state"] == "up").then_some(())
    });
    ben.has_up("later");
    assert_eq!(ask(inlet, b"back").unwrap(), b"back");
}

#[test]
fn pausing_cuts_and_resuming_lets_in_again() {
    let hub = Hub::start();
    let (ann, ben) = (Person::at(&hub, "Ann"), Person::at(&hub, "Ben"));
    let service = Service::echo();
    ann.shares(service.address(), "echo");
    let inlet = ben.joins(&ann.invites("echo", &[]));

    for (who, what, code) in [
        (&ann, "service:echo", "paused-by-owner"),
        (&ann, "Ben", "paused-by-owner"),
        (&ann, "echo/Ben", "paused-by-owner"),
        (&ann, "--all", ""),
        (&ben, "--all", "paused"),
    ] {
        let mut open = connect(inlet);
        std::io::Write::write_all(&mut open, b"x").unwrap();
        open.read_exact(&mut [0]).unwrap();
        who.says(&["pause", what]);
        assert!(open.read(&mut [0]).is_err() || open.read(&mut [0]).unwrap_or(0) == 0, "{what}");
        if code.is_empty() {
            ben.waits_for("the portal to be down", |seen| {
                (find(&seen["inlets"], "echo")?["link"]["state"] == "down").then_some(())
            });
        } else {
            ben.has_down("echo", code);
        }
        who.says(&["resume", what]);
        ben.has_up("echo");
    }
    ben.says(&["pause", "portal:echo"]);
    ben.waits_for("the portal to be off", |seen| {
        (find(&seen["inlets"], "echo")?["link"]["state"] == "off").then_some(())
    });
    ben.says(&["resume", "portal:echo"]);
    assert_eq!(ben.has_up("echo"), inlet);
}

#[test]
fn an_owner_who_wants_to_be_asked_is_asked() {
    let hub = Hub::start();
    let (ann, ben, eve) = (Person::at(&hub, "Ann"), Person::at(&hub, "Ben"), Person::at(&hub, "Eve"));
    let service = Service::echo_after_end();
    ann.shares(service.address(), "safe");
    let (for_ben, for_eve) = (ann.invites("safe", &["--ask-first"]), ann.invites("safe", &["--ask-first"]));
    let port = free_port();
    ben.says_to(&["join", "-", "--port", &port.to_string(), "--wait", "1s"], &for_ben);
    let knock = ann.waits_for("the knock", |seen| seen["knocks"].get(0).cloned());
    assert_eq!((&knock["name"], &knock["service_name"]), (&"Ben".into(), &"safe".into()));
    let words = ben.sees()["invitations"][0]["words"].clone();
    assert_eq!(knock["words"], words, "both see the same words");
    ann.says(&["knock", "always", "Ben"]);
    ben.has_up("safe");
    assert_eq!(ask(address(port), b"in").unwrap(), b"in");

    eve.says_to(&["join", "-", "--wait", "1s"], &for_eve);
    ann.waits_for("the other knock", |seen| (seen["knocks"][0]["name"] == "Eve").then_some(()));
    ann.says(&["knock", "deny"]);
    let code = eve.waits_for("the answer", |seen| {
        let state = &seen["invitations"][0]["state"];
        (state["state"] == "over").then(|| text(&state["fault"]["code"]).to_owned())
    });
    assert_eq!(code, "denied");
}

#[test]
fn an_invitation_that_is_over_lets_nobody_in() {
    let hub = Hub::start();
    let directory = temp_dir();
    let clock = Clock::right(directory.path());
    let mut ann = Person::resting("Ann", &["--hub", &hub.address().to_string()]);
    clock.of(&mut ann);
    ann.up();
    let ben = Person::at(&hub, "Ben");
    let service = Service::echo_after_end();
    ann.shares(service.address(), "brief");
    let link = ann.invites("brief", &["--expires", "1m"]);
    clock.turn("+2m");
    // By the friend's clock it can be accepted; the owner's decides.
    let refusal = ben.refused_to(&["join", "-", "--port", &free_port().to_string(), "--wait", "60s"], &link);
    assert_eq!((refusal.exit, refusal.code.as_str()), (8, "expired"), "{refusal:?}");
    ann.waits_for("the invitation to be over", |seen| {
        (find(&seen["services"], "brief")?["invitations"][0]["state"] == "expired").then_some(())
    });
    assert_eq!(find(&ann.sees()["services"], "brief").unwrap()["people"], serde_json::json!([]));

    // By both clocks.
    let late = ann.invites("brief", &["--expires", "1m"]);
    let mut eve = Person::resting("Eve", &["--hub", &hub.address().to_string()]);
    let far = Clock::right(eve.data().parent().unwrap());
    far.turn("+1d");
    far.of(&mut eve);
    eve.up();
    let refusal = eve.refused_to(&["join", "-"], &late);
    assert_eq!((refusal.exit, refusal.code.as_str()), (8, "expired"), "{refusal:?}");
}
