//! What of the network decides whether an attempt that failed may succeed now.

use std::net::IpAddr;
use std::path::Path;
use std::time::SystemTime;

/// Files that decide how names are resolved (Unix).
const RESOLVER_FILES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];
/// The routes of IPv4 (Linux): the same addresses with another gateway are another network.
const ROUTES: &str = "/proc/net/route";

/// The state of this machine's network: its addresses and which of them are on an interface that is up, its routes (Linux),
/// and when the files were changed that decide how names are resolved. Two states that differ lie on either side of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkState {
    addresses: Vec<(IpAddr, bool)>,
    routes: Option<String>,
    resolver: [Option<SystemTime>; 2],
}

/// The state now. Asks the system a few questions that it answers from memory.
#[must_use]
pub fn network_state() -> NetworkState {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut addresses: Vec<_> = interfaces.iter().map(|it| (it.ip(), it.is_oper_up())).collect();
    // Containers that come and go have only such addresses; no other network is reached from them.
    addresses.retain(|(ip, _)| !ip.is_loopback() && !is_link_local(ip));
    addresses.sort_unstable();
    NetworkState {
        addresses,
        routes: if cfg!(target_os = "linux") { std::fs::read_to_string(ROUTES).ok() } else { None },
        resolver: RESOLVER_FILES.map(|file| Path::new(file).metadata().and_then(|it| it.modified()).ok()),
    }
}

fn is_link_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_link_alone_reach_no_other_network() {
        let is_local = |text: &str| is_link_local(&text.parse().unwrap());
        assert!(is_local("fe80::1") && is_local("169.254.0.7"));
        assert!(!is_local("192.168.0.7") && !is_local("fd00::1") && !is_local("2001:db8::1"));
    }
}
