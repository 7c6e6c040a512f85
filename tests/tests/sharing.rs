//! One service, shared with one person: from the link to the last byte.

use std::io::Read;

use postern_testkit::client::{ask, connect};
use postern_testkit::json::{find, text};
use postern_testkit::port::{free_port, loopback};
use postern_testkit::{FakeClock, Hub, Person, Service, World, temp_dir};

#[test]
fn an_invitation_is_accepted_while_its_owner_is_offline() {
    let World { hub: _hub, mut ann, ben, service: _service } = World::sharing("notes");
    let link = ann.invite("notes", &[]);
    ann.stop();

    let port = free_port();
    let said = ben.run_with_input(&["join", "-", "--port", &port.to_string(), "--wait", "2s"], &link);
    let last = said.last().unwrap();
    assert_eq!(last["event"], "waiting", "{said:?}");
    let why = ben.wait_for("the reason", |seen| {
        let state = &seen["invitations"][0]["state"];
        (state["state"] == "accepting" && state["fault"].is_object()).then(|| text(&state["fault"]["code"]).to_owned())
    });
    assert_eq!(why, "owner-offline");

    ann.up();
    assert_eq!(ben.wait_until_up("notes"), loopback(port));
    assert_eq!(ask(loopback(port), b"at last").unwrap(), b"at last");
}

#[test]
fn a_service_goes_down_and_comes_back() {
    let hub = Hub::start();
    let (ann, ben) = (Person::start(&hub, "Ann"), Person::start(&hub, "Ben"));
    let port = free_port();
    ann.share(loopback(port), "later");
    let down = |seen: &serde_json::Value| {
        find(&seen["services"], "later")?["health"]["fault"]["code"].as_str().map(str::to_owned)
    };
    assert_eq!(ann.wait_for("the service to be down", down), "service-down");
    let inlet = loopback(free_port());
    ben.run_with_input(&["join", "-", "--port", &inlet.port().to_string(), "--wait", "1s"], &ann.invite("later", &[]));
    // Nobody has used it.
    let message = ben.wait_until_down("later", "service-down");
    assert!(message.contains("Ann"), "{message}");

    let listener = std::net::TcpListener::bind(loopback(port)).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = std::io::copy(&mut &stream, &mut &stream);
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
    });
    ann.wait_for("the service to be up", |seen| {
        (find(&seen["services"], "later")?["health"]["state"] == "up").then_some(())
    });
    ben.wait_until_up("later");
    assert_eq!(ask(inlet, b"back").unwrap(), b"back");
}

#[test]
fn pausing_cuts_and_resuming_lets_in_again() {
    let hub = Hub::start();
    let (ann, ben) = (Person::start(&hub, "Ann"), Person::start(&hub, "Ben"));
    let service = Service::echo();
    ann.share(service.address(), "echo");
    let inlet = ben.join(&ann.invite("echo", &[]));

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
        who.run(&["pause", what]);
        assert!(open.read(&mut [0]).is_err() || open.read(&mut [0]).unwrap_or(0) == 0, "{what}");
        if code.is_empty() {
            ben.wait_for("the portal to be down", |seen| {
                (find(&seen["inlets"], "echo")?["link"]["state"] == "down").then_some(())
            });
        } else {
            ben.wait_until_down("echo", code);
        }
        who.run(&["resume", what]);
        ben.wait_until_up("echo");
    }
    ben.run(&["pause", "portal:echo"]);
    ben.wait_for("the portal to be off", |seen| {
        (find(&seen["inlets"], "echo")?["link"]["state"] == "off").then_some(())
    });
    ben.run(&["resume", "portal:echo"]);
    assert_eq!(ben.wait_until_up("echo"), inlet);
}

