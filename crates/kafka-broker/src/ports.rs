//! Ports for a broker that may be stopped and come back on them.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use crate::Error;

/// Below Linux's ephemeral range (from 32,768): while the broker is down, no outgoing connection takes its port. Other than those of
/// the test harness, so that both find free ones at once.
const PORTS: std::ops::Range<u16> = 31_000..32_700;

/// Ports of 127.0.0.1 that nobody listens on.
///
/// # Errors
/// When there are not enough.
pub(crate) fn free<const N: usize>() -> Result<[u16; N], Error> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let width = PORTS.end - PORTS.start;
    // Processes that search at the same time begin in different places.
    let begin = (std::process::id() % u32::from(width)) as u16;
    let candidates = (0..width).map(|_| {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % width;
        PORTS.start + ((u32::from(begin) * 37 + u32::from(step)) % u32::from(width)) as u16
    });
    // All stay bound until the last is found.
    let bound: Vec<(u16, TcpListener)> = candidates
        .filter_map(|port| Some((port, TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?)))
        .take(N)
        .collect();
    let ports: Vec<u16> = bound.iter().map(|(port, _)| *port).collect();
    ports.try_into().map_err(|_| Error::Failed(format!("no {N} ports are free among {PORTS:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_differ() {
        let [a, b, c, d] = free().unwrap();
        let mut ports = vec![a, b, c, d];
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 4);
    }
}
