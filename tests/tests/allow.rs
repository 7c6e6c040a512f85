//! Who may use a service, and whom a friend believes.

use std::io::{ErrorKind, Read};

use postern_testkit::client::connect;
use postern_testkit::{Hub, Inlet, Outlet, Service};

/// An identifier that nobody has.
const NOBODY: &str = "I0000000000000000000000000000000000000000000000000000000000000001";

#[test]
fn identifiers_not_on_the_list_do_not_reach_the_service() {
    let service = Service::echo();
    let hub = Hub::start();
    let outlet = Outlet::start_with(service.address(), hub.address(), &["--allow", NOBODY]);
    let inlet = Inlet::open(outlet.route(), outlet.identifier());
    let refused = connect(inlet.address()).read(&mut [0]).map_err(|error| error.kind());
    assert_eq!(refused, Err(ErrorKind::ConnectionReset));
    assert_eq!(service.accepted(), 0);
}

#[test]
fn identifiers_not_on_the_list_are_told_so() {
    let service = Service::echo();
    let hub = Hub::start();
    let outlet = Outlet::start_with(service.address(), hub.address(), &["--allow", NOBODY]);
    let inlet = Inlet::start(outlet.route(), outlet.identifier());
    let _client = connect(inlet.address());
    let _ = inlet.process().event("down");
}

#[test]
fn an_inlet_trusts_only_the_owner_it_was_given() {
    let service = Service::echo();
    let hub = Hub::start();
    let outlet = Outlet::start(service.address(), hub.address());
    let inlet = Inlet::open(outlet.route(), NOBODY);
    let _ = inlet.process().event("down");
    assert!(connect(inlet.address()).read(&mut [0]).is_err());
    assert_eq!(service.accepted(), 0);
}
