//! Through a hub.

use super::test_engine::{TestEngine, assert_echo, echo, endless, hub, is_refused};
use postern_engine::api::{Code, EngineApi, InletLink, InviteTo, PathKind, Request};
use postern_node::relay::{RelayService, RelayServiceOptions};
use postern_node::{Node, Origin};
use postern_testkit::TIMEOUT;
use postern_testkit::port::free_port;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn share_accept_use_and_revoke_through_a_hub() {
    let (_hub, address) = hub().await;
    let (owner, friend) = (TestEngine::with_key_in_memory().await, TestEngine::with_key_in_memory().await);
    owner.set_up("Olga", &[&address], false).await;
    owner.wait_until_hubs_up().await;
    let service = owner.share("numbers", &endless().await).await;
    let link = owner.link(service).await;
    friend.set_up("Fred", &[], false).await;
    friend.accept(&link).await;
    let portal = friend.wait_until_portal_up().await;
    assert!(matches!(&portal.link, InletLink::Up { way: PathKind::Hub { address: hub }, .. } if *hub == address));
    let mut socket = TcpStream::connect(&portal.address).await.unwrap();
    let mut buffer = vec![0; 64 * 1024];
    for _ in 0..20 {
        assert!(socket.read(&mut buffer).await.unwrap() > 0);
    }
    let grant = owner.latest().services[0].people[0].grant;
    owner.must_do(Request::RevokeGrant { grant }).await;
    let revoked = Instant::now();
    while socket.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    assert!(revoked.elapsed() < Duration::from_secs(1), "{:?}", revoked.elapsed());
    friend.wait_until_portal_down(Code::Revoked).await;
    assert!(is_refused(&portal.address).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_hub_is_distinguished_from_an_absent_owner() {
    let (hub, address) = hub().await;
    let (mut owner, friend) = (TestEngine::with_key_file().await, TestEngine::with_key_in_memory().await);
    owner.set_up("Olga", &[&address], false).await;
    owner.wait_until_hubs_up().await;
    let service = owner.share("echo", &echo().await).await;
    let link = owner.link(service).await;
    friend.set_up("Fred", &[&address], false).await;
    friend.wait_until_hubs_up().await;
    friend.accept(&link).await;
    let portal = friend.wait_until_portal_up().await;
    assert_echo(&portal.address, "through the hub").await;
    owner.stop().await;
    friend.wait_until_portal_down(Code::OwnerOffline).await;
    owner.start().await;
    friend.wait_until_portal_up().await;
    assert_echo(&portal.address, "again").await;
    hub.drain().await;
    friend.wait_until_portal_down(Code::HubUnreachable).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_friend_is_invited_by_mail_while_they_are_away() {
    let (_hub, address) = hub().await;
    let (owner, mut friend) = (TestEngine::with_key_file().await, TestEngine::with_key_file().await);
    owner.set_up("Olga", &[&address], false).await;
    owner.wait_until_hubs_up().await;
    let first = owner.share("first", &echo().await).await;
    let link = owner.link(first).await;
    friend.set_up("Fred", &[&address], false).await;
    friend.wait_until_hubs_up().await;
    friend.accept(&link).await;
    friend.wait_until_portal_up().await;
    let person =
        owner.wait_for("Fred as a contact", |it| it.contacts.first().filter(|it| it.can_be_mailed).cloned()).await;
    friend.stop().await;
    let second = owner.share("second", &echo().await).await;
    let (invitation, link) = owner.invite(second, InviteTo::Contact { person: person.identifier }).await;
    assert_eq!(link, None);
    owner
        .wait_for("it delivered", |it| {
            let sent = it.services.iter().flat_map(|it| &it.invitations).find(|it| it.id == invitation)?;
            (sent.state == postern_engine::api::SentState::Delivered).then_some(())
        })
        .await;
    friend.start().await;
    let received = friend.wait_for("the invitation", |it| it.invitations.first().cloned()).await;
    assert_eq!((received.owner_name.as_str(), received.service_name.as_str()), ("Olga", "second"));
    let port = Some(free_port());
    friend.must_do(Request::Accept { invitation, port }).await;
    let portal = friend.wait_for("the second portal up", |it| {
        it.inlets.iter().find(|it| it.name == "second" && matches!(it.link, InletLink::Up { .. })).cloned()
    });
    assert_echo(&portal.await.address, "by mail").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_falls_back_to_the_hub_when_the_direct_path_fails() {
    let (_hub, address) = hub().await;
    let (mut owner, friend) = (TestEngine::with_key_file().await, TestEngine::with_key_in_memory().await);
    owner.set_up("Olga", &[&address], true).await;
    owner.wait_until_hubs_up().await;
    owner.wait_until_reachable().await;
    let service = owner.share("echo", &echo().await).await;
    let link = owner.link(service).await;
    friend.set_up("Fred", &[], false).await;
    friend.accept(&link).await;
    let portal = friend.wait_until_portal_up().await;
    assert_echo(&portal.address, "straight").await;
    owner.must_do(Request::SetThisComputer { on: false }).await;
    owner.stop().await;
    owner.start().await;
    let moved = friend.wait_for("the portal at the hub", |it| match &it.inlets[0].link {
        InletLink::Up { way: PathKind::Hub { .. }, .. } => Some(it.inlets[0].address.clone()),
        _ => None,
    });
    assert_eq!(moved.await, portal.address);
    assert_echo(&portal.address, "around").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_without_an_identity_can_be_used() {
    let node = Node::new();
    let listener = node.tcp_listen("127.0.0.1:0").await.unwrap();
    RelayService::start(&node, RelayServiceOptions::default(), &[listener.origin()]).unwrap();
    let address = listener.local_addr().to_string();
    let (owner, friend) = (TestEngine::with_key_in_memory().await, TestEngine::with_key_in_memory().await);
    owner.set_up("Olga", &[&address], false).await;
    owner.wait_until_hubs_up().await;
    let service = owner.share("echo", &echo().await).await;
    let link = owner.link(service).await;
    friend.set_up("Fred", &[], false).await;
    friend.accept(&link).await;
    assert_echo(&friend.wait_until_portal_up().await.address, "plainly").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn traffic_totals_survive_a_restart() {
    let (_hub, address) = hub().await;
    let (mut owner, mut friend) = (TestEngine::with_key_file().await, TestEngine::with_key_file().await);
    owner.set_up("Olga", &[&address], false).await;
    owner.wait_until_hubs_up().await;
    let service = owner.share("echo", &echo().await).await;
    let link = owner.link(service).await;
    friend.set_up("Fred", &[&address], false).await;
    friend.accept(&link).await;
    assert_echo(&friend.wait_until_portal_up().await.address, "once upon a time").await;
    friend.stop().await;
    friend.start().await;
    assert_echo(&friend.wait_until_portal_up().await.address, "and then").await;
    owner.stop().await;
    owner.start().await;
    let (mut theirs, mut ours) = (owner.engine().traffic(), friend.engine().traffic());
    let of_the_grant = theirs.wait_for(|it| it.grants.iter().any(|it| (it.up_bytes, it.down_bytes) == (24, 24)));
    drop(tokio::time::timeout(TIMEOUT, of_the_grant).await.unwrap().unwrap());
    let of_the_portal = ours.wait_for(|it| it.inlets.iter().any(|it| (it.up_bytes, it.down_bytes) == (24, 24)));
    drop(tokio::time::timeout(TIMEOUT, of_the_portal).await.unwrap().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn service_health_is_sent_to_those_who_may_use_it() {
    let (_hub, address) = hub().await;
    let (owner, friend) = (TestEngine::with_key_in_memory().await, TestEngine::with_key_in_memory().await);
    owner.set_up("Olga", &[&address], false).await;
    owner.wait_until_hubs_up().await;
    let target = format!("127.0.0.1:{}", free_port());
    let service = owner.share("later", &target).await;
    let link = owner.link(service).await;
    friend.set_up("Fred", &[&address], false).await;
    friend.accept(&link).await;
    friend.wait_until_portal_down(Code::ServiceDown).await;
    let _listener = tokio::net::TcpListener::bind(&target).await.unwrap();
    friend.wait_until_portal_up().await;
}
