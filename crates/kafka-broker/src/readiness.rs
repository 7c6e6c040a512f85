//! Whether a broker serves: it answers a metadata request and lists itself. That its port is open says nothing.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// One request over loopback.
const REQUEST: Duration = Duration::from_secs(2);
/// More than the answer of one broker without topics has.
const ANSWER_MAX: u32 = 1 << 20;
/// Metadata, version 4, of no topics: length, API key and version, correlation, no client id; an empty list, no creation.
const METADATA: [u8; 19] = [0, 0, 0, 15, 0, 3, 0, 4, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0, 0];
/// Where the number of brokers is in the answer: behind the correlation and the throttle time.
const BROKERS: std::ops::Range<usize> = 8..12;

/// Whether the broker at a port of 127.0.0.1 lists at least one broker, itself.
pub(crate) fn serves(port: u16) -> bool {
    brokers(port).is_ok_and(|count| count > 0)
}

fn brokers(port: u16) -> io::Result<u32> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut socket = TcpStream::connect_timeout(&address, REQUEST)?;
    socket.set_read_timeout(Some(REQUEST))?;
    socket.set_write_timeout(Some(REQUEST))?;
    socket.write_all(&METADATA)?;
    let mut length = [0; 4];
    socket.read_exact(&mut length)?;
    let mut answer = vec![0; u32::from_be_bytes(length).min(ANSWER_MAX) as usize];
    socket.read_exact(&mut answer)?;
    let count = answer.get(BROKERS).and_then(|bytes| bytes.try_into().ok());
    count.map(u32::from_be_bytes).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}
