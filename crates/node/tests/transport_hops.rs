//! Transport hops: a route names a node by `host:port`, and is connected to it if the program of this node made the route.

use crate::workers::{Logger, listener, next, refusals};
use postern_node::{Address, ContextError, Echoer, Node, route};
use postern_testkit::{TIMEOUT, eventually_async};
use std::sync::Arc;

#[tokio::test]
async fn a_transport_hop_of_ones_own_route_is_connected_to_once() {
    let server = Node::new();
    let tcp = server.tcp_listen("127.0.0.1:0").await.unwrap();
    server.start_worker("echoer", Echoer).unwrap();
    server.expose("echoer", &tcp).unwrap();
    let client = Node::new();
    let context = client.context().unwrap();
    let route = route![Address::tcp(tcp.local_addr().to_string()), "echoer"];
    for _ in 0..3 {
        let answer = context.send_and_receive_within::<String>(TIMEOUT, route.clone(), "hello").await.unwrap();
        assert_eq!(answer.body(), "hello");
    }
    assert_eq!(client.stats().connections.get(), 1);
    // A hop of this node may come before it.
    let (worker, mut heard) = listener();
    server.start_worker("listener", worker).unwrap();
    server.expose("listener", &tcp).unwrap();
    client.start_worker("logger", Logger(Arc::default())).unwrap();
    let through = route!["logger", (Address::TCP, &*tcp.local_addr().to_string()), "listener"];
    client.context().unwrap().send(through, "again").await.unwrap();
    assert_eq!((next(&mut heard).await.as_str(), client.stats().connections.get()), ("again", 1));

    server.shutdown().await;
    eventually_async("the end of the connection", TIMEOUT, async || {
        (client.stats().connections.get() == 0).then_some(())
    })
    .await;
    let refused = context.send_and_receive_within::<String>(TIMEOUT, route, "hello").await;
    assert!(matches!(refused, Err(ContextError::Tcp(_))), "{:?}", refused.err());
}

/// The second hop of two is the business of the node that the first leads to, for whatever sends the message.
#[tokio::test]
async fn only_the_first_transport_hop_is_connected_to() {
    let server = Node::new();
    let tcp = server.tcp_listen("127.0.0.1:0").await.unwrap();
    let beyond = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hop = |address: std::net::SocketAddr| Address::tcp(address.to_string());
    let route = route![hop(tcp.local_addr()), hop(beyond.local_addr().unwrap()), "echoer"];
    let client = Node::new();
    let mut context = client.context().unwrap();
    context.send(route.clone(), "hello").await.unwrap();
    refusals(&server, 1).await;
    let waiting =
        tokio::spawn(
            async move { context.send_and_receive_within::<String>(TIMEOUT, route, "hello").await.map(|_| ()) },
        );
    refusals(&server, 2).await;
    waiting.abort();
    assert_eq!(client.stats().connections.get(), 1);
}

/// Somebody else's message must not make a node connect anywhere: not by its onward route, not by its return route.
#[tokio::test]
async fn a_transport_hop_that_comes_with_a_message_is_refused() {
    let target = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hop = Address::tcp(target.local_addr().unwrap().to_string());
    let server = Node::new();
    let tcp = server.tcp_listen("127.0.0.1:0").await.unwrap();
    server.start_worker("hop", Logger(Arc::default())).unwrap();
    server.start_worker("echoer", Echoer).unwrap();
    for name in ["hop", "echoer"] {
        server.expose(name, &tcp).unwrap();
    }
    let client = Node::new();
    let connection = client.tcp_connect(tcp.local_addr().to_string()).await.unwrap();
    let mut context = client.context().unwrap();
    context.send_with_return_route(route![&connection, "echoer"], hop.clone(), "hello").await.unwrap();
    // Forwarding connects nowhere either, so that the hop reaches the server as it is.
    let itself = context.address().clone();
    context.send(itself, "hello").await.unwrap();
    let message = context.receive::<String>().await.unwrap();
    context.forward(message, route![&connection, "hop"].then(hop), "nobody").await.unwrap();
    refusals(&server, 2).await;
    assert_eq!((client.stats().connections.get(), server.stats().connections.get()), (1, 1));
}
