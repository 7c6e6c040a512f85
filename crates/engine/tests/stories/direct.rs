//! From computer to computer, without a hub.

use crate::world::{PATIENCE, Person, echo, endless, is_refused, says_back};
use postern_engine::api::{Code, EngineApi, GrantState, InletLink, PathKind, Request, Secret};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// An owner who shares a service, and the link to it.
async fn owner_with(owner: &Person, target: &str) -> Secret {
    owner.set_up("Olga", &[], true).await;
    owner.is_reachable().await;
    let service = owner.share("wiki", target).await;
    owner.link(service).await
}

#[tokio::test(flavor = "multi_thread")]
async fn share_invite_accept_use() {
    let (owner, friend) = (Person::passing().await, Person::passing().await);
    let link = owner_with(&owner, &echo().await).await;
    friend.set_up("Fred", &[], false).await;
    friend.accept(&link).await;
    let portal = friend.portal_is_up().await;
    assert!(matches!(portal.link, InletLink::Up { way: PathKind::Direct { .. }, .. }));
    assert_eq!((portal.owner_name.as_str(), portal.name.as_str()), ("Olga", "wiki"));
    says_back(&portal.address, "hello through the wall").await;
    let person = owner.sees("Fred's grant", |it| it.services[0].people.first().cloned()).await;
    assert_eq!((person.name.as_str(), person.state), ("Fred", GrantState::Active));
    let mut traffic = owner.engine().traffic();
    let moved = traffic.wait_for(|it| it.grants.iter().any(|flow| flow.up_bytes >= 22 && flow.down_bytes >= 22));
    drop(tokio::time::timeout(PATIENCE, moved).await.unwrap().unwrap());
    let mut traffic = friend.engine().traffic();
    let moved = traffic.wait_for(|it| it.inlets.iter().any(|flow| flow.up_bytes >= 22 && flow.down_bytes >= 22));
    drop(tokio::time::timeout(PATIENCE, moved).await.unwrap().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_cuts_a_transfer_at_once_and_says_why() {
    let (owner, friend) = (Person::passing().await, Person::passing().await);
    let link = owner_with(&owner, &endless().await).await;
    friend.set_up("Fred", &[], false).await;
    friend.accept(&link).await;
    let portal = friend.portal_is_up().await;
    let mut socket = TcpStream::connect(&portal.address).await.unwrap();
    let mut buffer = vec![0; 64 * 1024];
    for _ in 0..20 {
        assert!(socket.read(&mut buffer).await.unwrap() > 0);
    }
    let grant = owner.now().services[0].people[0].grant;
    owner.done(Request::RevokeGrant { grant }).await;
    let revoked = Instant::now();
    let cut = async { while socket.read(&mut buffer).await.is_ok_and(|read| read > 0) {} };
    tokio::time::timeout(PATIENCE, cut).await.unwrap();
    assert!(revoked.elapsed() < Duration::from_secs(1), "{:?}", revoked.elapsed());
    friend.portal_is_down(Code::Revoked).await;
    assert!(is_refused(&portal.address).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_service_refuses_and_comes_back() {
    let (owner, friend) = (Person::passing().await, Person::passing().await);
    let link = owner_with(&owner, &echo().await).await;
    friend.set_up("Fred", &[], false).await;
    friend.accept(&link).await;
    let portal = friend.portal_is_up().await;
    let service = owner.now().services[0].id;
    owner.done(Request::SetService { service, on: false }).await;
    friend.portal_is_down(Code::PausedByOwner).await;
    assert!(is_refused(&portal.address).await);
    owner.done(Request::SetService { service, on: true }).await;
    friend.portal_is_up().await;
    says_back(&portal.address, "back again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_restart_in_each_order_and_ports_stay() {
    let (mut owner, mut friend) = (Person::lasting().await, Person::lasting().await);
    let link = owner_with(&owner, &echo().await).await;
    friend.set_up("Fred", &[], false).await;
    friend.accept(&link).await;
    let portal = friend.portal_is_up().await;
    says_back(&portal.address, "at first").await;
    let listens = owner.now().this_computer.addresses.clone();

    friend.stop().await;
    friend.start().await;
    assert_eq!(friend.portal_is_up().await.address, portal.address);
    says_back(&portal.address, "after the friend's restart").await;

    owner.stop().await;
    friend.portal_is_down(Code::OwnerOffline).await;
    owner.start().await;
    owner.is_reachable().await;
    assert_eq!(owner.now().this_computer.addresses, listens);
    assert_eq!(friend.portal_is_up().await.address, portal.address);
    says_back(&portal.address, "after the owner's").await;

    owner.stop().await;
    friend.stop().await;
    friend.start().await;
    owner.start().await;
    assert_eq!(friend.portal_is_up().await.address, portal.address);
    says_back(&portal.address, "after both").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_is_offline_is_waited_for() {
    let (mut owner, friend) = (Person::lasting().await, Person::passing().await);
    let link = owner_with(&owner, &echo().await).await;
    owner.stop().await;
    friend.set_up("Fred", &[], false).await;
    friend.accept(&link).await;
    let waits = friend.sees("why it waits", |it| match &it.invitations.first()?.state {
        postern_engine::api::ReceivedState::Accepting { fault } => fault.clone(),
        _ => None,
    });
    assert_eq!(waits.await.code, Code::OwnerOffline);
    owner.start().await;
    let portal = friend.portal_is_up().await;
    says_back(&portal.address, "you are here").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_says_who_has_it_and_is_taken_once_it_is_free() {
    let (owner, friend) = (Person::passing().await, Person::passing().await);
    let link = owner_with(&owner, &echo().await).await;
    friend.set_up("Fred", &[], false).await;
    friend.accept(&link).await;
    let portal = friend.portal_is_up().await;
    friend.done(Request::SetInlet { inlet: portal.id, on: false }).await;
    friend.sees("the portal off", |it| (it.inlets[0].link == InletLink::Off).then_some(())).await;
    let holder = loop {
        match std::net::TcpListener::bind(&portal.address) {
            Ok(holder) => break holder,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    friend.done(Request::SetInlet { inlet: portal.id, on: true }).await;
    let fault = friend.portal_is_down(Code::PortTaken).await;
    assert!(fault.message.contains("used by stories") && fault.message.contains("is free."), "{fault}");
    drop(holder);
    friend.portal_is_up().await;
    says_back(&portal.address, "mine again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_shown_stored_in_the_clear_or_shared() {
    let (owner, friend) = (Person::lasting().await, Person::lasting().await);
    let link = owner_with(&owner, &echo().await).await;
    friend.set_up("Fred", &[], false).await;
    friend.accept(&link).await;
    friend.portal_is_up().await;
    let code = link.reveal().strip_prefix("postern://join/").unwrap();
    for person in [&owner, &friend] {
        let snapshot = serde_json::to_string(&*person.now()).unwrap();
        assert!(!snapshot.contains(&code[40..60]) && !snapshot.contains("open sesame"));
        let stored = person.stored();
        let shows = |text: &str| stored.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!shows("open sesame"));
    }
}
