//! Frames as they are on the wire, read and written without the library under test.

use std::io::{self, Read, Write};
use std::net::TcpStream;

/// One frame: routes of local addresses, and a payload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// Where it goes, front first.
    pub onward: Vec<String>,
    /// Where answers go.
    pub back: Vec<String>,
    /// What it says.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A frame to some addresses, with one for answers.
    #[must_use]
    pub fn to(onward: &[&str], back: &str, payload: &[u8]) -> Self {
        let onward = onward.iter().map(|hop| (*hop).to_owned()).collect();
        let back = if back.is_empty() { Vec::new() } else { vec![back.to_owned()] };
        Self { onward, back, payload: payload.to_vec() }
    }

    /// The frame with its length in front.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut body = vec![0x84];
        for route in [&self.onward, &self.back] {
            head(&mut body, 4, route.len());
            for hop in route {
                body.extend_from_slice(&[0x82, 0]);
                bytes(&mut body, hop.as_bytes());
            }
        }
        bytes(&mut body, &self.payload);
        body.extend_from_slice(b"\x62{}");
        [&(u32::try_from(body.len()).expect("a frame is short")).to_be_bytes()[..], &body].concat()
    }

    /// Reads the body of a frame.
    #[must_use]
    pub fn decode(body: &[u8]) -> Option<Self> {
        let mut rest = Cbor(body);
        rest.head(4)?;
        let (onward, back) = (rest.route()?, rest.route()?);
        Some(Self { onward, back, payload: rest.bytes()?.to_vec() })
    }

    /// Reads what one direction of a connection carried, up to the last whole frame.
    ///
    /// # Panics
    /// When it is not the version byte and frames.
    #[must_use]
    pub fn all(mut stream: &[u8]) -> Vec<Self> {
        assert_eq!(stream.split_off_first(), Some(&1), "the version");
        let mut frames = Vec::new();
        while let Some((length, rest)) = stream.split_first_chunk() {
            let Some((body, rest)) = rest.split_at_checked(u32::from_be_bytes(*length) as usize) else { break };
            frames.push(Self::decode(body).expect("a frame"));
            stream = rest;
        }
        frames
    }
}

/// Writes the head of a CBOR item in its shortest form.
pub fn head(out: &mut Vec<u8>, major: u8, value: usize) {
    let major = major << 5;
    match value {
        0..24 => out.push(major | value as u8),
        24..0x100 => out.extend_from_slice(&[major | 24, value as u8]),
        0x100..0x1_0000 => {
            out.push(major | 25);
            out.extend_from_slice(&(value as u16).to_be_bytes());
        }
        _ => {
            out.push(major | 26);
            out.extend_from_slice(&(value as u32).to_be_bytes());
        }
    }
}

/// Writes a CBOR byte string.
pub fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    head(out, 2, value.len());
    out.extend_from_slice(value);
}

/// What is left to read.
struct Cbor<'a>(&'a [u8]);

impl<'a> Cbor<'a> {
    fn head(&mut self, major: u8) -> Option<usize> {
        let first = self.0.split_off_first()?;
        if first >> 5 != major {
            return None;
        }
        let more = match first & 31 {
            value @ 0..24 => return Some(value.into()),
            24 => 1,
            25 => 2,
            26 => 4,
            _ => return None,
        };
        let value = self.0.split_off(..more)?;
        Some(value.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.head(2)?;
        self.0.split_off(..length)
    }

    fn route(&mut self) -> Option<Vec<String>> {
        let hops = self.head(4)?;
        (0..hops)
            .map(|_| {
                self.head(4)?;
                self.head(0)?;
                String::from_utf8(self.bytes()?.to_vec()).ok()
            })
            .collect()
    }
}

/// A connection to a node that says what it likes.
pub struct Line(TcpStream);

impl Line {
    /// Connects and says the version.
    ///
    /// # Panics
    /// When nobody listens.
    #[must_use]
    pub fn connect(address: &str) -> Self {
        let line = Self::silent(address);
        line.send(&[1]).expect("it is connected");
        line
    }

    /// Connects and says nothing.
    ///
    /// # Panics
    /// When nobody listens.
    #[must_use]
    pub fn silent(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("somebody listens");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(crate::TIMEOUT)).expect("a socket");
        Self(stream)
    }

    /// Sends raw bytes.
    ///
    /// # Errors
    /// The connection has ended.
    pub fn send(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.0).write_all(bytes)
    }

    /// Sends a frame.
    ///
    /// # Panics
    /// When the connection has ended.
    pub fn say(&self, frame: &Frame) {
        self.send(&frame.encode()).expect("it is connected");
    }

    /// Reads the version byte, which comes before the first frame.
    ///
    /// # Panics
    /// When there is none.
    pub fn version(&self) {
        let mut version = [0];
        (&self.0).read_exact(&mut version).expect("a version");
        assert_eq!(version, [1]);
    }

    /// Waits for a frame.
    ///
    /// # Errors
    /// The connection has ended, or nothing came in time.
    pub fn hear(&self) -> io::Result<Frame> {
        let mut length = [0; 4];
        (&self.0).read_exact(&mut length)?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        (&self.0).read_exact(&mut body)?;
        Frame::decode(&body).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Waits for the other side to end the connection.
    ///
    /// # Panics
    /// When it does not.
    pub fn ends(&self) {
        let mut rest = Vec::new();
        match (&self.0).read_to_end(&mut rest) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                panic!("the connection stays open")
            }
            _ => {}
        }
    }
}
