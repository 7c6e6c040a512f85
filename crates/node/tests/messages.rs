//! Nodes that send each other messages: directly, through channels, and through a hub.

use postern_node::identity::{Attributes, Timestamp, TrustPolicy};
use postern_node::policy::Policy;
use postern_node::relay::{RelayService, RelayServiceOptions};
use postern_node::secure_channel::ChannelError;
use postern_node::tcp::TcpConnection;
use postern_node::vault::MemoryVault;
use postern_node::{
    Context, ContextError, Echoer, Error, Limits, Node, Origin, Result, Route, Routed, SecureChannelOptions,
    TcpListener, Worker, WorkerError, route,
};
use postern_testkit::{TIMEOUT, eventually_async};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// How long to watch that something does not happen: long beside a message on loopback.
const SHORT: Duration = Duration::from_millis(300);

/// A hub: a node that relays for whoever connects.
async fn hub() -> (Node, TcpListener) {
    let hub = Node::new();
    let listener = hub.tcp_listen("127.0.0.1:0").await.unwrap();
    RelayService::start(&hub, RelayServiceOptions::default(), &[listener.origin()]).unwrap();
    (hub, listener)
}

async fn connect(node: &Node, hub: &TcpListener) -> TcpConnection {
    node.tcp_connect(hub.local_addr().to_string()).await.unwrap()
}

async fn echo(node: &Node, route: impl Into<Route>) -> Result<String> {
    let context = node.context()?;
    Ok(context.send_and_receive_within::<String>(TIMEOUT, route, "hello").await?.into_body())
}

#[tokio::test]
async fn workers_of_one_node_exchange_messages() {
    let node = Node::new();
    node.start_worker("echoer", Echoer).unwrap();
    assert_eq!(echo(&node, route!["echoer"]).await.unwrap(), "hello");
    assert!(matches!(node.start_worker("echoer", Echoer), Err(Error::AddressTaken(_))));
    assert!(node.stop("echoer"));
    assert!(matches!(echo(&node, route!["echoer"]).await, Err(Error::Undeliverable(_))));
    node.start_worker("echoer", Echoer).unwrap();
    assert_eq!(echo(&node, route!["echoer"]).await.unwrap(), "hello");
}

/// Answers every number with two messages to a partner, so that full mailboxes meet each other.
struct Ponder(Route);

