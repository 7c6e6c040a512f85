//! Ports of this machine.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
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

/// A port of 127.0.0.1 as an address.
#[must_use]
pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
