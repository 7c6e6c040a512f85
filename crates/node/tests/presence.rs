//! Being at a hub as an identity: the channel with the hub, and relays that belong to who registered them.

use postern_node::identity::{Error as IdentityError, Identifier, Identity, Timestamp, TrustPolicy};
use postern_node::relay::{RelayError, RelayService, RelayServiceOptions};
use postern_node::secure_channel::ChannelError;
use postern_node::session::{HUB_LISTENER, HubOptions, HubSession, SessionError};
use postern_node::vault::MemoryVault;
use postern_node::{Echoer, Limits, Node, Origin, SecureChannelOptions, TcpListener, route};
use postern_testkit::{TIMEOUT, in_time};
use std::sync::Arc;
use std::time::Duration;

struct Hub {
    node: Node,
    listener: TcpListener,
    identifier: Identifier,
}

impl Hub {
    async fn start() -> Self {
        Self::start_at("127.0.0.1:0", Node::new()).await
    }

    async fn start_at(address: &str, node: Node) -> Self {
        let listener = loop {
            match node.tcp_listen(address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        let identity = node.create_identity().await.unwrap();
        let any = SecureChannelOptions::trust_anyone();
        let channels = node.create_secure_channel_listener(&identity, HUB_LISTENER, any).await.unwrap();
        node.expose(HUB_LISTENER, &listener).unwrap();
        RelayService::start(&node, RelayServiceOptions::default(), &[listener.origin(), channels.origin()]).unwrap();
        Self { node, listener, identifier: identity.identifier() }
    }

    fn address(&self) -> String {
        self.listener.local_addr().to_string()
    }
}

/// Somebody's device: a node, and the person it is of.
struct Device {
    node: Node,
    identity: Identity,
}

impl Device {
    async fn fresh() -> Self {
        Self::of(&Arc::new(MemoryVault::in_memory()), None).await
    }

    /// Another device of the same person, or the first.
    async fn of(vault: &Arc<MemoryVault>, identity: Option<Identity>) -> Self {
        let node = Node::with(vault.clone(), Limits::default());
        let identity = match identity {
            Some(identity) => identity,
            None => Identity::create(vault.clone(), Timestamp::now()).await.unwrap(),
        };
        Self { node, identity }
    }

    async fn at(&self, hub: &Hub, relay: &str) -> HubSession {
        let options = HubOptions { relay: Some(relay.into()), trust: TrustPolicy::Anyone };
        self.node.keep_connected_as(&self.identity, hub.address(), options).await.unwrap()
    }
}

/// What the echoer behind the relay says, asked over a plain connection.
async fn echo(hub: &Hub, relay: &str) -> String {
    let friend = Node::new();
    let connection = friend.tcp_connect(hub.address()).await.unwrap();
    let context = friend.context().unwrap();
    let asked = context.send_and_receive_within::<String>(TIMEOUT, route![&connection, relay, "echoer"], "hello");
    let answer = asked.await.unwrap().into_body();
    friend.shutdown().await;
    answer
}

#[tokio::test]
async fn a_relay_of_an_identity_forwards_over_the_connection() {
    let (hub, owner) = (Hub::start().await, Device::fresh().await);
    owner.node.start_worker("echoer", Echoer).unwrap();
    let session = owner.at(&hub, "owner").await;
    // Exposed to what comes over the session's connections; nothing is to the hub's channel.
    owner.node.expose("echoer", &session).unwrap();
    let up = session.up().await.unwrap();
    assert_eq!(up.hub(), Some(hub.identifier));
    assert_eq!(up.relay.unwrap().address(), &"owner".into());
    assert_eq!(echo(&hub, "owner").await, "hello");
}

#[tokio::test]
async fn a_relay_name_stays_with_its_owner_and_others_are_refused() {
    let (hub, owner, other) = (Hub::start().await, Device::fresh().await, Device::fresh().await);
    let session = owner.at(&hub, "name").await;
    session.up().await.unwrap();
    let refused = in_time(other.at(&hub, "name").await.up()).await.map(drop).unwrap_err();
    assert!(matches!(&*refused, SessionError::Relay(RelayError::NameTaken(name)) if name == "name"), "{refused}");
    let reserved = in_time(other.at(&hub, HUB_LISTENER).await.up()).await.map(drop).unwrap_err();
    assert!(matches!(&*reserved, SessionError::Relay(RelayError::NameTaken(_))), "{reserved}");
    let odd = in_time(other.at(&hub, "a#b").await.up()).await.map(drop).unwrap_err();
    assert!(matches!(&*odd, SessionError::Relay(RelayError::InvalidName(_))), "{odd}");
    // Nor by the plain way, where a refusal is silence.
    let connection = other.node.tcp_connect(hub.address()).await.unwrap();
    let refused = other.node.create_relay(&connection, Some("name"));
    assert!(tokio::time::timeout(Duration::from_millis(300), refused).await.is_err());
    assert!(session.state().up().is_some());
}

/// Also on a hub that has never heard of the identity: there is nothing that it has to remember.
#[tokio::test]
async fn a_name_that_is_an_identifier_is_that_identitys_alone() {
    let (hub, owner, other) = (Hub::start().await, Device::fresh().await, Device::fresh().await);
    let name = owner.identity.identifier().to_string();
    let refused = in_time(other.at(&hub, &name).await.up()).await.map(drop).unwrap_err();
    assert!(matches!(&*refused, SessionError::Relay(RelayError::NameTaken(taken)) if *taken == name), "{refused}");
    // In other letters, which are the same identity.
    let capitals = format!("I{}", name[1..].to_uppercase());
    let refused = in_time(other.at(&hub, &capitals).await.up()).await.map(drop).unwrap_err();
    assert!(matches!(&*refused, SessionError::Relay(RelayError::NameTaken(_))), "{refused}");
    // Nor without an identity, where a refusal is silence, nor the owner itself.
    for device in [&other, &owner] {
        let connection = device.node.tcp_connect(hub.address()).await.unwrap();
        let refused = device.node.create_relay(&connection, Some(&name));
        assert!(tokio::time::timeout(Duration::from_millis(300), refused).await.is_err());
    }
    assert_eq!(hub.node.stats().relays.get(), 0);
    let session = owner.at(&hub, &name).await;
    assert_eq!(in_time(session.up()).await.unwrap().relay.unwrap().address(), &name.as_str().into());
    // Others' own names are theirs.
    let others = other.identity.identifier().to_string();
    in_time(other.at(&hub, &others).await.up()).await.unwrap();
}

#[tokio::test]
async fn the_same_identity_gets_its_relay_name_back_at_once() {
    let hub = Hub::start().await;
    let vault = Arc::new(MemoryVault::in_memory());
    let first = Device::of(&vault, None).await;
    let second = Device::of(&vault, Some(first.identity.clone())).await;
    let session = first.at(&hub, "name").await;
    let up = session.up().await.unwrap();
    // The hub does not know yet that the first has gone: its connection still stands.
    second.node.start_worker("echoer", Echoer).unwrap();
    let again = second.at(&hub, "name").await;
    second.node.expose("echoer", &again).unwrap();
    in_time(again.up()).await.unwrap();
    assert!(!up.connection.is_closed());
    assert_eq!(echo(&hub, "name").await, "hello");
    // And when it learns, the relay stays with who has it now.
    drop(session);
    in_time(up.connection.closed()).await;
    in_time(async {
        while hub.node.stats().connections.get() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(echo(&hub, "name").await, "hello");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_reconnects_when_the_hub_returns() {
    let (hub, owner) = (Hub::start().await, Device::fresh().await);
    owner.node.start_worker("echoer", Echoer).unwrap();
    let session = owner.at(&hub, "owner").await;
    owner.node.expose("echoer", &session).unwrap();
    session.up().await.unwrap();
    let (address, mut states) = (hub.address(), session.watch());
    hub.node.shutdown().await;
    in_time(states.wait_for(|state| state.up().is_none())).await.unwrap();
    let hub = Hub::start_at(&address, Node::new()).await;
    in_time(states.wait_for(|state| state.up().is_some_and(|up| up.hub() == Some(hub.identifier)))).await.unwrap();
    assert_eq!(echo(&hub, "owner").await, "hello");
}

#[tokio::test]
async fn another_hub_than_the_pinned_one_is_refused() {
    let (hub, owner, other) = (Hub::start().await, Device::fresh().await, Device::fresh().await);
    let pinned = HubOptions { relay: None, trust: TrustPolicy::only([other.identity.identifier()]) };
    let session = owner.node.keep_connected_as(&owner.identity, hub.address(), pinned).await.unwrap();
    let refused = in_time(session.up()).await.map(drop).unwrap_err();
    assert!(
        matches!(&*refused, SessionError::Channel(ChannelError::Identity(IdentityError::NotTrusted(who))) if *who == hub.identifier),
        "{refused}"
    );
}

#[tokio::test]
async fn a_session_that_is_dropped_leaves_nothing_at_the_hub() {
    let (hub, owner) = (Hub::start().await, Device::fresh().await);
    let session = owner.at(&hub, "owner").await;
    session.up().await.unwrap();
    assert_eq!(hub.node.stats().relays.get(), 1);
    drop(session);
    in_time(async {
        while hub.node.stats().relays.get() + hub.node.stats().connections.get() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
