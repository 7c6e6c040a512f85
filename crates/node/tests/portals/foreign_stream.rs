//! A friend who knows the address of another friend's stream.

use bytes::Bytes;
use postern_node::portal::OutletOptions;
use postern_node::{Address, Context, Node, Route, SecureChannel, SecureChannelOptions, route};
use postern_testkit::{TIMEOUT, eventually_async, in_time};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

/// `docs/wire.md` §9: a Ping and a Payload of a peer without the extension.
const PING: &[u8] = &[0];

fn payload(data: &[u8]) -> Bytes {
    [&[3, u8::try_from(data.len()).unwrap()], data].concat().into()
}

struct Friend {
    context: Context,
    channel: SecureChannel,
    _node: Node,
}

impl Friend {
    async fn connect(owner: &Address) -> Self {
        let node = Node::new();
        let (identity, context) = (node.create_identity().await.unwrap(), node.context().unwrap());
        let options = SecureChannelOptions::trust_anyone();
        let channel = node.create_secure_channel(&identity, route![owner, "listener"], options).await.unwrap();
        node.expose(context.address(), &channel).unwrap();
        Self { context, channel, _node: node }
    }

    async fn send(&mut self, to: Route, message: Bytes) {
        in_time(self.context.send(to, message)).await.unwrap();
    }
}

#[tokio::test]
async fn nobody_sends_on_the_stream_of_another() {
    let (service, owner) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), Node::new());
    let identity = owner.create_identity().await.unwrap();
    let options = SecureChannelOptions::trust_anyone();
    let listener = owner.create_secure_channel_listener(&identity, "listener", options).await.unwrap();
    let target = service.local_addr().unwrap().to_string();
    let _outlet = owner.create_outlet("outlet", &*target, OutletOptions::default()).unwrap();
    owner.expose("outlet", &listener).unwrap();
    let tcp = owner.tcp_listen("127.0.0.1:0").await.unwrap();
    owner.expose("listener", &tcp).unwrap();
    let address = Address::tcp(tcp.local_addr().to_string());
    let (mut ann, mut ben) = (Friend::connect(&address).await, Friend::connect(&address).await);

    let outlet = route![&ann.channel, "outlet"];
    ann.send(outlet, Bytes::from_static(PING)).await;
    let (mut socket, _) = in_time(service.accept()).await.unwrap();
    let pong = in_time(ann.context.receive::<Bytes>()).await.unwrap();
    let stream = pong.return_route().clone();
    ann.send(stream.clone(), payload(b"one ")).await;

    let at_the_owner = stream.back().unwrap();
    let foreign = route![&ben.channel, at_the_owner];
    ben.send(foreign, payload(b"from somebody else")).await;
    let refused = || async { (owner.stats().dropped.get() > 0).then_some(()) };
    eventually_async("that the message is refused", TIMEOUT, refused).await;
    ann.send(stream, payload(b"two")).await;
    let mut seen = [0; 7];
    in_time(socket.read_exact(&mut seen)).await.unwrap();
    assert_eq!(&seen, b"one two");
}
