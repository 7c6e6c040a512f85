//! Where this node's inlets listen, so that none of its outlets connects to one of them: every connection would cause the next.

use crate::sync::lock;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

/// The addresses of a node's open inlets.
#[derive(Default)]
pub(super) struct OwnInlets(Mutex<Vec<SocketAddr>>);

impl OwnInlets {
    /// Adds where an inlet listens, until what is returned is dropped.
    pub(super) fn add(self: &Arc<Self>, addresses: Vec<SocketAddr>) -> OwnInlet {
        lock(&self.0).extend(&addresses);
        OwnInlet { inlets: self.clone(), addresses }
    }

    /// Whether a connection from `local` to `peer` leads to an inlet of this node.
    pub(super) fn lead_to(&self, peer: SocketAddr, local: SocketAddr) -> bool {
        let (ip, from) = (peer.ip().to_canonical(), local.ip().to_canonical());
        // One to an address of this machine comes from that address, or from another one of the loopback network.
        let stays_here = ip.is_loopback() || ip == from;
        lock(&self.0).iter().any(|inlet| inlet.port() == peer.port() && listens_at(inlet.ip(), ip, stays_here))
    }
}

/// Whether an inlet that listens at one address is reached at another.
fn listens_at(inlet: IpAddr, ip: IpAddr, is_own: bool) -> bool {
    inlet.to_canonical() == ip || inlet.is_unspecified() && is_own
}

/// An inlet that is open.
pub(super) struct OwnInlet {
    inlets: Arc<OwnInlets>,
    addresses: Vec<SocketAddr>,
}

impl Drop for OwnInlet {
    fn drop(&mut self) {
        // Another inlet may listen at the same address, where the system allows that.
        let mut inlets = lock(&self.inlets.0);
        for address in &self.addresses {
            if let Some(at) = inlets.iter().position(|it| it == address) {
                inlets.swap_remove(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_to_open_inlets_are_recognised() {
        let inlets = Arc::<OwnInlets>::default();
        let at = |address: &str| address.parse::<SocketAddr>().unwrap();
        let leads = |peer: &str, local: &str| inlets.lead_to(at(peer), at(local));
        let open = inlets.add(vec![at("127.0.0.1:80"), at("[::1]:80")]);
        assert!(leads("127.0.0.1:80", "127.0.0.1:5") && leads("[::1]:80", "[::1]:5"));
        assert!(leads("[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]:5"));
        assert!(!leads("127.0.0.1:81", "127.0.0.1:5") && !leads("10.0.0.7:80", "10.0.0.1:5"));
        drop(open);
        assert!(!leads("127.0.0.1:80", "127.0.0.1:5"));
        let _all = inlets.add(vec![at("0.0.0.0:80")]);
        assert!(leads("127.0.0.1:80", "127.0.0.1:5") && leads("10.0.0.1:80", "10.0.0.1:5"));
        assert!(!leads("10.0.0.7:80", "10.0.0.1:5"), "the same port of another machine");
    }
}
