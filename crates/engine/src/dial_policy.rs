//! Which addresses may be dialed, and because of whom.
//!
//! Links, contact cards and answers of peers name addresses, directly or by a host name. Without a rule they could have this
//! computer connect to its own services, to other machines of its network, or to a cloud's metadata service, and tell by
//! the time it takes what is there. [`may_dial`] is the only place that decides. It is asked with the resolved address at
//! the time of each connection, so that a name cannot resolve to something else later.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Who chose the address that is to be dialed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChosenBy {
    /// The person who uses this engine, as one of their hubs.
    User,
    /// Somebody else: a link, a contact card, or an answer of a peer.
    Peer,
}

/// Why an address is not dialed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forbidden {
    /// This machine itself.
    Loopback,
    /// No single host: unspecified, multicast, broadcast or reserved.
    NoHost,
    /// Link-local.
    LinkLocal,
    /// The metadata service of a cloud.
    Metadata,
    /// A private network that this machine is not in.
    OtherNetwork,
}

/// A network that an interface of this machine is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    /// Leading bits that all its addresses share.
    prefix: u8,
}

/// Metadata services outside the link-local range: of Azure, Alibaba Cloud, Oracle Cloud, AWS and Google Cloud. They hand
/// out credentials to whoever can connect from the machine.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];
const METADATA_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];

/// Whether an address may be dialed.
///
/// The user's own hubs are dialed wherever they are. What somebody else named is never loopback, link-local, multicast,
/// unspecified, reserved or a metadata service; an address of a private network has to lie in an attached one. IPv6
/// addresses that embed an IPv4 address are judged by that.
pub(crate) fn may_dial(ip: IpAddr, chosen_by: ChosenBy, attached: &[Network]) -> Result<(), Forbidden> {
    match (chosen_by, canonical(ip)) {
        (ChosenBy::User, _) => Ok(()),
        (ChosenBy::Peer, IpAddr::V4(ip)) => check_v4(ip, attached),
        (ChosenBy::Peer, IpAddr::V6(ip)) => check_v6(ip, attached),
    }
}

/// The networks of this machine's interfaces, without loopback; none if the system does not say.
pub(crate) fn attached_networks() -> Vec<Network> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let networks = interfaces.into_iter().filter(|it| !it.is_loopback()).map(|it| match it.addr {
        if_addrs::IfAddr::V4(v4) => Network { address: v4.ip.into(), prefix: v4.prefixlen },
        if_addrs::IfAddr::V6(v6) => Network { address: v6.ip.into(), prefix: v6.prefixlen },
    });
    networks.collect()
}

fn check_v4(ip: Ipv4Addr, attached: &[Network]) -> Result<(), Forbidden> {
    let [first, second, ..] = ip.octets();
    if ip.is_loopback() {
        return Err(Forbidden::Loopback);
    }
    if ip.is_link_local() {
        return Err(Forbidden::LinkLocal);
    }
    if METADATA_V4.contains(&ip) {
        return Err(Forbidden::Metadata);
    }
    // 0/8 is "this network", 240/4 is reserved and ends with the broadcast address (RFC 6890).
    if first == 0 || ip.is_multicast() || first >= 240 {
        return Err(Forbidden::NoHost);
    }
    // RFC 1918; 100.64/10 is shared by carriers and overlay networks (RFC 6598); 192.0.0/24, 198.18/15 and the ranges for
    // documentation are used in closed networks only (RFC 6890).
    let is_shared = first == 100 && (64..128).contains(&second);
    let is_benchmark = first == 198 && (18..20).contains(&second);
    let is_protocol = ip.octets().starts_with(&[192, 0, 0]);
    let is_local = ip.is_private() || is_shared || is_benchmark || is_protocol || ip.is_documentation();
    check_local(is_local, ip.into(), attached)
}

