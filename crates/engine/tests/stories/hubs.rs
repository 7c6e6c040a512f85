//! Through a hub.

use crate::world::{PATIENCE, Person, echo, endless, hub, is_refused, says_back};
use postern_engine::api::{Code, EngineApi, InletLink, InviteTo, PathKind, Request};
use postern_node::relay::{RelayService, RelayServiceOptions};
use postern_node::{Node, Origin};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn share_accept_use_and_revoke_through_a_hub() {
    let (_hub, address) = hub().await;
    let (owner, friend) = (Person::passing().await, Person::passing().await);
    owner.set_up("Olga", &[&address], false).await;
    owner.hubs_are_up().await;
    let service = owner.share("numbers", &endless().await).await;
    let link = owner.link(service).await;
    friend.set_up("Fred", &[], false).await;
    friend.accept(&link).await;
    let portal = friend.portal_is_up().await;
    assert!(matches!(&portal.link, InletLink::Up { way: PathKind::Hub { address: hub }, .. } if *hub == address));
    let mut socket = TcpStream::connect(&portal.address).await.unwrap();
    let mut buffer = vec![0; 64 * 1024];
    for _ in 0..20 {
        assert!(socket.read(&mut buffer).await.unwrap() > 0);
    }
    let grant = owner.now().services[0].people[0].grant;
    owner.done(Request::RevokeGrant { grant }).await;
    let revoked = Instant::now();
    while socket.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    assert!(revoked.elapsed() < Duration::from_secs(1), "{:?}", revoked.elapsed());
    friend.portal_is_down(Code::Revoked).await;
    assert!(is_refused(&portal.address).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_hub_is_told_from_an_absent_owner() {
    let (hub, address) = hub().await;
    let (mut owner, friend) = (Person::lasting().await, Person::passing().await);
    owner.set_up("Olga", &[&address], false).await;
    owner.hubs_are_up().await;
    let service = owner.share("echo", &echo().await).await;
    let link = owner.link(service).await;
    friend.set_up("Fred", &[&address], false).await;
    friend.hubs_are_up().await;
    friend.accept(&link).await;
    let portal = friend.portal_is_up().await;
    says_back(&portal.address, "through the hub").await;
    owner.stop().await;
    friend.portal_is_down(Code::OwnerOffline).await;
    owner.start().await;
    friend.portal_is_up().await;
    says_back(&portal.address, "again").await;
    hub.drain().await;
    friend.portal_is_down(Code::HubUnreachable).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_friend_is_invited_by_mail_while_they_are_away() {
    let (_hub, address) = hub().await;
    let (owner, mut friend) = (Person::lasting().await, Person::lasting().await);
    owner.set_up("Olga", &[&address], false).await;
    owner.hubs_are_up().await;
    let first = owner.share("first", &echo().await).await;
    let link = owner.link(first).await;
    friend.set_up("Fred", &[&address], false).await;
    friend.hubs_are_up().await;
    friend.accept(&link).await;
    friend.portal_is_up().await;
    let person = owner.sees("Fred as a contact", |it| it.contacts.first().filter(|it| it.can_be_mailed).cloned()).await;
    friend.stop().await;
    let second = owner.share("second", &echo().await).await;
    let (invitation, link) = owner.invite(second, InviteTo::Contact { person: person.identifier }).await;
    assert_eq!(link, None);
    owner
        .sees("it delivered", |it| {
            let sent = it.services.iter().flat_map(|it| &it.invitations).find(|it| it.id == invitation)?;
            (sent.state == postern_engine::api::SentState::Delivered).then_some(())
        })
        .await;
    friend.start().await;
    let received = friend.sees("the invitation", |it| it.invitations.first().cloned()).await;
    assert_eq!((received.owner_name.as_str(), received.service_name.as_str()), ("Olga", "second"));
    let port = Some(crate::world::free_port());
    friend.done(Request::Accept { invitation, port }).await;
    let portal = friend.sees("the second portal up", |it| {
        it.inlets.iter().find(|it| it.name == "second" && matches!(it.link, InletLink::Up { .. })).cloned()
    });
    says_back(&portal.await.address, "by mail").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_moves_to_the_hub_when_the_direct_way_is_gone() {
    let (_hub, address) = hub().await;
    let (mut owner, friend) = (Person::lasting().await, Person::passing().await);
    owner.set_up("Olga", &[&address], true).await;
    owner.hubs_are_up().await;
    owner.is_reachable().await;
    let service = owner.share("echo", &echo().await).await;
    let link = owner.link(service).await;
    friend.set_up("Fred", &[], false).await;
    friend.accept(&link).await;
    let portal = friend.portal_is_up().await;
    says_back(&portal.address, "straight").await;
    owner.done(Request::SetThisComputer { on: false }).await;
    owner.stop().await;
    owner.start().await;
    let moved = friend.sees("the portal at the hub", |it| match &it.inlets[0].link {
        InletLink::Up { way: PathKind::Hub { .. }, .. } => Some(it.inlets[0].address.clone()),
        _ => None,
    });
    assert_eq!(moved.await, portal.address);
    says_back(&portal.address, "around").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_without_an_identity_is_used_all_the_same() {
    let node = Node::new();
    let listener = node.tcp_listen("127.0.0.1:0").await.unwrap();
    RelayService::start(&node, RelayServiceOptions::default(), &[listener.origin()]).unwrap();
    let address = listener.local_addr().to_string();
    let (owner, friend) = (Person::passing().await, Person::passing().await);
    owner.set_up("Olga", &[&address], false).await;
    owner.hubs_are_up().await;
    let service = owner.share("echo", &echo().await).await;
    let link = owner.link(service).await;
    friend.set_up("Fred", &[], false).await;
    friend.accept(&link).await;
    says_back(&friend.portal_is_up().await.address, "plainly").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_carried_is_known_after_a_restart() {
    let (_hub, address) = hub().await;
    let (mut owner, mut friend) = (Person::lasting().await, Person::lasting().await);
    owner.set_up("Olga", &[&address], false).await;
    owner.hubs_are_up().await;
    let service = owner.share("echo", &echo().await).await;
    let link = owner.link(service).await;
    friend.set_up("Fred", &[&address], false).await;
    friend.accept(&link).await;
    says_back(&friend.portal_is_up().await.address, "once upon a time").await;
    friend.stop().await;
    friend.start().await;
    says_back(&friend.portal_is_up().await.address, "and then").await;
    owner.stop().await;
    owner.start().await;
    let (mut theirs, mut ours) = (owner.engine().traffic(), friend.engine().traffic());
    let of_the_grant = theirs.wait_for(|it| it.grants.iter().any(|it| (it.up_bytes, it.down_bytes) == (24, 24)));
    drop(tokio::time::timeout(PATIENCE, of_the_grant).await.unwrap().unwrap());
    let of_the_portal = ours.wait_for(|it| it.inlets.iter().any(|it| (it.up_bytes, it.down_bytes) == (24, 24)));
    drop(tokio::time::timeout(PATIENCE, of_the_portal).await.unwrap().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn how_a_service_does_is_told_to_whoever_may_use_it() {
    let (_hub, address) = hub().await;
    let (owner, friend) = (Person::passing().await, Person::passing().await);
    owner.set_up("Olga", &[&address], false).await;
    owner.hubs_are_up().await;
    let target = format!("127.0.0.1:{}", crate::world::free_port());
    let service = owner.share("later", &target).await;
    let link = owner.link(service).await;
    friend.set_up("Fred", &[&address], false).await;
    friend.accept(&link).await;
    friend.portal_is_down(Code::ServiceDown).await;
    let _listener = tokio::net::TcpListener::bind(&target).await.unwrap();
    friend.portal_is_up().await;
}