impl Worker for Ponder {
    type Message = String;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<String>) -> Result<(), WorkerError> {
        let left: u32 = message.body().parse().unwrap_or(0);
        if left == 0 {
            return Ok(());
        }
        for _ in 0..2 {
            context.send(self.0.clone(), (left - 1).to_string()).await?;
        }
        if left == 11 {
            context.send(route!["done"], "done").await?;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_that_flood_each_other_do_not_deadlock() {
    let node = Node::new();
    let mut done = node.context_at("done").unwrap();
    node.start_worker("a", Ponder(route!["b"])).unwrap();
    node.start_worker("b", Ponder(route!["a"])).unwrap();
    let mut context = node.context().unwrap();
    for _ in 0..4 {
        context.send(route!["a"], "11").await.unwrap();
    }
    for _ in 0..4 {
        done.receive::<String>().await.unwrap();
    }
    node.start_worker("echoer", Echoer).unwrap();
    assert_eq!(echo(&node, route!["echoer"]).await.unwrap(), "hello");
}

#[tokio::test]
async fn a_remote_node_reaches_only_what_is_exposed() {
    let (near, far) = (Node::new(), Node::new());
    let listener = far.tcp_listen("127.0.0.1:0").await.unwrap();
    far.start_worker("echoer", Echoer).unwrap();
    let connection = connect(&near, &listener).await;
    let context = near.context().unwrap();
    let refused = context.send_and_receive_within::<String>(SHORT, route![&connection, "echoer"], "hello").await;
    assert!(matches!(refused, Err(ContextError::Timeout(_))));
    far.expose("echoer", &listener).unwrap();
    assert_eq!(echo(&near, route![&connection, "echoer"]).await.unwrap(), "hello");
    // And nothing of the near side is open to the far one, but for the replies it asked for.
    near.start_worker("private", Echoer).unwrap();
    let to_private = route!["private"];
    far.start_worker("hop", Hop(to_private)).unwrap();
    far.expose("hop", &listener).unwrap();
    let refused = context.send_and_receive_within::<String>(SHORT, route![&connection, "hop"], "hello").await;
    assert!(matches!(refused, Err(ContextError::Timeout(_))));
}

/// Sends what it gets back over the connection it came by, but to another worker there.
struct Hop(Route);

impl Worker for Hop {
    type Message = String;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<String>) -> Result<(), WorkerError> {
        let mut route = Route::from(message.return_route().front().unwrap());
        route.append(&self.0);
        Ok(context.send(route, message.into_body()).await?)
    }
}

#[tokio::test]
async fn a_channel_through_a_hub_carries_messages_and_says_who_sent_them() {
    let (_hub, listener) = hub().await;
    let (alice, bob) = (Node::new(), Node::new());
    let bob_identity = bob.create_identity().await.unwrap();
    let at_bob = bob
        .create_secure_channel_listener(&bob_identity, "listener", SecureChannelOptions::trust_anyone())
        .await
        .unwrap();
    bob.start_worker("whoami", WhoAmI).unwrap();
    bob.expose("whoami", &at_bob).unwrap();
    let to_hub = connect(&bob, &listener).await;
    let relay = bob.create_relay(&to_hub, None).await.unwrap();
    bob.expose("listener", &to_hub).unwrap();

    let identity = alice.create_identity().await.unwrap();
    let hub = connect(&alice, &listener).await;
    let options = SecureChannelOptions::trust_only([bob_identity.identifier()]);
    let through = route![&hub, relay.address(), "listener"];
    let channel = alice.create_secure_channel(&identity, through.clone(), options).await.unwrap();
    assert_eq!(channel.peer().identifier, bob_identity.identifier());
    assert!(channel.is_hybrid());
    for _ in 0..200 {
        assert_eq!(echo(&alice, route![&channel, "whoami"]).await.unwrap(), identity.identifier().to_string());
    }
    // Whoever is not trusted is refused by the one who asks.
    let strangers = SecureChannelOptions::trust_only([identity.identifier()]);
    let refused = alice.create_secure_channel(&identity, through, strangers).await;
    assert!(matches!(refused, Err(Error::Channel(ChannelError::Identity(_)))), "{:?}", refused.err());
    // Closing ends both halves.
    assert_eq!(bob.stats().channels.get(), 1);
    channel.close();
    eventually_async("channels of bob == 0", TIMEOUT, || async { (bob.stats().channels.get() == 0).then_some(()) })
        .await;
    assert!(matches!(echo(&alice, route![&channel, "whoami"]).await, Err(Error::Undeliverable(_))));
}

struct WhoAmI;

impl Worker for WhoAmI {
    type Message = String;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<String>) -> Result<(), WorkerError> {
        let peer = message.peer().map(ToString::to_string).unwrap_or_default();
        Ok(context.send(message.return_route().clone(), peer).await?)
    }
}

#[tokio::test]
async fn a_channel_inside_a_channel() {
    let (near, far) = (Node::new(), Node::new());
    let tcp = far.tcp_listen("127.0.0.1:0").await.unwrap();
    let (a, b) = (near.create_identity().await.unwrap(), far.create_identity().await.unwrap());
    let any = SecureChannelOptions::trust_anyone;
    let outer = far.create_secure_channel_listener(&b, "outer", any()).await.unwrap();
    let inner = far.create_secure_channel_listener(&b, "inner", any()).await.unwrap();
    far.start_worker("echoer", Echoer).unwrap();
    far.expose("outer", &tcp).unwrap();
    far.expose("inner", &outer).unwrap();
    far.expose("echoer", &inner).unwrap();
    let connection = connect(&near, &tcp).await;
    let outer = near.create_secure_channel(&a, route![&connection, "outer"], any()).await.unwrap();
    let inner = near.create_secure_channel(&a, route![&outer, "inner"], any()).await.unwrap();
    for _ in 0..100 {
        assert_eq!(echo(&near, route![&inner, "echoer"]).await.unwrap(), "hello");
    }
    let context = near.context().unwrap();
    let refused = context.send_and_receive_within::<String>(SHORT, route![&outer, "echoer"], "hello").await;
    assert!(matches!(refused, Err(ContextError::Timeout(_))));
}

