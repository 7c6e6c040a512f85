//! A hub, an owner with an outlet and a friend with an inlet, in one process.

use postern_node::identity::Identifier;
use postern_node::portal::{Inlet, InletRoute, Outlet, OutletOptions};
use postern_node::relay::{RelayService, RelayServiceOptions};
use postern_node::session::{ChannelSession, HubSession};
use postern_node::{Flow, Node, SecureChannelOptions, route};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const LONG: Duration = Duration::from_secs(20);

pub(crate) async fn start_hub(address: &str) -> (Node, SocketAddr) {
    let hub = Node::new();
    let listener = loop {
        // The port of a hub that was just shut down may need a moment.
        match hub.tcp_listen(address).await {
            Ok(listener) => break listener,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    RelayService::start(&hub, RelayServiceOptions::default(), &[listener.flow()]).unwrap();
    (hub, listener.local_addr())
}

pub(crate) struct World {
    pub(crate) hub: Node,
    pub(crate) hub_address: SocketAddr,
    pub(crate) owner: Node,
    pub(crate) friend: Node,
    pub(crate) friend_is: Identifier,
    pub(crate) outlet: Outlet,
    pub(crate) inlet: Inlet,
    _owner_session: HubSession,
    _friend_session: HubSession,
}

impl World {
    pub(crate) async fn with_target(target: &str) -> Self {
        Self::with(target, OutletOptions::default()).await
    }

    pub(crate) async fn with(target: &str, options: OutletOptions) -> Self {
        let (hub, hub_address) = start_hub("127.0.0.1:0").await;
        let (owner, friend) = (Node::new(), Node::new());
        let identity = owner.create_identity().await.unwrap();
        let any = SecureChannelOptions::trust_anyone;
        let listener = owner.create_secure_channel_listener(&identity, "listener", any()).await.unwrap();
        let outlet = owner.create_outlet("outlet", target, options).unwrap();
        owner.expose("outlet", &listener).unwrap();
        let owner_session = owner.keep_connected(hub_address.to_string(), Some("owner".into()));
        owner.expose("listener", &owner_session).unwrap();
        owner_session.up().await.unwrap();

        let me = friend.create_identity().await.unwrap();
        let friend_session = friend.keep_connected(hub_address.to_string(), None);
        let only = SecureChannelOptions::trust_only([identity.identifier()]);
        let channel: ChannelSession =
            friend.keep_channel(&friend_session, &me, route!["owner", "listener"], only).await.unwrap();
        channel.up().await.unwrap();
        let inlet = friend.create_inlet("127.0.0.1:0", InletRoute::Kept(channel, "outlet".into())).await.unwrap();
        Self {
            hub,
            hub_address,
            owner,
            friend,
            friend_is: me.identifier(),
            outlet,
            inlet,
            _owner_session: owner_session,
            _friend_session: friend_session,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.inlet.local_addr()
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address()).await.unwrap()
    }
}

/// Sends one byte through a fresh connection and takes one back.
pub(crate) async fn ask(inlet: SocketAddr, byte: u8) -> io::Result<u8> {
    let mut client = TcpStream::connect(inlet).await?;
    client.write_u8(byte).await?;
    client.read_u8().await
}

pub(crate) async fn echo() -> String {
    serve(|mut socket| async move {
        let (mut read, mut write) = socket.split();
        tokio::io::copy(&mut read, &mut write).await?;
        write.shutdown().await
    })
    .await
}

pub(crate) async fn serve<F: Future<Output = io::Result<()>> + Send + 'static>(
    handle: impl Fn(TcpStream) -> F + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(handle(socket));
        }
    });
    address
}

pub(crate) async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, work).await.expect("in time")
}