fn check_v6(ip: Ipv6Addr, attached: &[Network]) -> Result<(), Forbidden> {
    if ip.is_loopback() {
        return Err(Forbidden::Loopback);
    }
    if ip.is_unicast_link_local() {
        return Err(Forbidden::LinkLocal);
    }
    if METADATA_V6.contains(&ip) {
        return Err(Forbidden::Metadata);
    }
    if ip.is_unspecified() || ip.is_multicast() {
        return Err(Forbidden::NoHost);
    }
    // Global unicast is 2000::/3; everything else is private (fc00::/7), site-local, or assigned to nobody (RFC 4291).
    let [first, second, ..] = ip.segments();
    let is_documentation = (first == 0x2001 && second == 0xdb8) || (first == 0x3fff && second < 0x1000);
    let is_local = first & 0xe000 != 0x2000 || is_documentation;
    check_local(is_local, ip.into(), attached)
}

fn check_local(is_local: bool, ip: IpAddr, attached: &[Network]) -> Result<(), Forbidden> {
    if !is_local || attached.iter().any(|network| network.contains(ip)) {
        return Ok(());
    }
    Err(Forbidden::OtherNetwork)
}

/// The IPv4 address that an IPv6 address stands for, if it embeds one: mapped and compatible (RFC 4291), NAT64 (RFC 6052,
/// RFC 8215), 6to4 (RFC 3056).
fn canonical(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    let octets = v6.octets();
    let embedded = |at: usize| Ipv4Addr::new(octets[at], octets[at + 1], octets[at + 2], octets[at + 3]).into();
    match v6.segments() {
        // `::` and `::1` are themselves.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => ip,
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => embedded(12),
        [0x2002, ..] => embedded(2),
        _ => ip,
    }
}

