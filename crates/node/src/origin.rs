//! Where remote messages come from: the origin that access control at an address is decided by.
//!
//! Every connection and every channel has an [`OriginId`], and so has every listener. A message carries its [`Source`]:
//! its origin, that of the listener which accepted it, and who the channel says is at the other end.

use crate::address::Address;
use crate::congestion::HopWindows;
use crate::identity::VerifiedPeer;
use crate::round_trip::RoundTrip;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use tokio_util::sync::CancellationToken;

/// Names where messages come from: a connection, a channel, or the listener that made them.
///
/// A remote side reaches an address only if the address was exposed to its flow or to its listener's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OriginId(u64);

impl OriginId {
    pub(crate) fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Anything that remote messages come from, and that an address can therefore be exposed to.
pub trait Origin {
    /// The flow of its messages.
    fn origin(&self) -> OriginId;
}

impl Origin for OriginId {
    fn origin(&self) -> OriginId {
        *self
    }
}

/// Who is at the other end of a connection, as far as the network says so: an IPv4 address, or the /64 network of an IPv6
/// address, all of which one household or machine has to itself.
///
/// Limits for each source count by it. Everybody behind one NAT or proxy has the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceAddress(IpAddr);

impl SourceAddress {
    /// The bytes of the address: 4, or 16 of which the last 8 are zero.
    pub fn octets(&self) -> Vec<u8> {
        match self.0 {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        }
    }
}

impl From<IpAddr> for SourceAddress {
    fn from(address: IpAddr) -> Self {
        const NETWORK: u128 = u128::MAX << 64;
        Self(match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
            address => address,
        })
    }
}

/// Where a remote message came from.
pub(crate) struct Source {
    pub(crate) origin: OriginId,
    /// The listener's flow, if one accepted this connection or channel.
    pub(crate) listener: Option<OriginId>,
    /// Goes on the front of the return route: what answers must be sent to.
    pub(crate) sender: Address,
    /// The network address of the connection, if it was accepted here. The other end of one that this node made was
    /// chosen here, and carries messages of many.
    pub(crate) address: Option<SourceAddress>,
    /// Who is at the other end, if a secure channel says so.
    pub(crate) peer: Option<Arc<VerifiedPeer>>,
    /// The connection right under it, if it is a channel that runs over one.
    pub(crate) carrier_address: Option<Address>,
    /// Set once a secure channel was made over it: larger frames are allowed then.
    pub(crate) authenticated: AtomicBool,
    /// Set on a connection that many peers share, whose streams have flow control: it is not held for long for one of them.
    pub(crate) flow_controlled: AtomicBool,
    /// The windows of the peers behind a connection, once its ends have agreed on them.
    pub(crate) windows: OnceLock<Arc<HopWindows>>,
    /// Set on a connection by every frame in either direction, for whoever asks whether it is used.
    pub(crate) used: AtomicBool,
    /// How often many bytes were read from a connection at once, more than pings and probes have; wraps around.
    pub(crate) large_reads: AtomicU32,
    /// Cancelled when nothing more will come from there.
    pub(crate) ended: CancellationToken,
    /// Cancelled when the connection that carries it ends: what was on the way is then lost.
    pub(crate) carrier: CancellationToken,
    /// Set once the other end is known to ask regularly whether we are there: its silence then means something.
    pub(crate) probed: Arc<AtomicBool>,
    /// Set once something in this node depends on it, such as a stream, a relay or a subscription: it is then not closed
    /// to make room for others.
    pub(crate) in_use: Arc<AtomicBool>,
    /// The owners' addresses that it was introduced to, because it sent to their relays.
    pub(crate) introduced_to: Arc<Mutex<Vec<Address>>>,
    /// The round-trip time of a channel. Nothing is known of connections.
    pub(crate) round_trip: Arc<RoundTrip>,
}

impl Source {
    /// What is sent to by `sender` and carried by nothing else, of which nothing is known yet.
    pub(crate) fn new(origin: OriginId, sender: Address, ended: CancellationToken) -> Self {
        Self {
            origin,
            listener: None,
            sender,
            address: None,
            peer: None,
            carrier_address: None,
            authenticated: AtomicBool::default(),
            flow_controlled: AtomicBool::default(),
            windows: OnceLock::new(),
            used: AtomicBool::default(),
            large_reads: AtomicU32::default(),
            carrier: ended.clone(),
            ended,
            probed: Arc::default(),
            in_use: Arc::default(),
            introduced_to: Arc::default(),
            round_trip: Arc::default(),
        }
    }

    /// The same source, to be changed: what is noted of it later is noted of both, besides how its messages are read.
    pub(crate) fn renewed(&self) -> Self {
        Self {
            listener: self.listener,
            address: self.address,
            peer: self.peer.clone(),
            carrier_address: self.carrier_address.clone(),
            authenticated: AtomicBool::new(self.authenticated.load(Ordering::Relaxed)),
            carrier: self.carrier.clone(),
            probed: self.probed.clone(),
            in_use: self.in_use.clone(),
            introduced_to: self.introduced_to.clone(),
            round_trip: self.round_trip.clone(),
            ..Self::new(self.origin, self.sender.clone(), self.ended.clone())
        }
    }
}

#[cfg(test)]
impl Source {
    /// A connection that is open.
    pub(crate) fn of_connection(sender: Address, listener: Option<OriginId>) -> Self {
        Self { listener, ..Self::new(OriginId::fresh(), sender, CancellationToken::new()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_and_an_ipv4_address_are_one_source_each() {
        let source = |text: &str| SourceAddress::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:1"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
    }
}
