//! Static routes: the hub is the node in the middle of a way over several nodes.

use postern_hub::{Hub, HubConfig};
use postern_node::{Echoer, Node, SecureChannelOptions, TcpListener, route};
use postern_testkit::{TIMEOUT, eventually_async};
use std::time::Duration;

/// How long one message is waited for that may be lost: those that come before the hub has connected are.
const TRY: Duration = Duration::from_secs(1);

/// A node with an echoer that everybody reaches, and one that is reached through a channel only.
async fn responder(address: &str) -> (Node, TcpListener) {
    let node = Node::new();
    let tcp = eventually_async("the address", TIMEOUT, async || node.tcp_listen(address).await.ok()).await;
    let bob = node.create_identity().await.unwrap();
    let any = SecureChannelOptions::trust_anyone();
    let channels = node.create_secure_channel_listener(&bob, "listener", any).await.unwrap();
    node.start_worker("echoer", Echoer).unwrap();
    node.expose("echoer", &tcp).unwrap();
    node.expose("echoer", &channels).unwrap();
    node.expose("listener", &tcp).unwrap();
    (node, tcp)
}

#[tokio::test]
async fn a_name_leads_to_another_node_also_after_it_was_away() {
    let (bob, tcp) = responder("127.0.0.1:0").await;
    let address = tcp.local_addr().to_string();
    let (host, port) = address.rsplit_once(':').unwrap();
    let text = format!(
        "listen = '127.0.0.1:0'\n[routes]\nforward_to_bob = '{address}'\nbobs_echoer = '/ip4/{host}/tcp/{port}/service/echoer'"
    );
    let hub = Hub::start(&HubConfig::parse(&text).unwrap()).await.unwrap();

    let client = Node::new();
    let alice = client.create_identity().await.unwrap();
    let connection = client.tcp_connect(hub.local_addr().to_string()).await.unwrap();
    let context = client.context().unwrap();
    let ask = async |route| context.send_and_receive_within::<String>(TRY, route, "hello").await.ok();
    let echoed = async || ask(route![&connection, "forward_to_bob", "echoer"]).await;
    eventually_async("an echo", TIMEOUT, echoed).await;

    assert!(ask(route![&connection, "bobs_echoer"]).await.is_some());

    // The channel's later messages go straight to the hub's connection with Bob.
    let any = SecureChannelOptions::trust_anyone();
    let listener = route![&connection, "forward_to_bob", "listener"];
    let channel = client.create_secure_channel(&alice, listener, any).await.unwrap();
    assert_eq!(context.send_and_receive::<String>(route![&channel, "echoer"], "hi").await.unwrap().body(), "hi");

    bob.shutdown().await;
    let (_bob, _tcp) = responder(&address).await;
    eventually_async("an echo of the next", TIMEOUT, echoed).await;
    hub.stop().await;
}

#[tokio::test]
async fn a_name_of_a_service_is_not_replaced() {
    let config = HubConfig::parse("listen = '127.0.0.1:0'\n[routes]\necho = '127.0.0.1:9'").unwrap();
    assert!(Hub::start(&config).await.is_err());
}
