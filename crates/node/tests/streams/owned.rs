//! Streams at a real hub that belong to an identity, and streams that outlive the hub.

use super::*;
use postern_hub::{Hub, HubConfig};
use postern_node::identity::{Identifier, TrustPolicy};
use postern_node::session::HubOptions;
use postern_node::stream::{StreamError, StreamState};
use postern_testkit::{in_time, temp_dir};
use std::path::Path;

async fn hub(address: &str, data: Option<&Path>) -> Hub {
    let data = data.map_or_else(String::new, |data| format!("\ndata = '{}'", data.display()));
    let config = HubConfig::parse(&format!("listen = '{address}'{data}")).unwrap();
    Hub::start(&config).await.unwrap()
}

/// Somebody who is at the hub as an identity.
struct Owner {
    node: Node,
    identifier: Identifier,
    hub: HubSession,
}

impl Owner {
    async fn at(hub: &Hub) -> Self {
        let node = Node::new();
        let identity = node.create_identity().await.unwrap();
        let options = HubOptions { relay: None, trust: TrustPolicy::only([hub.identifier()]) };
        let session = node.keep_connected_as(&identity, hub.local_addr().to_string(), options).await.unwrap();
        Self { node, identifier: identity.identifier(), hub: session }
    }
}

#[tokio::test]
async fn a_stream_of_an_identity_is_for_whom_it_is_shared_with() {
    let hub = hub("127.0.0.1:0", None).await;
    let (alice, bob, carol) = (Owner::at(&hub).await, Owner::at(&hub).await, Owner::at(&hub).await);
    let streams = Stream::new(&alice.node).share_with([alice.identifier; 100]).share_with([bob.identifier]);
    let to_bob = streams.connect(&alice.hub, "a_to_b", "b_to_a").await.unwrap();
    alice.node.context().unwrap().send(to_receiver(&to_bob), numbered(7, 10)).await.unwrap();
    let mut received = receiver(&bob.node);
    let streams = Stream::new(&bob.node).expose("receiver");
    let _to_alice = streams.connect(&bob.hub, "b_to_a", "a_to_b").await.unwrap();
    assert_eq!(in_time(received.recv()).await.unwrap().body().0.0, 7);
    // Neither another identity nor somebody without one.
    let denied = Stream::new(&carol.node).connect(&carol.hub, "c_to_a", "a_to_b").await.err().unwrap();
    assert!(matches!(&*denied, StreamError::Refused { stream, .. } if stream == "a_to_b"), "{denied}");
    let connection = carol.node.tcp_connect(hub.local_addr().to_string()).await.unwrap();
    // By another name than before: `c_to_a` may belong to Carol's identity by now.
    let denied = Stream::new(&carol.node).connect(&connection, "d_to_a", "a_to_b").await.err().unwrap();
    assert!(matches!(&*denied, StreamError::Refused { stream, .. } if stream == "a_to_b"), "{denied}");
    // What is to be shared is never made for everybody.
    let open = Stream::new(&carol.node).share_with([bob.identifier]).connect(&connection, "open", "open_too").await;
    assert!(matches!(&*open.err().unwrap(), StreamError::CannotShare));
    hub.stop().await;
}

#[tokio::test]
async fn a_stream_over_a_route_ends_with_its_connection() {
    let hub = hub("127.0.0.1:0", None).await;
    let node = Node::new();
    let connection = node.tcp_connect(hub.local_addr().to_string()).await.unwrap();
    let stream = Stream::new(&node).connect(&connection, "a_to_b", "b_to_a").await.unwrap();
    connection.close();
    let gone = |state: &StreamState| {
        matches!(state, StreamState::Down(reason)
        if matches!(**reason, StreamError::Unreachable(_)) && reason.to_string().contains("connect again"))
    };
    in_time(stream.watch().wait_for(gone)).await.unwrap();
    // What is sent is kept, and then refused: it never vanishes.
    node.context().unwrap().send(to_receiver(&stream), numbered(1, 1)).await.unwrap();
    assert_eq!(stream.unconfirmed().messages, 1);
    hub.stop().await;
}

#[tokio::test]
async fn what_the_hub_confirmed_outlives_it_and_nothing_comes_twice() {
    const MESSAGES: u64 = 2_000;
    let data = temp_dir();
    let mut running = hub("127.0.0.1:0", Some(data.path())).await;
    let address = running.local_addr().to_string();
    let (a, b) = (Program::new(&address, ["a_to_b", "b_to_a"]), Program::new(&address, ["b_to_a", "a_to_b"]));
    let to_b = a.connect(a.builder()).await;
    let mut context = a.node.context().unwrap();
    let mut received = receiver(&b.node);
    let to_a = b.connect(b.builder().expose("receiver")).await;
    for number in 0..MESSAGES {
        if number % 500 == 250 {
            in_time(to_b.flushed()).await;
            running.stop().await;
            in_time(to_b.watch().wait_for(|state| matches!(state, StreamState::Down(_)))).await.unwrap();
            running = hub(&address, Some(data.path())).await;
        }
        context.send(to_receiver(&to_b), numbered(number, 1_000)).await.unwrap();
    }
    for number in 0..MESSAGES {
        assert_eq!(in_time(received.recv()).await.unwrap().body().0.0, number);
    }
    in_time(to_b.flushed()).await;
    assert_eq!((to_b.stats().confirmed.get(), to_a.stats().skipped.get()), (MESSAGES, 0));
    running.stop().await;
}
