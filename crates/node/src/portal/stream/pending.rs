//! Bytes that came from the other end and wait for the socket.

/// A pending buffer larger than this is given back when it is empty.
const KEEP_CAPACITY: usize = 16 * 1024;

/// Bytes that wait for the socket.
#[derive(Default)]
pub(super) struct Pending {
    bytes: Vec<u8>,
    start: usize,
}

impl Pending {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub(super) fn take(&mut self, count: usize) {
        self.start += count;
        if self.start == self.bytes.len() {
            self.start = 0;
            self.bytes.clear();
            if self.bytes.capacity() > KEEP_CAPACITY {
                self.bytes = Vec::new();
            }
        } else if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }
}
