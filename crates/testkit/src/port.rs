//! Ports of this machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// Where free ports are searched: below Linux's ephemeral range (from 32,768), so that no outgoing connection takes one.
const PORTS: std::ops::Range<u16> = 11_000..31_000;
/// Ports tried before the search fails; far more than a test machine listens on.
const ATTEMPTS: usize = 1000;

/// A port that nobody listens on and that the system assigns to nobody: it stays free while a program restarts.
///
/// # Panics
/// When a thousand in a row are taken.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let width = PORTS.end - PORTS.start;
    // Test programs run at the same time: each begins somewhere else.
    let begin = (std::process::id() % u32::from(width)) as u16;
    (0..ATTEMPTS)
        .map(|_| PORTS.start + begin.wrapping_mul(37).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % width)
        .find(|port| TcpListener::bind(loopback(*port)).is_ok())
        .expect("no free port in a thousand attempts")
}

/// The address of this machine in its network, at which others may reach it; nothing if it is in none.
///
/// Engines dial no loopback address that somebody else named, so direct paths are tested with this one. No packet is sent:
/// connecting a UDP socket only asks the system for a route.
#[must_use]
pub fn network_ip() -> Option<IpAddr> {
    // An address that is routed like any other of the Internet (RFC 5737 reserves it, so nobody has it).
    const ANYWHERE: (Ipv4Addr, u16) = (Ipv4Addr::new(203, 0, 113, 1), 9);
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(ANYWHERE).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}

/// A port of 127.0.0.1 as an address.
#[must_use]
pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
