//! The dialer: opens a secure channel with a peer over the first of the peer's addresses that works.
//!
//! ```text
//! PeerAddress::Direct   ── connection ─► the peer's computer ─► "api"
//! PeerAddress::Hub      ── our session with the hub, or a new connection ─► the peer's relay ─► "api"
//! ```
//!
//! Addresses are dialed in parallel, staggered, in the order of preference ("happy eyeballs", RFC 8305): a later one starts
//! while earlier ones have not answered, and the first channel that opens wins; the other attempts are cancelled. A channel
//! with another identity than the peer's never opens. If all fail, the most specific fault is returned: the wrong identity
//! answered, the peer is offline, or no hub can be reached.

use super::hubs::Hubs;
use super::node_context::{LISTENER, NodeContext, dial_target};
use crate::api::{Code, Fault, PathKind};
use crate::core::clock_skew;
use crate::dial_policy::ChosenBy;
use crate::peer::PeerAddress;
use postern_env::task::JoinSet;
use postern_env::time::{self, Duration};
use postern_node::identity::{Error as IdentityError, Identifier, Timestamp};
use postern_node::secure_channel::ChannelError;
use postern_node::session::SessionError;
use postern_node::tcp::TcpError;
use postern_node::{Error, Route, SecureChannel, SecureChannelOptions, TcpConnection, route};

/// The next address is dialed when those before have not answered for this long. RFC 8305 recommends 250 ms; a little more,
/// because an attempt includes a handshake.
const STAGGER: Duration = Duration::from_millis(300);
/// How long a connection may take to be established. Chosen: one lost SYN is retransmitted within it.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long the peer may take to answer a handshake. Chosen, as for the connection.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);

/// Opens channels with peers; clones share the hubs.
#[derive(Clone)]
pub(super) struct Dialer {
    pub(super) context: NodeContext,
    pub(super) hubs: Hubs,
}

/// An open channel with a peer, and what carries it. Both close when it is dropped.
pub(super) struct PeerConnection {
    pub(super) channel: SecureChannel,
    pub(super) path: PathKind,
    /// A connection that exists for this channel alone.
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

impl Dialer {
    pub(super) fn new(context: NodeContext, hubs: Hubs) -> Self {
        Self { context, hubs }
    }

    /// Opens a channel with a peer over the first address that works. Dropping the future cancels all attempts.
    pub(super) async fn dial(&self, peer: Identifier, addresses: &[PeerAddress]) -> Result<PeerConnection, Fault> {
        let mut attempts = JoinSet::new();
        for (index, address) in addresses.iter().cloned().enumerate() {
            let (dialer, delay) = (self.clone(), STAGGER * u32::try_from(index).unwrap_or(u32::MAX));
            attempts.spawn(async move {
                time::sleep(delay).await;
                dialer.attempt(peer, address).await
            });
        }
        let mut fault: Option<Fault> = None;
        while let Some(attempt) = attempts.join_next().await {
            match attempt {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(other)) => fault = Some(most_specific(fault, other)),
                Err(_) => {}
            }
        }
        Err(fault.unwrap_or_else(no_address))
    }

    /// Dials one address.
    async fn attempt(&self, peer: Identifier, address: PeerAddress) -> Result<PeerConnection, Fault> {
        let context = &self.context;
        let (connection, own, onward) = match &address {
            PeerAddress::Direct { address: socket } => {
                (self.connect(&address, socket, ChosenBy::Peer).await?, true, route![LISTENER])
            }
            PeerAddress::Hub { address: hub, relay } => match self.hubs.connection(hub) {
                Some(connection) => (connection, false, route![relay.as_str(), LISTENER]),
                None => {
                    let chosen_by = if self.hubs.contains(hub) { ChosenBy::User } else { ChosenBy::Peer };
                    (self.connect(&address, hub, chosen_by).await?, true, route![relay.as_str(), LISTENER])
                }
            },
        };
        let mut options = SecureChannelOptions::trust_only([peer]);
        options.timeout = HANDSHAKE_WITHIN;
        let mut route = Route::from(&connection);
        route.append(&onward);
        match context.node.create_secure_channel(&context.identity, route, options).await {
            Ok(channel) => {
                context.report_history(&peer).await;
                context.accept_notifications(&channel);
                Ok(PeerConnection { channel, path: path_of(&address), connection: own.then_some(connection) })
            }
            Err(error) => {
                let is_unanswered = matches!(error, Error::Channel(ChannelError::Timeout(_)));
                let fault = match is_unanswered && !connection.verify().await {
                    true => carrier_silent(&address),
                    false => fault_of(&address, &error),
                };
                if own {
                    connection.close();
                }
                Err(fault)
            }
        }
    }

    async fn connect(&self, address: &PeerAddress, socket: &str, chosen_by: ChosenBy) -> Result<TcpConnection, Fault> {
        let target = dial_target(socket, chosen_by);
        match time::timeout(CONNECT_WITHIN, self.context.node.tcp_connect(target)).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(fault_of(address, &error)),
            Err(_) => Err(fault_of(address, &Error::Timeout(CONNECT_WITHIN))),
        }
    }
}

/// The path over an address, as frontends show it.
pub(super) fn path_of(address: &PeerAddress) -> PathKind {
    match address {
        PeerAddress::Direct { address } => PathKind::Direct { address: address.clone() },
        PeerAddress::Hub { address, .. } => PathKind::Hub { address: address.clone() },
    }
}

