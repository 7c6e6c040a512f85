//! Whether a program of this machine listens at an address, from the system's table of listening sockets (proc(5), `/proc/net/tcp`).
//!
//! No connection is made: many services count one that says nothing as a failed client (`max_connect_errors` of MySQL and MariaDB), or
//! serve only one client at a time. The table shows the sockets of all users. Elsewhere than on Linux there is none, and it answers
//! nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The state of a listening socket (`TCP_LISTEN` in the kernel's `tcp_states.h`).
const LISTEN: &str = "0A";

/// The first of these addresses that belongs to this machine and is listened on. Blocks for some milliseconds.
pub(crate) fn first_listening(addresses: &[SocketAddr]) -> Option<SocketAddr> {
    let listening = listening_addresses();
    let is_listened_on =
        |address: &SocketAddr| listening.iter().any(|it| accepts(*it, *address)) && is_own(address.ip());
    addresses.iter().copied().find(is_listened_on)
}

fn listening_addresses() -> Vec<SocketAddr> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let texts = tables.iter().filter_map(|table| postern_env::fs::read_to_string(table).ok());
    texts.flat_map(|text| text.lines().filter_map(listening).collect::<Vec<_>>()).collect()
}

/// Whether an address belongs to this machine: on others nobody can listen here.
fn is_own(ip: IpAddr) -> bool {
    ip.is_loopback() || postern_env::net::listen_blocking((ip, 0)).is_ok()
}

/// Whether a socket that listens at one address accepts connections to another. One that listens on all addresses of IPv6 usually
/// accepts IPv4 too; the table does not say.
fn accepts(listening: SocketAddr, address: SocketAddr) -> bool {
    let (listens, wanted) = (listening.ip().to_canonical(), address.ip().to_canonical());
    let all = listens.is_unspecified() && (listens.is_ipv6() || wanted.is_ipv4());
    listening.port() == address.port() && (listens == wanted || all)
}

/// The address of a line of the table, if it is of a listening socket.
fn listening(line: &str) -> Option<SocketAddr> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (local, _, state) = (fields.next()?, fields.next()?, fields.next()?);
    let (ip, port) = local.split_once(':')?;
    if state != LISTEN {
        return None;
    }
    // Words of 32 bits in the machine's byte order, each of which holds four bytes of the address.
    let word = |at: usize| Some(u32::from_str_radix(ip.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    let ip = match ip.len() {
        8 => IpAddr::from(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?].concat();
            IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(words).ok()?))
        }
        _ => return None,
    };
    Some((ip, u16::from_str_radix(port, 16).ok()?).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn lines_of_the_table_are_read() {
        let line =
            "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 24 1 0 100 0 0 10 0";
        assert_eq!(listening(line), Some("127.0.0.1:8080".parse().unwrap()));
        let line =
            "1: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000";
        assert_eq!(listening(line), Some("[::1]:80".parse().unwrap()));
        let connected = "1: 0100007F:1F90 0100007F:9C40 01 00000000:00000000";
        for other in [connected, "sl  local_address rem_address st", "", "0: 01:1 x 0A", "0: ÄÄÄÄ:1 x 0A"] {
            assert_eq!(listening(other), None, "{other}");
        }
    }

    #[test]
    fn a_socket_on_all_addresses_accepts_connections_to_each() {
        let accepts = |listening: &str, address: &str| accepts(listening.parse().unwrap(), address.parse().unwrap());
        assert!(accepts("0.0.0.0:80", "127.0.0.1:80") && accepts("[::]:80", "127.0.0.1:80"));
        assert!(accepts("[::ffff:127.0.0.1]:80", "127.0.0.1:80"));
        assert!(!accepts("0.0.0.0:80", "[::1]:80") && !accepts("0.0.0.0:80", "127.0.0.1:81"));
        assert!(!accepts("127.0.0.1:80", "10.0.0.1:80"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_listener_of_this_machine_is_found_without_a_connection() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let elsewhere = SocketAddr::new([192, 0, 2, 1].into(), address.port());
        assert_eq!(first_listening(&[elsewhere, address]), Some(address));
        // Of a network for documentation, which nobody has (RFC 5737).
        assert_eq!(first_listening(&[elsewhere]), None);
        drop(listener);
        assert_eq!(first_listening(&[address]), None);
    }
}
