//! The buffer a connection is read into, and the frames in it.

use crate::wire::frame::LENGTH;
use std::io::{self, Read};
use std::ops::Range;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Bytes of a read while there is little traffic: one page.
const MIN_ROOM: usize = 4 * 1024;
/// Bytes of a read while there is much: as large as a portal message.
const MAX_ROOM: usize = 256 * 1024;

/// Reads once, if there is something. `Ok(0)` is the end.
///
/// A read that leaves room has emptied the socket: the runtime then waits for readiness instead of trying a read that would fail.
pub(crate) fn try_read(socket: &TcpStream, room: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    let result = socket.try_io(Interest::READABLE, || {
        read = (&*socket2::SockRef::from(socket)).read(room)?;
        // An edge-triggered poll does not tell again of what comes later.
        match 0 < read && read < room.len() && cfg!(unix) {
            true => Err(io::ErrorKind::WouldBlock.into()),
            false => Ok(()),
        }
    });
    if read > 0 { Ok(read) } else { result.map(|()| 0) }
}

/// Bytes read and not yet delivered. The buffer grows with the traffic and is released when it ends.
#[derive(Default)]
pub(crate) struct FrameBuffer {
    buffer: Vec<u8>,
    filled: Range<usize>,
    /// Bytes that the next read may take.
    room: usize,
}

/// A frame longer than allowed was announced.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {0} bytes was announced, more than allowed")]
pub(crate) struct FrameTooLong(pub(crate) usize);

impl FrameBuffer {
    /// Reads once. `Ok(0)` is the end.
    pub(crate) fn read(&mut self, try_read: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> io::Result<usize> {
        self.make_room();
        let read = try_read(&mut self.buffer[self.filled.end..])?;
        let available = self.buffer.len() - self.filled.end;
        self.filled.end += read;
        self.room = match read {
            _ if read == available => (self.room * 4).min(MAX_ROOM),
            _ if read < self.room / 8 => (self.room / 2).max(MIN_ROOM),
            _ => self.room,
        };
        Ok(read)
    }

    fn make_room(&mut self) {
        self.room = self.room.clamp(MIN_ROOM, MAX_ROOM);
        if self.filled.is_empty() {
            self.filled = 0..0;
        } else if self.filled.start > 0 && self.buffer.len() - self.filled.end < self.room / 2 {
            self.buffer.copy_within(self.filled.clone(), 0);
            self.filled = 0..self.filled.len();
        }
        let wanted = self.filled.end + self.room / 2;
        if self.buffer.len() < wanted {
            self.buffer.resize(self.filled.end + self.room, 0);
        }
    }

    /// Takes the next whole frame, without its length, if it is there.
    pub(crate) fn next(&mut self, max: usize) -> Result<Option<&mut [u8]>, FrameTooLong> {
        let Some((length, rest)) = self.buffer[self.filled.clone()].split_first_chunk::<LENGTH>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length) as usize;
        if length > max {
            return Err(FrameTooLong(length));
        }
        if rest.len() < length {
            return Ok(None);
        }
        let start = self.filled.start + LENGTH;
        self.filled.start = start + length;
        Ok(Some(&mut self.buffer[start..start + length]))
    }

    /// Takes the first byte of the connection, if it is there.
    pub(crate) fn take_byte(&mut self) -> Option<u8> {
        let byte = *self.buffer[self.filled.clone()].first()?;
        self.filled.start += 1;
        Some(byte)
    }

    /// Whether the buffer is larger than an idle connection should hold.
    pub(crate) fn is_large(&self) -> bool {
        self.filled.is_empty() && self.buffer.len() > MIN_ROOM
    }

    /// Bytes of the frame whose rest has not come yet.
    pub(crate) fn held(&self) -> usize {
        self.filled.len()
    }

    /// Gives back the room around what it holds.
    pub(crate) fn shrink(&mut self) {
        if self.buffer.len() > 2 * self.filled.len() + MIN_ROOM {
            *self = Self { buffer: self.buffer[self.filled.clone()].to_vec(), filled: 0..self.filled.len(), room: 0 };
        }
    }

    /// Releases the buffer, if it holds nothing.
    pub(crate) fn release(&mut self) {
        if self.filled.is_empty() {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;
    use tokio::io::AsyncWriteExt;

    fn feed(buffer: &mut FrameBuffer, mut bytes: &[u8], chunk: usize) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        while !bytes.is_empty() {
            let read = buffer.read(|room| {
                let n = bytes.len().min(room.len()).min(chunk);
                room[..n].copy_from_slice(&bytes[..n]);
                Ok(n)
            });
            bytes = &bytes[read.unwrap()..];
            while let Some(frame) = buffer.next(1 << 20).unwrap() {
                frames.push(frame.to_vec());
            }
        }
        frames
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in(sizes in prop::collection::vec(0usize..70_000, 0..20), chunk in 1usize..300_000) {
            let frames: Vec<Vec<u8>> = sizes.iter().enumerate().map(|(i, &n)| vec![i as u8; n]).collect();
            let mut bytes = Vec::new();
            for frame in &frames {
                bytes.extend_from_slice(&(frame.len() as u32).to_be_bytes());
                bytes.extend_from_slice(frame);
            }
            // A chunk of a few bytes would read a megabyte a million times.
            let chunk = chunk.max(bytes.len() / 2000);
            prop_assert_eq!(feed(&mut FrameBuffer::default(), &bytes, chunk), frames);
        }
    }

    #[test]
    fn a_frame_too_long_is_refused_before_it_is_read_and_memory_follows_the_bytes() {
        let mut buffer = FrameBuffer::default();
        buffer
            .read(|room| {
                room[..4].copy_from_slice(&(1u32 << 20).to_be_bytes());
                Ok(4)
            })
            .unwrap();
        assert_eq!(buffer.next((1 << 20) - 1), Err(FrameTooLong(1 << 20)));
        assert_eq!(buffer.next(1 << 20), Ok(None));
        assert!(buffer.buffer.len() <= MIN_ROOM);
    }

    #[test]
    fn room_is_given_back() {
        let mut buffer = FrameBuffer::default();
        let bytes = [&100_000u32.to_be_bytes()[..], &[0; 100_000]].concat();
        assert_eq!(feed(&mut buffer, &bytes, usize::MAX).len(), 1);
        assert!(buffer.is_large());
        buffer.release();
        assert_eq!(buffer.buffer.capacity(), 0);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_read_that_leaves_room_is_the_last_until_more_comes() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut far = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let near = listener.accept().await.unwrap().0;
        let readable = async || tokio::time::timeout(Duration::from_millis(50), near.readable()).await.is_ok();
        let room = &mut [0; 4];
        for (sent, read, more) in [("abc", "abc", false), ("defg", "defg", true), ("hi", "hi", false)] {
            far.write_all(sent.as_bytes()).await.unwrap();
            near.readable().await.unwrap();
            let count = try_read(&near, room).unwrap();
            assert_eq!(&room[..count], read.as_bytes());
            assert_eq!(readable().await, more);
            assert_eq!(try_read(&near, room).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
        drop(far);
        near.readable().await.unwrap();
        assert_eq!(try_read(&near, room).unwrap(), 0);
    }
}