#[test]
fn an_invitation_with_ask_first_needs_the_owners_consent() {
    let hub = Hub::start();
    let (ann, ben, eve) = (Person::start(&hub, "Ann"), Person::start(&hub, "Ben"), Person::start(&hub, "Eve"));
    let service = Service::echo_after_end();
    ann.share(service.address(), "safe");
    let (for_ben, for_eve) = (ann.invite("safe", &["--ask-first"]), ann.invite("safe", &["--ask-first"]));
    let port = free_port();
    ben.run_with_input(&["join", "-", "--port", &port.to_string(), "--wait", "1s"], &for_ben);
    let knock = ann.wait_for("the knock", |seen| seen["knocks"].get(0).cloned());
    assert_eq!((&knock["name"], &knock["service_name"]), (&"Ben".into(), &"safe".into()));
    let words = ben.snapshot()["me"]["words"].clone();
    assert_eq!(knock["words"], words, "Ann sees Ben's words");
    let words = ann.snapshot()["me"]["words"].clone();
    assert_eq!(ben.snapshot()["invitations"][0]["words"], words, "and Ben Ann's");
    ann.run(&["knock", "always", "Ben"]);
    ben.wait_until_up("safe");
    assert_eq!(ask(loopback(port), b"in").unwrap(), b"in");

    eve.run_with_input(&["join", "-", "--wait", "1s"], &for_eve);
    ann.wait_for("the other knock", |seen| (seen["knocks"][0]["name"] == "Eve").then_some(()));
    ann.run(&["knock", "deny"]);
    let code = eve.wait_for("the answer", |seen| {
        let state = &seen["invitations"][0]["state"];
        (state["state"] == "over").then(|| text(&state["fault"]["code"]).to_owned())
    });
    assert_eq!(code, "denied");
}

#[test]
fn an_expired_invitation_admits_nobody() {
    let hub = Hub::start();
    let directory = temp_dir();
    let clock = FakeClock::new(directory.path());
    let mut ann = Person::stopped("Ann", &["--hub", &hub.address().to_string()]);
    clock.apply_to(&mut ann);
    ann.up();
    let ben = Person::start(&hub, "Ben");
    let service = Service::echo_after_end();
    ann.share(service.address(), "brief");
    let link = ann.invite("brief", &["--expires", "1m"]);
    clock.set("+2m");
    // By the friend's clock it can be accepted; the owner's decides.
    let refusal = ben.fails_with_input(&["join", "-", "--port", &free_port().to_string(), "--wait", "60s"], &link);
    assert_eq!((refusal.exit, refusal.code.as_str()), (8, "expired"), "{refusal:?}");
    ann.wait_for("the invitation to be over", |seen| {
        (find(&seen["services"], "brief")?["invitations"][0]["state"] == "expired").then_some(())
    });
    assert_eq!(find(&ann.snapshot()["services"], "brief").unwrap()["people"], serde_json::json!([]));

    // By both clocks.
    let late = ann.invite("brief", &["--expires", "1m"]);
    let mut eve = Person::stopped("Eve", &["--hub", &hub.address().to_string()]);
    let far = FakeClock::new(eve.data_dir().parent().unwrap());
    far.set("+1d");
    far.apply_to(&mut eve);
    eve.up();
    let refusal = eve.fails_with_input(&["join", "-"], &late);
    assert_eq!((refusal.exit, refusal.code.as_str()), (8, "expired"), "{refusal:?}");
}

#[test]
fn a_clock_that_is_behind_keeps_nobody_out_and_doctor_says_so() {
    let hub = Hub::start();
    let ann = Person::start(&hub, "Ann");
    let mut ben = Person::stopped("Ben", &["--hub", &hub.address().to_string()]);
    let clock = FakeClock::new(ben.data_dir().parent().unwrap());
    clock.set("-5m");
    clock.apply_to(&mut ben);
    ben.up();
    let service = Service::echo_after_end();
    ann.share(service.address(), "brief");
    ben.join(&ann.invite("brief", &[]));
    ben.wait_for("the hub's clock", |seen| seen["hubs"][0]["clock_ahead_ms"].as_i64());
    let findings = ben.run(&["doctor"]);
    let clock = findings[0]["findings"].as_array().unwrap().iter().find(|it| it["subject"] == "clock").unwrap();
    assert!(text(&clock["message"]).starts_with("Your clock is 5 minutes behind"), "{clock}");
}
