//! A hub, an owner with an outlet and a friend with an inlet, in one process.

use super::link::{Fault, FaultyLink, Way};
use postern_node::identity::Identifier;
use postern_node::portal::{Inlet, InletRoute, Outlet, OutletOptions};
use postern_node::relay::{RelayService, RelayServiceOptions};
use postern_node::session::{ChannelSession, HubSession};
use postern_node::{Limits, Node, Origin, SecureChannelOptions, route};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

pub(crate) async fn start_hub(address: &str) -> (Node, SocketAddr) {
    let hub = Node::new();
    let listener = loop {
        // The port of a hub that was just shut down may need a moment.
        match hub.tcp_listen(address).await {
            Ok(listener) => break listener,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    RelayService::start(&hub, RelayServiceOptions::default(), &[listener.origin()]).unwrap();
    (hub, listener.local_addr())
}

pub(crate) struct Topology {
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

impl Topology {
    pub(crate) async fn with_target(target: &str) -> Self {
        Self::with(target, OutletOptions::default()).await
    }

    pub(crate) async fn with(target: &str, options: OutletOptions) -> Self {
        let (hub, hub_address) = start_hub("127.0.0.1:0").await;
        Self::around(hub, hub_address, hub_address, (Node::new(), target, options)).await
    }

    /// A topology whose owner's node has these limits.
    pub(crate) async fn with_limits(target: &str, limits: Limits) -> Self {
        let (hub, hub_address) = start_hub("127.0.0.1:0").await;
        let owner = (Node::with_limits(limits), target, OutletOptions::default());
        Self::around(hub, hub_address, hub_address, owner).await
    }

    /// A topology whose friend is far from the hub, and the distance between them.
    pub(crate) async fn with_distance(target: &str, one_way: Duration) -> (Self, Arc<Distance>) {
        let (hub, hub_address) = start_hub("127.0.0.1:0").await;
        let (distance, far_address) = Distance::to(hub_address, one_way).await;
        let owner = (Node::new(), target, OutletOptions::default());
        (Self::around(hub, hub_address, far_address, owner).await, distance)
    }

    /// A topology whose friend reaches the hub over a link that goes wrong.
    pub(crate) async fn with_link(
        target: &str,
        (fault, way): (Fault, Way),
        options: OutletOptions,
    ) -> (Self, Arc<FaultyLink>) {
        let (hub, hub_address) = start_hub("127.0.0.1:0").await;
        let (link, link_address) = FaultyLink::to(hub_address, fault, way).await;
        (Self::around(hub, hub_address, link_address, (Node::new(), target, options)).await, link)
    }

    async fn around(
        hub: Node,
        hub_address: SocketAddr,
        hub_of_friend: SocketAddr,
        (owner, target, options): (Node, &str, OutletOptions),
    ) -> Self {
        let friend = Node::new();
        let identity = owner.create_identity().await.unwrap();
        let any = SecureChannelOptions::trust_anyone;
        let listener = owner.create_secure_channel_listener(&identity, "listener", any()).await.unwrap();
        let outlet = owner.create_outlet("outlet", target, options).unwrap();
        owner.expose("outlet", &listener).unwrap();
        let owner_session = owner.keep_connected(hub_address.to_string(), Some("owner".into()));
        owner.expose("listener", &owner_session).unwrap();
        owner_session.up().await.unwrap();

        let me = friend.create_identity().await.unwrap();
        let friend_session = friend.keep_connected(hub_of_friend.to_string(), None);
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

/// What is on its way between two places that are far from each other.
#[derive(Default)]
pub(crate) struct Distance {
    bytes: AtomicUsize,
    most: AtomicUsize,
    /// Microseconds one way.
    one_way: AtomicU64,
}

impl Distance {
    /// An address from which it takes so long to `target`, and as long back.
    async fn to(target: SocketAddr, one_way: Duration) -> (Arc<Self>, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, distance) = (listener.local_addr().unwrap(), Arc::new(Self::default()));
        distance.set(one_way);
        let all = distance.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (near, far) = (near.into_split(), TcpStream::connect(target).await?.into_split());
                tokio::spawn(all.clone().carry(near.0, far.1));
                tokio::spawn(all.clone().carry(far.0, near.1));
            }
            io::Result::Ok(())
        });
        (distance, address)
    }

    /// Changes how long it takes, for what leaves from now on.
    pub(crate) fn set(&self, one_way: Duration) {
        self.one_way.store(one_way.as_micros() as u64, Ordering::Relaxed);
    }

    /// The most bytes that were on their way at once.
    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    async fn carry(self: Arc<Self>, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
        let (leaves, mut arrives) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
        let me = self.clone();
        tokio::spawn(async move {
            while let Some((at, bytes)) = arrives.recv().await {
                tokio::time::sleep_until(at).await;
                me.bytes.fetch_sub(bytes.len(), Ordering::Relaxed);
                to.write_all(&bytes).await?;
            }
            io::Result::Ok(())
        });
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = from.read(&mut buffer).await?;
            let now = self.bytes.fetch_add(read, Ordering::Relaxed) + read;
            self.most.fetch_max(now, Ordering::Relaxed);
            let time = Duration::from_micros(self.one_way.load(Ordering::Relaxed));
            if read == 0 || leaves.send((Instant::now() + time, buffer[..read].to_vec())).is_err() {
                return Ok(());
            }
        }
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
