//! From computer to computer, without a hub.

use super::test_engine::{TestEngine, assert_echo, echo, endless, is_in_network, is_refused};
use postern_engine::api::{Code, EngineApi, GrantState, InletLink, PathKind, Request, Secret};
use postern_testkit::TIMEOUT;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// An owner who shares a service, and the link to it.
async fn owner_with(owner: &TestEngine, target: &str) -> Secret {
    owner.set_up("Olga", &[], true).await;
    owner.wait_until_reachable().await;
    let service = owner.share("wiki", target).await;
    owner.link(service).await
}

#[tokio::test(flavor = "multi_thread")]
async fn share_invite_accept_use() {
    if !is_in_network() {
        return;
    }
    let (owner, friend) = (TestEngine::with_key_in_memory().await, TestEngine::with_key_in_memory().await);
    let link = owner_with(&owner, &echo().await).await;
    friend.set_up("Fred", &[], false).await;
    friend.accept(&link).await;
    let portal = friend.wait_until_portal_up().await;
    assert!(matches!(portal.link, InletLink::Up { way: PathKind::Direct { .. }, .. }));
    assert_eq!((portal.owner_name.as_str(), portal.name.as_str()), ("Olga", "wiki"));
    assert_echo(&portal.address, "hello through the wall").await;
    let person = owner.wait_for("Fred's grant", |it| it.services[0].people.first().cloned()).await;
    assert_eq!((person.name.as_str(), person.state), ("Fred", GrantState::Active));
    let mut traffic = owner.engine().traffic();
    let moved = traffic.wait_for(|it| it.grants.iter().any(|flow| flow.up_bytes >= 22 && flow.down_bytes >= 22));
    drop(tokio::time::timeout(TIMEOUT, moved).await.unwrap().unwrap());
    let mut traffic = friend.engine().traffic();
    let moved = traffic.wait_for(|it| it.inlets.iter().any(|flow| flow.up_bytes >= 22 && flow.down_bytes >= 22));
    drop(tokio::time::timeout(TIMEOUT, moved).await.unwrap().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_cuts_a_transfer_at_once_and_says_why() {
    if !is_in_network() {
        return;
    }
    let (owner, friend) = (TestEngine::with_key_in_memory().await, TestEngine::with_key_in_memory().await);
    let link = owner_with(&owner, &endless().await).await;
    friend.set_up("Fred", &[], false).await;
    friend.accept(&link).await;
    let portal = friend.wait_until_portal_up().await;
    let mut socket = TcpStream::connect(&portal.address).await.unwrap();
    let mut buffer = vec![0; 64 * 1024];
    for _ in 0..20 {
        assert!(socket.read(&mut buffer).await.unwrap() > 0);
    }
    let grant = owner.latest().services[0].people[0].grant;
    owner.must_do(Request::RevokeGrant { grant }).await;
    let revoked = Instant::now();
    let cut = async { while socket.read(&mut buffer).await.is_ok_and(|read| read > 0) {} };
    tokio::time::timeout(TIMEOUT, cut).await.unwrap();
    assert!(revoked.elapsed() < Duration::from_secs(1), "{:?}", revoked.elapsed());
    friend.wait_until_portal_down(Code::Revoked).await;
    assert!(is_refused(&portal.address).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_service_refuses_and_comes_back() {
    if !is_in_network() {
        return;
    }
    let (owner, friend) = (TestEngine::with_key_in_memory().await, TestEngine::with_key_in_memory().await);
    let link = owner_with(&owner, &echo().await).await;
    friend.set_up("Fred", &[], false).await;
    friend.accept(&link).await;
    let portal = friend.wait_until_portal_up().await;
    let service = owner.latest().services[0].id;
    owner.must_do(Request::SetService { service, on: false }).await;
    friend.wait_until_portal_down(Code::PausedByOwner).await;
    assert!(is_refused(&portal.address).await);
    owner.must_do(Request::SetService { service, on: true }).await;
    friend.wait_until_portal_up().await;
    assert_echo(&portal.address, "back again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_restart_in_each_order_and_ports_stay() {
    if !is_in_network() {
        return;
    }
    let (mut owner, mut friend) = (TestEngine::with_key_file().await, TestEngine::with_key_file().await);
    let link = owner_with(&owner, &echo().await).await;
    friend.set_up("Fred", &[], false).await;
    friend.accept(&link).await;
    let portal = friend.wait_until_portal_up().await;
    assert_echo(&portal.address, "at first").await;
    let listens = owner.latest().this_computer.addresses.clone();

    friend.stop().await;
    friend.start().await;
    assert_eq!(friend.wait_until_portal_up().await.address, portal.address);
    assert_echo(&portal.address, "after the friend's restart").await;

    owner.stop().await;
    friend.wait_until_portal_down(Code::OwnerOffline).await;
    owner.start().await;
    owner.wait_until_reachable().await;
    assert_eq!(owner.latest().this_computer.addresses, listens);
    assert_eq!(friend.wait_until_portal_up().await.address, portal.address);
    assert_echo(&portal.address, "after the owner's").await;

    owner.stop().await;
    friend.stop().await;
    friend.start().await;
    owner.start().await;
    assert_eq!(friend.wait_until_portal_up().await.address, portal.address);
    assert_echo(&portal.address, "after both").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inlet_waits_for_an_owner_who_is_offline() {
    if !is_in_network() {
        return;
    }
    let (mut owner, friend) = (TestEngine::with_key_file().await, TestEngine::with_key_in_memory().await);
    let link = owner_with(&owner, &echo().await).await;
    owner.stop().await;
    friend.set_up("Fred", &[], false).await;
    friend.accept(&link).await;
    let waits = friend.wait_for("why it waits", |it| match &it.invitations.first()?.state {
        postern_engine::api::ReceivedState::Accepting { fault } => fault.clone(),
        _ => None,
    });
    assert_eq!(waits.await.code, Code::OwnerOffline);
    owner.start().await;
    let portal = friend.wait_until_portal_up().await;
    assert_echo(&portal.address, "you are here").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_names_its_program_and_is_bound_once_it_is_free() {
    if !is_in_network() {
        return;
    }
    let (owner, friend) = (TestEngine::with_key_in_memory().await, TestEngine::with_key_in_memory().await);
    let link = owner_with(&owner, &echo().await).await;
    friend.set_up("Fred", &[], false).await;
    friend.accept(&link).await;
    let portal = friend.wait_until_portal_up().await;
    friend.must_do(Request::SetInlet { inlet: portal.id, on: false }).await;
    friend.wait_for("the portal off", |it| (it.inlets[0].link == InletLink::Off).then_some(())).await;
    let holder = loop {
        match std::net::TcpListener::bind(&portal.address) {
            Ok(holder) => break holder,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    friend.must_do(Request::SetInlet { inlet: portal.id, on: true }).await;
    let fault = friend.wait_until_portal_down(Code::PortTaken).await;
    assert!(fault.message.contains("used by engines") && fault.message.contains("is free."), "{fault}");
    drop(holder);
    friend.wait_until_portal_up().await;
    assert_echo(&portal.address, "mine again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_shown_stored_in_the_clear_or_shared() {
    if !is_in_network() {
        return;
    }
    let (owner, friend) = (TestEngine::with_key_file().await, TestEngine::with_key_file().await);
    let link = owner_with(&owner, &echo().await).await;
    friend.set_up("Fred", &[], false).await;
    friend.accept(&link).await;
    friend.wait_until_portal_up().await;
    let code = link.reveal().strip_prefix("postern://join/").unwrap();
    for person in [&owner, &friend] {
        let snapshot = serde_json::to_string(&*person.latest()).unwrap();
        assert!(!snapshot.contains(&code[40..60]) && !snapshot.contains("open sesame"));
        let stored = person.stored();
        let shows = |text: &str| stored.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!shows("open sesame"));
    }
}