#[tokio::test]
async fn relay_names_belong_to_who_registered_them() {
    let (hub, listener) = hub().await;
    hub.start_worker("private", Echoer).unwrap();
    let (bob, mallory) = (Node::new(), Node::new());
    let (bob_hub, mallory_hub) = (connect(&bob, &listener).await, connect(&mallory, &listener).await);
    bob.create_relay(&bob_hub, Some("bob")).await.unwrap();
    for name in ["bob", "private", "forwarding_service"] {
        let refused = mallory.create_relay(&mallory_hub, Some(name));
        assert!(tokio::time::timeout(SHORT, refused).await.is_err(), "{name}");
    }
    assert!(matches!(bob.create_relay(&bob_hub, Some("a#b")).await, Err(Error::Relay(_))));
    assert_eq!(hub.stats().relays.get(), 1);
    bob_hub.close();
    eventually_async("relays of hub == 0", TIMEOUT, || async { (hub.stats().relays.get() == 0).then_some(()) }).await;
    mallory.create_relay(&mallory_hub, Some("bob")).await.unwrap();
}

/// A prefix alone would be a name like any other.
#[tokio::test]
async fn a_relay_prefix_alone_is_not_a_name() {
    let hub = Node::new();
    let listener = hub.tcp_listen("127.0.0.1:0").await.unwrap();
    RelayService::start(
        &hub,
        RelayServiceOptions { prefix: "forward_to_".into(), ..Default::default() },
        &[listener.origin()],
    )
    .unwrap();
    let node = Node::new();
    let connection = connect(&node, &listener).await;
    let mut context = node.context().unwrap();
    context.send(route![&connection, "static_forwarding_service"], "").await.unwrap();
    let relay = node.create_relay(&connection, Some("bob")).await.unwrap();
    assert_eq!(relay.address(), &"forward_to_bob".into());
    assert_eq!(hub.stats().relays.get(), 1);
}

