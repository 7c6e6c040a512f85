//! Revoking a grant during a transfer ends the open stream at once, with an error.

use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

use postern_testkit::client::{ask, connect};
use postern_testkit::{Hub, Payload, Person, Service, TIMEOUT, eventually};

use crate::alone;

/// How long a stream may stay open after its grant was revoked.
const CUT: Duration = Duration::from_secs(1);

#[test]
fn revoking_during_a_transfer_cuts_that_stream_and_no_other() {
    let _alone = alone();
    let hub = Hub::start();
    let (ann, ben) = (Person::start(&hub, "Ann"), Person::start(&hub, "Ben"));
    let service = Service::source(Payload::new(u64::MAX / 2));
    let echo = Service::echo_after_end();
    ann.share(service.address(), "numbers");
    ann.share(echo.address(), "echo");

    let link = ann.invite("numbers", &[]);
    let preview = ben.run_with_input(&["preview", "-"], &link);
    assert_eq!(preview[0]["preview"]["owner_name"], "Ann");
    assert_eq!(preview[0]["preview"]["service_name"], "numbers");
    assert_eq!(preview[0]["preview"]["owner_known"], false);
    let inlet = ben.join(&link);
    let other = ben.join(&ann.invite("echo", &[]));
    ann.wait_for_grant("numbers", "Ben", "active");
    assert_eq!(ask(other, b"hello").unwrap(), b"hello");

    let mut transfer = connect(inlet);
    let mut buffer = vec![0; 1 << 16];
    let mut received = 0;
    while received < 50_000_000 {
        received += transfer.read(&mut buffer).unwrap();
    }
    let revoking = Instant::now();
    ann.run(&["revoke", "numbers/Ben"]);
    let revoked = Instant::now();
    let ended = loop {
        match transfer.read(&mut buffer) {
            Ok(1..) => assert!(revoked.elapsed() < TIMEOUT, "the stream flows on"),
            Ok(0) => break None,
            Err(error) => break Some(error.kind()),
        }
    };
    assert!(revoked.elapsed() < CUT, "cut {:?} after it was revoked", revoked.elapsed());
    assert!(revoking.elapsed() < TIMEOUT);
    assert_eq!(ended, Some(ErrorKind::ConnectionReset), "a part must not be taken for the whole");

    let message = ben.wait_until_down("numbers", "revoked");
    assert!(message.contains("Ann"), "{message}");
    assert!(ask(inlet, b"").map_or(true, |answer| answer.is_empty()), "a revoked portal carries something");
    ann.wait_for_grant("numbers", "Ben", "revoked");
    assert_eq!(ask(other, b"still in").unwrap(), b"still in");
    eventually("the owner's connections to end", TIMEOUT, || (service.live() == 0).then_some(()));

    let log = ann.run(&["log"]);
    let receipts = log[0]["receipts"].as_array().unwrap();
    assert_eq!(log[0]["intact"], true);
    let has =
        |deed: &str, what: &str| receipts.iter().any(|it| it["deed"]["deed"] == deed && it["deed"]["what"] == what);
    assert!(has("invitation", "accepted") && has("grant", "revoked"), "{receipts:#?}");
    assert!(receipts.iter().any(|it| it["deed"]["deed"] == "connection" && it["deed"]["ended"].is_string()));
}
