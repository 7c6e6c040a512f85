//! A portal between two nodes, through a channel.

use crate::Side::Ours;
use crate::{LONG, Peer, Side};
use postern_testkit::{Payload, Sha256};
use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};

/// An inlet and the outlet behind it, through a channel.
pub struct Portal {
    /// Where the service appears.
    pub inlet: SocketAddr,
    _nodes: Vec<Peer>,
}

/// Makes a portal between two sides to a target.
pub type Making = fn(Side, Side, SocketAddr) -> Portal;

/// The ways a portal can go.
pub const WAYS: [(&str, Making); 2] = [("directly", Portal::direct), ("over our hub", Portal::over_our_hub)];

impl Portal {
    /// The channel goes over one TCP connection.
    ///
    /// # Panics
    /// When it does not come up.
    #[track_caller]
    #[must_use]
    pub fn direct(inlet: Side, outlet: Side, target: SocketAddr) -> Self {
        let (owner, _) = Peer::with_identity(outlet);
        let address = owner.tell("listen");
        owner.tell("listener listener");
        owner.tell(&format!("outlet {target}"));
        Self::to(inlet, owner, &address, "listener", Vec::new())
    }

    /// The channel goes through a hub of ours.
    ///
    /// # Panics
    /// When it does not come up.
    #[track_caller]
    #[must_use]
    pub fn over_our_hub(inlet: Side, outlet: Side, target: SocketAddr) -> Self {
        let (hub, address) = Peer::hub(Ours, "forward_to_");
        let (owner, _) = Peer::with_identity(outlet);
        owner.tell(&format!("connect {address}"));
        owner.tell("listener listener");
        owner.tell(&format!("outlet {target}"));
        let relay = owner.tell("relay owner");
        Self::to(inlet, owner, &address, &format!("{relay}/listener"), vec![hub])
    }

    #[track_caller]
    fn to(inlet: Side, owner: Peer, address: &str, route: &str, mut nodes: Vec<Peer>) -> Self {
        let (friend, _) = Peer::with_identity(inlet);
        friend.tell(&format!("connect {address}"));
        friend.tell(&format!("channel {route}"));
        let inlet = friend.tell("inlet").parse().expect("an address");
        nodes.extend([owner, friend]);
        Self { inlet, _nodes: nodes }
    }

    /// Connects to the inlet.
    ///
    /// # Panics
    /// When it does not listen.
    #[must_use]
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.inlet).expect("the inlet listens");
        stream.set_read_timeout(Some(LONG)).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        stream
    }

    /// Sends everything and says that it was all.
    ///
    /// # Panics
    /// When it is not carried.
    pub fn upload(&self, payload: Payload) {
        let mut client = self.connect();
        io::copy(&mut payload.reader(), &mut client).expect("it is carried");
        client.shutdown(Shutdown::Write).expect("it is connected");
        // A portal with one of theirs ends as a whole, and this end of it before the last byte has arrived.
        let _ = io::copy(&mut client, &mut io::sink());
    }

    /// Reads that many bytes and gives their hash.
    ///
    /// # Panics
    /// When they do not come.
    #[must_use]
    pub fn download(&self, length: u64) -> String {
        let mut hash = Sha256::default();
        let got = io::copy(&mut self.connect().take(length), &mut hash).expect("it is carried");
        assert_eq!(got, length);
        hash.finish()
    }
}
