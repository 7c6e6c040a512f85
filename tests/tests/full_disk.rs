//! A disk that cannot be written while an owner serves: nothing ends, and everything goes on when there is space again.

use postern_testkit::client::echoes;
use postern_testkit::{Hub, Person, Service};
use serde_json::Value;

fn is_reported(snapshot: &Value) -> bool {
    snapshot["troubles"].as_array().is_some_and(|troubles| troubles.iter().any(|it| it["code"] == "storage"))
}

#[test]
fn an_owner_whose_disk_is_full_serves_reports_it_and_recovers() {
    let hub = Hub::start();
    let service = Service::echo();
    let mut ann = Person::stopped("Ann", &["--hub", &hub.address().to_string()]);
    ann.expect_full_disk();
    ann.up();
    let ben = Person::start(&hub, "Ben");
    ann.share(service.address(), "echo");
    let address = ben.join(&ann.invite("echo", &[]));
    assert!(echoes(address));
    assert!(!is_reported(&ann.snapshot()));

    ann.fill_disk(true);
    for _ in 0..5 {
        assert!(echoes(address));
    }
    ann.wait_for("the full disk to be reported", |snapshot| is_reported(snapshot).then_some(()));
    assert_eq!(ann.fails(&["share", "9", "--name", "discard"]).code, "storage");
    assert!(echoes(address));

    ann.fill_disk(false);
    ann.wait_for("the report to end", |snapshot| (!is_reported(snapshot)).then_some(()));
    assert!(echoes(address));
    ann.run(&["share", "9", "--name", "discard again"]);
    assert_eq!(ann.run(&["log", "--verify"])[0]["intact"], true);
    // The engine never ended, and what it did is there after it was stopped.
    ann.stop();
    ann.up();
    let services = ann.snapshot()["services"].as_array().cloned().unwrap_or_default();
    assert!(services.iter().any(|it| it["name"] == "discard again"), "{services:?}");
}
