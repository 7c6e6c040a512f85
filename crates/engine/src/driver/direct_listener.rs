//! Listening for direct connections of peers, on this computer's own network.
//!
//! Owns the listening socket and what was reported of it. A peer that connects still has to open a secure channel; nothing
//! else can be reached.

use super::node_context::{LISTENER, NodeContext};
use crate::api::{Code, Fault};
use postern_node::TcpListener;
use std::net::{IpAddr, SocketAddr};

/// A listening socket for peers; closed when dropped.
pub(super) struct DirectListener {
    listener: TcpListener,
    address: String,
    reported: Vec<String>,
}

impl Drop for DirectListener {
    fn drop(&mut self) {
        self.listener.close();
    }
}

impl DirectListener {
    /// Listens on an address. If its port is 0, the stored port is used again if it is free, so that the addresses that peers
    /// know stay valid.
    pub(super) async fn start(context: &NodeContext, address: &str, stored: Option<u16>) -> Result<Self, Fault> {
        let again = stored.and_then(|port| Some(format!("{}:{port}", address.strip_suffix(":0")?)));
        let listener = match again {
            Some(again) => match context.node.tcp_listen(&again).await {
                Ok(listener) => Ok(listener),
                Err(_) => context.node.tcp_listen(address).await,
            },
            None => context.node.tcp_listen(address).await,
        };
        let cannot = |error: postern_node::Error| {
            Fault::new(
                Code::PortTaken,
                format!("This computer cannot listen for others: {error}. Choose another address."),
            )
        };
        let listener = listener.map_err(cannot)?;
        context.node.expose(LISTENER, &listener).map_err(cannot)?;
        Ok(Self { listener, address: address.to_owned(), reported: Vec::new() })
    }

    /// The port, if the system chose it: it is to be stored.
    pub(super) fn chosen_port(&self) -> Option<u16> {
        self.address.ends_with(":0").then(|| self.listener.local_addr().port())
    }

    /// The addresses that peers can connect to, if they changed since the last call.
    pub(super) fn changed_addresses(&mut self) -> Option<Vec<String>> {
        let addresses = addresses(self.listener.local_addr());
        (addresses != self.reported).then(|| {
            self.reported.clone_from(&addresses);
            addresses
        })
    }
}

/// The addresses of this computer in its networks; the loopback address if there is no network.
fn addresses(local: SocketAddr) -> Vec<String> {
    if !local.ip().is_unspecified() {
        return vec![local.to_string()];
    }
    let all = if_addrs::get_if_addrs().unwrap_or_default();
    let same_family =
        all.into_iter().map(|it| it.ip()).filter(|ip| ip.is_ipv4() == local.is_ipv4() && is_reachable(*ip));
    let mut addresses: Vec<_> = same_family.map(|ip| SocketAddr::new(ip, local.port()).to_string()).collect();
    addresses.sort();
    addresses.dedup();
    if addresses.is_empty() {
        let loopback = if local.is_ipv4() { "127.0.0.1".parse() } else { "::1".parse() };
        addresses.extend(loopback.ok().map(|ip: IpAddr| SocketAddr::new(ip, local.port()).to_string()));
    }
    addresses
}

fn is_reachable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local() && !ip.is_unspecified(),
        IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local() && !ip.is_unspecified(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_peers_can_use_are_reported() {
        assert_eq!(addresses("127.0.0.1:5000".parse().unwrap()), ["127.0.0.1:5000"]);
        let all = addresses("0.0.0.0:5000".parse().unwrap());
        assert!(!all.is_empty() && all.iter().all(|it| it.ends_with(":5000") && !it.starts_with("0.0.0.0")), "{all:?}");
        let loopback = all.iter().filter(|it| it.starts_with("127.")).count();
        assert!(loopback == 0 || all.len() == 1, "{all:?}");
    }
}
