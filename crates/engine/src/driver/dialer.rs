//! The ways to other people: connections, and channels with exactly the person they are for.
//!
//! ```text
//! PeerAddress::Direct   ── connection ─► their computer ─► "api"
//! PeerAddress::Hub      ── our session with the hub, or a connection of its own ─► their relay ─► "api"
//! ```
//!
//! All ways are tried side by side, a little one after the other, and the first channel that opens is taken. A failure says which of
//! "who answers is not them", "they are not there" and "no hub can be reached" it is.

use super::NodeContext;
use crate::api::{Code, Fault, PathKind};
use crate::peer::PeerAddress;
use postern_node::identity::Identifier;
use postern_node::secure_channel::ChannelError;
use postern_node::session::SessionError;
use postern_node::{Error, Route, SecureChannel, SecureChannelOptions, TcpConnection, route};
use std::time::Duration;
use tokio::task::JoinSet;

/// Where every Postern accepts secure channels.
pub(crate) const LISTENER: &str = "api";
/// Where the desk is, behind the listener.
pub(crate) const DESK: &str = "desk";
/// Where news arrive, behind channels that we have opened.
pub(crate) const NEWS: &str = "news";
/// The next way is tried when the ones before have not answered for this long.
const STAGGER: Duration = Duration::from_millis(300);
/// How long a connection may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long the other side may take to answer a handshake.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);

/// An open channel, and what carries it.
pub(crate) struct PeerConnection {
    pub(crate) channel: SecureChannel,
    pub(crate) way: PathKind,
    /// A connection that is there for this channel alone.
    connection: Option<TcpConnection>,
}

impl Drop for PeerConnection {
    fn drop(&mut self) {
        self.channel.close();
        if let Some(connection) = &self.connection {
            connection.close();
        }
    }
}

/// Opens a channel with somebody over the first way that works.
pub(crate) async fn open(net: &NodeContext, to: Identifier, reach: &[PeerAddress]) -> Result<PeerConnection, Fault> {
    let mut attempts = JoinSet::new();
    for (at, reach) in reach.iter().cloned().enumerate() {
        let (net, delay) = (net.clone(), STAGGER * u32::try_from(at).unwrap_or(u32::MAX));
        attempts.spawn(async move {
            tokio::time::sleep(delay).await;
            attempt(&net, to, reach).await
        });
    }
    let mut worst: Option<Fault> = None;
    while let Some(attempt) = attempts.join_next().await {
        match attempt {
            Ok(Ok(road)) => return Ok(road),
            Ok(Err(fault)) => worst = Some(more_telling(worst, fault)),
            Err(_) => {}
        }
    }
    Err(worst.unwrap_or_else(no_way))
}

/// Tries one way.
async fn attempt(net: &NodeContext, to: Identifier, reach: PeerAddress) -> Result<PeerConnection, Fault> {
    let (connection, own, there) = match &reach {
        PeerAddress::Direct { address } => (connect(net, &reach, address).await?, true, route![LISTENER]),
        PeerAddress::Hub { address, relay } => match net.hubs.connection(address) {
            Some(connection) => (connection, false, route![relay.as_str(), LISTENER]),
            None => (connect(net, &reach, address).await?, true, route![relay.as_str(), LISTENER]),
        },
    };
    let mut options = SecureChannelOptions::trust_only([to]);
    options.timeout = HANDSHAKE_WITHIN;
    let mut whole = Route::from(&connection);
    whole.append(&there);
    match net.node.create_secure_channel(&net.identity, whole, options).await {
        Ok(channel) => {
            net.met(&channel.peer().history);
            net.hear_news_from(&channel);
            Ok(PeerConnection { channel, way: way(&reach), connection: own.then_some(connection) })
        }
        Err(error) => {
            if own {
                connection.close();
            }
            Err(why(&reach, &error))
        }
    }
}

async fn connect(net: &NodeContext, reach: &PeerAddress, address: &str) -> Result<TcpConnection, Fault> {
    match tokio::time::timeout(CONNECT_WITHIN, net.node.tcp_connect(address)).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(why(reach, &error)),
        Err(_) => Err(why(reach, &Error::Timeout(CONNECT_WITHIN))),
    }
}

/// The way as faces see it.
pub(crate) fn way(reach: &PeerAddress) -> PathKind {
    match reach {
        PeerAddress::Direct { address } => PathKind::Direct { address: address.clone() },
        PeerAddress::Hub { address, .. } => PathKind::Hub { address: address.clone() },
    }
}

/// Why one way did not lead to its person.
pub(crate) fn why(reach: &PeerAddress, error: &Error) -> Fault {
    match error {
        Error::Channel(error) => why_no_channel(error),
        Error::Vault(_) => Fault::new(Code::KeychainFailed, format!("{error}.")),
        _ => why_no_connection(reach),
    }
}

/// Why a session over one path is not up.
pub(crate) fn why_not_up(reach: &PeerAddress, error: &SessionError) -> Fault {
    match error {
        SessionError::Channel(error) => why_no_channel(error),
        _ => why_no_connection(reach),
    }
}

fn why_no_channel(error: &ChannelError) -> Fault {
    match error {
        ChannelError::Identity(_) => Fault::new(
            Code::NotTrusted,
            "Who answers is not the person who shared it. Ask them for a new invitation if they set up anew.",
        ),
        ChannelError::Handshake(_) => Fault::new(
            Code::NotTrusted,
            "Who answers does not speak as Postern does, or the connection was tampered with.",
        ),
        _ => owner_offline(),
    }
}

fn why_no_connection(reach: &PeerAddress) -> Fault {
    match reach {
        PeerAddress::Direct { .. } => owner_offline(),
        PeerAddress::Hub { address, .. } => Fault::new(
            Code::HubUnreachable,
            format!("The hub {address} cannot be reached. Check the network; Postern goes on trying."),
        ),
    }
}

pub(crate) fn owner_offline() -> Fault {
    Fault::new(
        Code::OwnerOffline,
        "The other side does not answer: their computer is off or not connected, or Postern does not run there.",
    )
}

fn no_way() -> Fault {
    Fault::new(Code::OwnerOffline, "It is not known where the other side can be reached. Ask for a new invitation.")
}

/// Of several failures the one that tells most: who answered was wrong, nobody answered, nobody could be asked.
pub(crate) fn more_telling(one: Option<Fault>, other: Fault) -> Fault {
    let rank = |fault: &Fault| match fault.code {
        Code::NotTrusted => 3,
        Code::KeychainFailed => 2,
        Code::OwnerOffline => 1,
        _ => 0,
    };
    match one {
        Some(one) if rank(&one) >= rank(&other) => one,
        _ => other,
    }
}