impl Network {
    fn contains(&self, ip: IpAddr) -> bool {
        match (self.address, ip) {
            (IpAddr::V4(own), IpAddr::V4(ip)) => {
                let host_bits = 32_u32.saturating_sub(self.prefix.into());
                (u64::from(own.to_bits()) >> host_bits) == (u64::from(ip.to_bits()) >> host_bits)
            }
            (IpAddr::V6(own), IpAddr::V6(ip)) => {
                let host_bits = 128_u32.saturating_sub(self.prefix.into());
                own.to_bits().checked_shr(host_bits) == ip.to_bits().checked_shr(host_bits)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This machine is 10.1.2.3/16, 192.168.7.9/24 and fd12:3456::9/64.
    fn attached() -> Vec<Network> {
        [("10.1.2.3", 16), ("192.168.7.9", 24), ("fd12:3456::9", 64)]
            .map(|(address, prefix)| Network { address: address.parse().unwrap(), prefix })
            .to_vec()
    }

    /// Every kind of address, and what holds for one that a peer named.
    const TABLE: &[(&str, Result<(), Forbidden>)] = &[
        // Global.
        ("1.1.1.1", Ok(())),
        ("172.15.255.255", Ok(())),
        ("172.32.0.0", Ok(())),
        ("100.63.255.255", Ok(())),
        ("100.128.0.0", Ok(())),
        ("198.20.0.0", Ok(())),
        ("223.255.255.255", Ok(())),
        ("2606:4700::1111", Ok(())),
        ("3ffe::1", Ok(())),
        // In an attached network.
        ("10.1.2.3", Ok(())),
        ("10.1.255.254", Ok(())),
        ("192.168.7.1", Ok(())),
        ("fd12:3456::1", Ok(())),
        ("::ffff:10.1.0.1", Ok(())),
        // In another private network.
        ("10.2.0.1", Err(Forbidden::OtherNetwork)),
        ("172.16.0.1", Err(Forbidden::OtherNetwork)),
        ("172.31.255.255", Err(Forbidden::OtherNetwork)),
        ("192.168.8.1", Err(Forbidden::OtherNetwork)),
        ("100.64.0.1", Err(Forbidden::OtherNetwork)),
        ("100.127.255.255", Err(Forbidden::OtherNetwork)),
        ("192.0.0.8", Err(Forbidden::OtherNetwork)),
        ("198.18.0.1", Err(Forbidden::OtherNetwork)),
        ("198.19.255.255", Err(Forbidden::OtherNetwork)),
        ("192.0.2.1", Err(Forbidden::OtherNetwork)),
        ("198.51.100.1", Err(Forbidden::OtherNetwork)),
        ("203.0.113.1", Err(Forbidden::OtherNetwork)),
        ("fd12:3456:0:1::1", Err(Forbidden::OtherNetwork)),
        ("fc00::1", Err(Forbidden::OtherNetwork)),
        ("fec0::1", Err(Forbidden::OtherNetwork)),
        ("2001:db8::1", Err(Forbidden::OtherNetwork)),
        ("3fff:1::1", Err(Forbidden::OtherNetwork)),
        ("4000::1", Err(Forbidden::OtherNetwork)),
        // This machine, also in IPv6 forms that embed an IPv4 address.
        ("127.0.0.1", Err(Forbidden::Loopback)),
        ("127.255.255.254", Err(Forbidden::Loopback)),
        ("::1", Err(Forbidden::Loopback)),
        ("::ffff:127.0.0.1", Err(Forbidden::Loopback)),
        ("::127.0.0.1", Err(Forbidden::Loopback)),
        ("64:ff9b::127.0.0.1", Err(Forbidden::Loopback)),
        ("64:ff9b:1::127.0.0.1", Err(Forbidden::Loopback)),
        ("2002:7f00:1::", Err(Forbidden::Loopback)),
        // Link-local, and metadata services.
        ("169.254.1.1", Err(Forbidden::LinkLocal)),
        ("169.254.169.254", Err(Forbidden::LinkLocal)),
        ("::ffff:169.254.169.254", Err(Forbidden::LinkLocal)),
        ("fe80::1", Err(Forbidden::LinkLocal)),
        ("febf::1", Err(Forbidden::LinkLocal)),
        ("168.63.129.16", Err(Forbidden::Metadata)),
        ("100.100.100.200", Err(Forbidden::Metadata)),
        ("192.0.0.192", Err(Forbidden::Metadata)),
        ("fd00:ec2::254", Err(Forbidden::Metadata)),
        ("fd20:ce::254", Err(Forbidden::Metadata)),
        // No host.
        ("0.0.0.0", Err(Forbidden::NoHost)),
        ("0.1.2.3", Err(Forbidden::NoHost)),
        ("::", Err(Forbidden::NoHost)),
        ("224.0.0.1", Err(Forbidden::NoHost)),
        ("239.255.255.255", Err(Forbidden::NoHost)),
        ("240.0.0.1", Err(Forbidden::NoHost)),
        ("255.255.255.255", Err(Forbidden::NoHost)),
        ("ff02::1", Err(Forbidden::NoHost)),
        ("::ffff:0.0.0.0", Err(Forbidden::NoHost)),
    ];

    #[test]
    fn only_public_addresses_and_attached_networks_are_dialed_for_a_peer() {
        for (address, expected) in TABLE {
            let ip = address.parse().unwrap();
            assert_eq!(may_dial(ip, ChosenBy::Peer, &attached()), *expected, "{address}");
            assert_eq!(may_dial(ip, ChosenBy::User, &attached()), Ok(()), "{address}");
        }
    }

    #[test]
    fn without_a_network_nothing_private_is_dialed_for_a_peer() {
        for (address, _) in TABLE.iter().filter(|(_, expected)| expected.is_ok()) {
            let ip: IpAddr = address.parse().unwrap();
            let is_private = canonical(ip).to_string().starts_with("10.") || ip.to_string().starts_with("fd");
            let is_private = is_private || ip.to_string().starts_with("192.168.");
            let expected = if is_private { Err(Forbidden::OtherNetwork) } else { Ok(()) };
            assert_eq!(may_dial(ip, ChosenBy::Peer, &[]), expected, "{address}");
        }
    }

    #[test]
    fn an_attached_network_makes_nothing_else_dialable() {
        // A wrong netmask must not open loopback or metadata services.
        let all = ["0.0.0.0", "::"].map(|address| Network { address: address.parse().unwrap(), prefix: 0 });
        for (address, expected) in TABLE {
            let forbidden = !matches!(expected, Ok(()) | Err(Forbidden::OtherNetwork));
            assert_eq!(may_dial(address.parse().unwrap(), ChosenBy::Peer, &all).is_err(), forbidden, "{address}");
        }
    }

    #[test]
    fn loopback_is_no_attached_network() {
        let loopback = ["127.0.0.1", "::1"].map(|address| address.parse::<IpAddr>().unwrap());
        assert!(attached_networks().iter().all(|network| !loopback.contains(&network.address)));
    }
}