/// Why a channel over an address did not open.
fn fault_of(address: &PeerAddress, error: &Error) -> Fault {
    match error {
        Error::Channel(error) => channel_fault(error),
        Error::Vault(_) => Fault::new(Code::KeychainFailed, format!("{error}.")),
        Error::Tcp(TcpError::NotPermitted { .. }) => not_permitted(address),
        _ => connection_fault(address),
    }
}

/// Why a session over an address is down.
pub(super) fn session_fault(address: &PeerAddress, error: &SessionError) -> Fault {
    match error {
        SessionError::Channel(error) => channel_fault(error),
        SessionError::Tcp(TcpError::NotPermitted { .. }) => not_permitted(address),
        _ => connection_fault(address),
    }
}

fn channel_fault(error: &ChannelError) -> Fault {
    match error {
        ChannelError::Identity(IdentityError::OlderHistory(_) | IdentityError::ConflictingHistory(_)) => Fault::new(
            Code::KeyRefused,
            "The other side answers with a key that is not the newest one of this person. Ask them in a call whether they \
             restored an old backup; otherwise a key of theirs was stolen.",
        ),
        ChannelError::Identity(IdentityError::FromTheFuture { created, now, .. }) => {
            clock_skew::fault(ahead_ms(*created, *now), "that of the other side")
        }
        ChannelError::Identity(IdentityError::Expired { .. } | IdentityError::OutsideKeyValidity(_)) => Fault::new(
            Code::ClockSkew,
            "The keys of the other side are of another time. Your clock may be wrong: compare it with a clock that you trust.",
        ),
        ChannelError::Identity(_) => Fault::new(
            Code::NotTrusted,
            "Another identity answers than that of the person who shared it. Ask them for a new invitation if they set up again.",
        ),
        ChannelError::Handshake(_) => Fault::new(
            Code::NotTrusted,
            "The other side does not use Postern's protocol, or the connection was tampered with.",
        ),
        _ => owner_offline(),
    }
}

/// How far another's clock is ahead if they signed something at `created`, in milliseconds.
pub(super) fn ahead_ms(created: Timestamp, now: Timestamp) -> i64 {
    created.0.saturating_sub(now.0).saturating_mul(1_000).cast_signed()
}

fn connection_fault(address: &PeerAddress) -> Fault {
    match address {
        PeerAddress::Direct { .. } => owner_offline(),
        PeerAddress::Hub { address, .. } => Fault::new(
            Code::HubUnreachable,
            format!("The hub {address} cannot be reached. Check the network; Postern goes on trying."),
        ),
    }
}

/// The connection over which the peer would be reached does not answer: nothing is known of the peer.
pub(super) fn carrier_silent(address: &PeerAddress) -> Fault {
    match address {
        PeerAddress::Direct { .. } => connection_fault(address),
        PeerAddress::Hub { address, .. } => hub_silent(address),
    }
}

/// A hub is connected, and answers nothing.
pub(super) fn hub_silent(address: &str) -> Fault {
    Fault::new(
        Code::HubUnreachable,
        format!("The hub {address} does not answer, so nothing is known of those behind it. Postern goes on asking."),
    )
}

/// The address was chosen by somebody else, and may not be dialed for a peer.
fn not_permitted(address: &PeerAddress) -> Fault {
    match address {
        PeerAddress::Direct { .. } => Fault::new(
            Code::OwnerOffline,
            "The other side is in another network than this computer, and was not dialed there. Ask them to use a hub.",
        ),
        PeerAddress::Hub { address, .. } => Fault::new(
            Code::HubUnreachable,
            format!(
                "The hub {address} is on this computer or in another private network, and was not dialed because somebody \
                 else named it. If it is yours, add it to your hubs."
            ),
        ),
    }
}

/// The peer does not answer at all.
pub(super) fn owner_offline() -> Fault {
    Fault::new(
        Code::OwnerOffline,
        "The other side does not answer: their computer is off or not connected, or Postern does not run there.",
    )
}

fn no_address() -> Fault {
    Fault::new(Code::OwnerOffline, "It is not known where the other side can be reached. Ask for a new invitation.")
}

/// Of several faults the one that says most: the wrong identity answered, nobody answered, nobody could be asked.
fn most_specific(one: Option<Fault>, other: Fault) -> Fault {
    let rank = |fault: &Fault| match fault.code {
        Code::KeyRefused => 4,
        Code::NotTrusted | Code::ClockSkew => 3,
        Code::KeychainFailed => 2,
        Code::OwnerOffline => 1,
        _ => 0,
    };
    match one {
        Some(one) if rank(&one) >= rank(&other) => one,
        _ => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_node::identity::Signed;

    #[test]
    fn a_clock_that_is_behind_is_no_other_identity() {
        let now = Timestamp(1_800_000_000);
        let created = Timestamp(now.0 + 300);
        let skewed = IdentityError::FromTheFuture { what: Signed::Attestation, created, now };
        let fault = channel_fault(&ChannelError::Identity(skewed));
        assert_eq!(fault.code, Code::ClockSkew);
        assert!(fault.message.starts_with("Your clock is 5 minutes behind that of the other side"), "{fault}");
        for error in [
            IdentityError::OutsideKeyValidity(Signed::Attestation),
            IdentityError::Expired { what: Signed::Attestation, expires: now, now: created },
        ] {
            // Nor is it a reason to change a key.
            let fault = channel_fault(&ChannelError::Identity(error));
            assert!(fault.code == Code::ClockSkew && !fault.message.contains("change"), "{fault}");
        }
    }
}
