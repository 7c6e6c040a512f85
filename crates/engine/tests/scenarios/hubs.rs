//! Through a hub.

use super::test_engine::{TestEngine, assert_echo, echo, endless, hub, is_in_network, is_refused};
use postern_engine::api::{
    Code, EngineApi, InletLink, InvitationId, InviteTo, LinkState, PathKind, ReceivedState, Request, Secret,
    ServiceKind, UnixMillis,
};
use postern_engine::peer::PeerAddress;
use postern_engine::peer::ticket::Ticket;
use postern_node::identity::Identifier;
use postern_node::relay::{RelayService, RelayServiceOptions};
use postern_node::{Node, Origin};
use postern_testkit::TIMEOUT;
use postern_testkit::port::free_port;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test(flavor = "multi_thread")]
async fn share_accept_use_and_revoke_through_a_hub() {
    let (_hub, address) = hub().await;
    let (owner, friend) = (TestEngine::with_key_in_memory().await, TestEngine::with_key_in_memory().await);
    owner.set_up("Olga", &[&address], false).await;
    owner.wait_until_hubs_up().await;
    let service = owner.share("numbers", &endless().await).await;
    let link = owner.link(service).await;
    friend.set_up("Fred", &[&address], false).await;
    friend.accept(&link).await;
    let portal = friend.wait_until_portal_up().await;
    assert!(matches!(&portal.link, InletLink::Up { way: PathKind::Hub { address: hub }, .. } if *hub == address));
    let mut socket = TcpStream::connect(&portal.address).await.unwrap();
    let mut buffer = vec![0; 64 * 1024];
    for _ in 0..20 {
        assert!(socket.read(&mut buffer).await.unwrap() > 0);
    }
    // Who is admitted can be through before the owner's window shows them.
    let grant = owner.wait_for("the friend", |it| it.services[0].people.first().map(|person| person.grant)).await;
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
    if !is_in_network() {
        return;
    }
    let (_hub, address) = hub().await;
    let (mut owner, friend) = (TestEngine::with_key_file().await, TestEngine::with_key_in_memory().await);
    owner.set_up("Olga", &[&address], true).await;
    owner.wait_until_hubs_up().await;
    owner.wait_until_reachable().await;
    let service = owner.share("echo", &echo().await).await;
    let link = owner.link(service).await;
    friend.set_up("Fred", &[&address], false).await;
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
    let options = RelayServiceOptions { identifiers_are_free: true, ..Default::default() };
    RelayService::start(&node, options, &[listener.origin()]).unwrap();
    let address = listener.local_addr().to_string();
    let (owner, friend) = (TestEngine::with_key_in_memory().await, TestEngine::with_key_in_memory().await);
    owner.set_up("Olga", &[&address], false).await;
    owner.wait_until_hubs_up().await;
    let service = owner.share("echo", &echo().await).await;
    let link = owner.link(service).await;
    friend.set_up("Fred", &[&address], false).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_loopback_hub_of_a_link_is_used_only_by_who_has_chosen_it() {
    let (_hub, address) = hub().await;
    let (owner, friend) = (TestEngine::with_key_in_memory().await, TestEngine::with_key_in_memory().await);
    owner.set_up("Olga", &[&address], false).await;
    owner.wait_until_hubs_up().await;
    let service = owner.share("echo", &echo().await).await;
    let link = owner.link(service).await;
    friend.set_up("Fred", &[], false).await;
    friend.accept(&link).await;
    let fault = friend.wait_for("why it waits", |it| match &it.invitations.first()?.state {
        ReceivedState::Accepting { fault } => fault.clone(),
        _ => None,
    });
    let fault = fault.await;
    assert!(fault.message.contains("add it to your hubs"), "{fault}");
    friend.must_do(Request::AddHub { address }).await;
    assert_echo(&friend.wait_until_portal_up().await.address, "now it is mine").await;
}

/// Counts the connections to a port of this machine's own.
async fn counted_port() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, count) = (listener.local_addr().unwrap().to_string(), Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    (address, count)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_connects_to_nothing_before_it_is_accepted_and_never_to_loopback() {
    let (address, count) = counted_port().await;
    let port = address.rsplit_once(':').unwrap().1;
    let friend = TestEngine::with_key_in_memory().await;
    friend.set_up("Fred", &[], false).await;
    let hosts = ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "127.9.9.9"];
    for (number, host) in (0_u8..).zip(hosts) {
        let at = format!("{host}:{port}");
        let hub = PeerAddress::Hub { address: at.clone(), relay: "relay".into() };
        let link = hostile_link(number, vec![PeerAddress::Direct { address: at }, hub]);
        friend.request(Request::Preview { link: link.clone() }).await.unwrap();
        let invitation = friend.accept(&link).await;
        friend
            .wait_for("that it is not dialed", |it| {
                match &it.invitations.iter().find(|it| it.id == invitation)?.state {
                    ReceivedState::Accepting { fault } => fault.clone(),
                    _ => None,
                }
            })
            .await;
    }
    assert_eq!(count.load(Ordering::Relaxed), 0);
    // The port does take connections.
    TcpStream::connect(&address).await.unwrap();
    eventually_counted(&count).await;
}

