//! What the system knows of the bytes that a TCP connection has sent and the other end has not acknowledged.
//!
//! Linux lists it in `/proc/net/tcp` and `tcp6` (`Documentation/networking/proc_net_tcp.rst`). `TCP_INFO` says more, but no maintained
//! library reads it without unsafe code. Other systems say nothing.

use std::net::{IpAddr, SocketAddr};

/// What a connection has sent and the other end has not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendQueue {
    /// Bytes that are not acknowledged, sent or not.
    pub bytes: u64,
    /// How often the system has repeated the oldest of them, or asked for room at the other end, since it last got an acknowledgement.
    pub repeated: u32,
    /// They wait for room at the other end: its window is closed. So they do while this system finds no route to it.
    pub waits_for_window: bool,
}

/// What the system knows of the connection between two addresses. Nothing if there is none, or the system does not say.
///
/// Reads a list of all connections of the network namespace, which takes about a microsecond for each.
#[must_use]
pub fn send_queue(local: SocketAddr, peer: SocketAddr) -> Option<SendQueue> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let list = if local.is_ipv4() { "/proc/self/net/tcp" } else { "/proc/self/net/tcp6" };
    find(&std::fs::read_to_string(list).ok()?, local, peer)
}

/// Columns: number, local, peer, state, `sent:received`, `timer:when`, retransmissions, user, probes of the window, and more; all
/// in hexadecimal but the user and the probes.
fn find(list: &str, local: SocketAddr, peer: SocketAddr) -> Option<SendQueue> {
    const WINDOW_PROBE: &str = "04";
    let (local, peer) = (written(local), written(peer));
    let mut rows = list.lines().map(|line| line.split_ascii_whitespace().skip(1));
    let mut row = rows.find(|row| {
        let mut row = row.clone();
        row.next() == Some(&local) && row.next() == Some(&peer)
    })?;
    let bytes = u64::from_str_radix(row.nth(3)?.split(':').next()?, 16).ok()?;
    let timer = row.next()?.split(':').next()?;
    let retransmissions = u32::from_str_radix(row.next()?, 16).ok()?;
    let probes: u32 = row.nth(1)?.parse().ok()?;
    let waits_for_window = timer == WINDOW_PROBE;
    Some(SendQueue { bytes, repeated: if waits_for_window { probes } else { retransmissions }, waits_for_window })
}

/// An address as it is listed: groups of 4 bytes as numbers of this machine, and the port.
fn written(address: SocketAddr) -> String {
    let bytes = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let groups = bytes.chunks_exact(4).filter_map(|group| Some(u32::from_ne_bytes(group.try_into().ok()?)));
    let mut written: String = groups.map(|group| format!("{group:08X}")).collect();
    written.push_str(&format!(":{:04X}", address.port()));
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn the_list_is_read_as_linux_writes_it() {
        let list = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:0FA0 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0\n   \
            1: 0100007F:DB2A 0100007F:CA09 01 00000101:00000000 01:00000019 00000002     0        0 2 2 0 100 0 0 10 0\n   \
            2: 0100007F:CA09 0100007F:DB2A 01 00000001:00000000 04:0000001F 00000000     0        3 3 2 0 100 0 0 10 0\n";
        let [one, other] = ["127.0.0.1:56106", "127.0.0.1:51721"].map(|text| text.parse().unwrap());
        let retransmitted = SendQueue { bytes: 257, repeated: 2, waits_for_window: false };
        assert_eq!(find(list, one, other), Some(retransmitted));
        let probed = SendQueue { bytes: 1, repeated: 3, waits_for_window: true };
        assert_eq!(find(list, other, one), Some(probed));
        assert_eq!(find(list, one, one), None);
        assert_eq!(written("[2001:db8::1]:443".parse().unwrap()), "B80D0120000000000000000001000000:01BB");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_receiver_that_does_not_read_closes_its_window_and_acknowledges() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = super::super::listen(address).await else { continue };
            let near = super::super::connect(listener.local_addr().unwrap()).await.unwrap();
            let _far = listener.accept().await.unwrap();
            let queue = || send_queue(near.local_addr().unwrap(), near.peer_addr().unwrap()).unwrap();
            assert_eq!(queue(), SendQueue { bytes: 0, repeated: 0, waits_for_window: false });
            near.writable().await.unwrap();
            while near.try_write(&[0; 65_536]).is_ok() {}
            // The window closes once the system has sent what it accepts.
            while !queue().waits_for_window {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            assert!(queue().bytes > 0 && queue().repeated < 2);
        }
    }
}