#[tokio::test]
async fn shutdown_stops_everything() {
    let (hub, listener) = hub().await;
    let node = Node::new();
    let connection = connect(&node, &listener).await;
    node.start_worker("echoer", Echoer).unwrap();
    node.shutdown().await;
    connection.closed().await;
    assert!(matches!(echo(&node, route!["echoer"]).await, Err(Error::Undeliverable(_) | Error::Stopped)));
    eventually_async("connections of hub == 0", TIMEOUT, || async {
        (hub.stats().connections.get() == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_route_too_long_to_pass_on_costs_nobody_their_connection() {
    let (hub, listener) = hub().await;
    let (bob, mallory) = (Node::new(), Node::new());
    let to_bob = connect(&bob, &listener).await;
    bob.start_worker("echoer", Echoer).unwrap();
    bob.create_relay(&to_bob, Some("bob")).await.unwrap();
    bob.expose("echoer", &to_bob).unwrap();
    let connection = connect(&mallory, &listener).await;
    let to_bob_echoer = route![&connection, "bob", "echoer"];
    assert_eq!(echo(&mallory, to_bob_echoer.clone()).await.unwrap(), "hello");

    // As many hops back as a message may have, and then the one that the hub adds.
    let mut frame = vec![0x84, 0x82];
    for name in ["bob", "echoer"] {
        frame.extend_from_slice(&[0x82, 0, 0x40 | name.len() as u8]);
        frame.extend_from_slice(name.as_bytes());
    }
    frame.extend_from_slice(&[0x98, postern_node::MAX_HOPS as u8]);
    (0..postern_node::MAX_HOPS).for_each(|_| frame.extend_from_slice(b"\x82\0\x41x"));
    frame.extend_from_slice(b"\x40\x62{}");
    let mut raw = tokio::net::TcpStream::connect(listener.local_addr()).await.unwrap();
    let length = (frame.len() as u32).to_be_bytes();
    raw.write_all(&[&[1], &length[..], &frame].concat()).await.unwrap();
    // As large as a message may be, and then the address that the hub adds.
    let mut context = mallory.context().unwrap();
    context.send(to_bob_echoer.clone(), vec![0u8; 1024 * 1024 - 75]).await.unwrap();
    let too_far = (0..postern_node::MAX_HOPS).fold(to_bob_echoer.clone(), |route, _| route.then("x"));
    assert!(context.send(too_far, "hello").await.is_err());

    eventually_async("dropped of hub >= 2", TIMEOUT, || async { (hub.stats().dropped.get() >= 2).then_some(()) }).await;
    assert_eq!(echo(&mallory, to_bob_echoer).await.unwrap(), "hello");
    assert!(!to_bob.is_closed() && !connection.is_closed());
}

/// A credential opens the listener and the relay service, and only to whom it is about.
#[tokio::test]
async fn a_policy_decides_at_a_listener_and_at_a_relay_service() {
    let hub = Node::new();
    let (tcp, authority) = (hub.tcp_listen("127.0.0.1:0").await.unwrap(), hub.create_identity().await.unwrap());
    hub.known_identities().pin(authority.history().clone()).unwrap();
    let policy = |text: &str| TrustPolicy::from(text.parse::<Policy>().unwrap());
    let mut options = SecureChannelOptions::trust(policy("group=friends or group=family"));
    options.authorities.insert(authority.identifier());
    let listener = hub.create_secure_channel_listener(&authority, "listener", options).await.unwrap();
    hub.start_worker("echoer", Echoer).unwrap();
    hub.expose("echoer", &listener).unwrap();
    hub.expose("listener", &tcp).unwrap();
    let relays = RelayServiceOptions { allow: Some(policy("(= subject.group \"friends\")")), ..Default::default() };
    RelayService::start(&hub, relays, &[tcp.origin(), listener.origin()]).unwrap();

    let node = Node::new();
    let connection = connect(&node, &tcp).await;
    let open = async |group: Option<&str>| {
        let identity = node.create_identity().await.unwrap();
        let mut options = SecureChannelOptions::trust_only([authority.identifier()]);
        if let Some(group) = group {
            let about = Attributes::new(1).with("group", group);
            let issued = authority.issue_credential(identity.identifier(), about, TIMEOUT, Timestamp::now()).await;
            options.credentials.push(issued.unwrap());
        }
        node.create_secure_channel(&identity, route![&connection, "listener"], options).await.unwrap()
    };
    let register = async |way: Route| {
        node.context().unwrap().send_and_receive_within::<String>(TIMEOUT, way, "bob").await.unwrap().into_body()
    };
    let (friend, family) = (open(Some("friends")).await, open(Some("family")).await);
    for channel in [&friend, &family] {
        assert_eq!(echo(&node, route![channel, "echoer"]).await.unwrap(), "hello");
    }
    for stranger in [open(None).await, open(Some("strangers")).await] {
        // The one who begins learns it from silence only.
        let mut context = node.context().unwrap();
        context.send(route![&stranger, "echoer"], "hello").await.unwrap();
    }
    eventually_async("failed_handshakes of hub == 2", TIMEOUT, || async {
        (hub.stats().failed_handshakes.get() == 2).then_some(())
    })
    .await;
    assert_eq!(hub.stats().channels.get(), 2);

    let refused = hub.stats().refused.get();
    let mut context = node.context().unwrap();
    context.send(route![&family, "static_forwarding_service"], "bob").await.unwrap();
    context.send(route![&connection, "static_forwarding_service"], "bob").await.unwrap();
    eventually_async("refused of hub == refused + 2", TIMEOUT, || async {
        (hub.stats().refused.get() == refused + 2).then_some(())
    })
    .await;
    assert_eq!(hub.stats().relays.get(), 0);
    assert_eq!(register(route![&friend, "static_forwarding_service"]).await, "bob");
}

/// Handshakes that are begun and never finished make room for one that is meant.
#[tokio::test]
async fn the_oldest_unfinished_handshake_is_evicted() {
    let limits = Limits { handshakes: 3, ..Limits::default() };
    let bob = Node::with(Arc::new(MemoryVault::in_memory()), limits);
    let identity = bob.create_identity().await.unwrap();
    let any = SecureChannelOptions::trust_anyone;
    let channels = bob.create_secure_channel_listener(&identity, "listener", any()).await.unwrap();
    bob.start_worker("echoer", Echoer).unwrap();
    bob.expose("echoer", &channels).unwrap();
    let listener = bob.tcp_listen("127.0.0.1:0").await.unwrap();
    bob.expose("listener", &listener).unwrap();

    let alice = Node::new();
    let connection = connect(&alice, &listener).await;
    let context = alice.context().unwrap();
    for begun in 1..=5 {
        // The first message is a key, whatever it is.
        let m1 = vec![9u8; 32];
        context.send_and_receive_within::<Vec<u8>>(TIMEOUT, route![&connection, "listener"], m1).await.unwrap();
        assert_eq!(bob.stats().refused.get(), u64::saturating_sub(begun, 3));
    }
    let identity = alice.create_identity().await.unwrap();
    let route = route![&connection, "listener"];
    let channel = alice.create_secure_channel(&identity, route, any()).await.unwrap();
    assert_eq!(echo(&alice, route![&channel, "echoer"]).await.unwrap(), "hello");
}