async fn eventually_counted(count: &AtomicUsize) {
    let counted = async {
        while count.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(TIMEOUT, counted).await.unwrap();
}

/// A link of somebody who can be reached there.
fn hostile_link(number: u8, reach: Vec<PeerAddress>) -> Secret {
    let ticket = Ticket {
        id: InvitationId([number; 16]),
        secret: [7; 32],
        owner: Identifier::from_bytes([0x66; 32]),
        owner_name: "Eve".into(),
        reach,
        service_name: "wiki".into(),
        service_kind: ServiceKind::Http,
        port: 80,
        expires: UnixMillis(u64::MAX / 4),
    };
    ticket.encode()
}

/// A TCP proxy in front of a hub, which loses everything that the hub sends while it is told to.
async fn lossy_proxy(hub: String) -> (String, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, loses) = (listener.local_addr().unwrap().to_string(), Arc::new(AtomicBool::new(true)));
    let told = loses.clone();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let (hub, loses) = (hub.clone(), told.clone());
            tokio::spawn(async move {
                let far = TcpStream::connect(hub).await.unwrap();
                let ((mut from_near, mut to_near), (mut from_far, mut to_far)) = (near.into_split(), far.into_split());
                let up = tokio::io::copy(&mut from_near, &mut to_far);
                let down = async {
                    let mut buffer = [0; 4096];
                    while let Ok(read @ 1..) = from_far.read(&mut buffer).await {
                        if !loses.load(Ordering::Relaxed) && to_near.write_all(&buffer[..read]).await.is_err() {
                            break;
                        }
                    }
                };
                tokio::join!(up, down)
            });
        }
    });
    (address, loses)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_got_lost_does_not_make_a_hub_one_without_an_identity() {
    let (_hub, behind) = hub().await;
    let (address, loses) = lossy_proxy(behind).await;
    let person = TestEngine::with_key_in_memory().await;
    person.set_up("Olga", &[&address], false).await;
    person.wait_for("the hub down", |it| matches!(it.hubs.first()?.link, LinkState::Down { .. }).then_some(())).await;
    loses.store(false, Ordering::Relaxed);
    let identifier = person
        .wait_for("the hub up", |it| it.hubs.first().filter(|it| it.link == LinkState::Up).map(|it| it.identifier));
    assert!(identifier.await.is_some(), "the hub is used without its identity");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_had_an_identity_is_not_used_without_one() {
    let (hub, address) = hub().await;
    let mut person = TestEngine::with_key_file().await;
    person.set_up("Olga", &[&address], false).await;
    person.wait_until_hubs_up().await;
    person.stop().await;
    hub.drain().await;
    // Somebody else has its address now, and no identity.
    let node = Node::new();
    let listener = node.tcp_listen(&address).await.unwrap();
    RelayService::start(&node, RelayServiceOptions::default(), &[listener.origin()]).unwrap();
    person.start().await;
    let fault = person.wait_for("the hub refused", |it| match &it.hubs.first()?.link {
        LinkState::Down { fault, .. } if fault.code == Code::HubChanged => Some(fault.clone()),
        _ => None,
    });
    assert!(fault.await.message.contains("had an identity before"));
}
