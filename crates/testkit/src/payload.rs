//! The bytes that tests carry, and what they are compared by.

use std::io::{self, Read, Write};

use aws_lc_rs::digest;

/// Bytes that look random and are always the same: named by length and seed, made as they are read, never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    length: u64,
    seed: u64,
}

impl Payload {
    /// The payload of `length` bytes with seed 0.
    #[must_use]
    pub const fn new(length: u64) -> Self {
        Self { length, seed: 0 }
    }

    /// A different payload of the same length for every `seed`.
    #[must_use]
    pub const fn seeded(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Its length in bytes.
    #[must_use]
    pub const fn length(self) -> u64 {
        self.length
    }

    /// Reads it from the beginning.
    #[must_use]
    pub fn reader(self) -> impl Read + Send {
        Reader { payload: self, position: 0 }
    }

    /// All of it in memory.
    ///
    /// # Panics
    /// When it does not fit there.
    #[must_use]
    pub fn bytes(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.reader().read_to_end(&mut bytes).expect("a payload can be read");
        bytes
    }

    /// Its SHA-256, as `sha256sum` prints it.
    ///
    /// # Panics
    /// Never: reading a payload does not fail.
    #[must_use]
    pub fn sha256(self) -> String {
        let mut hash = Sha256::default();
        io::copy(&mut self.reader(), &mut hash).expect("a payload can be read");
        hash.finish()
    }

    /// The eight bytes at `8 * index`, by the SplitMix64 generator.
    const fn word(self, index: u64) -> [u8; 8] {
        let mut z = self.seed.rotate_left(32) ^ index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_le_bytes()
    }
}

struct Reader {
    payload: Payload,
    position: u64,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.payload.length - self.position;
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let mut rest = &mut buffer[..count];
        while !rest.is_empty() {
            let word = self.payload.word(self.position / 8);
            let skip = usize::from((self.position % 8) as u8);
            let take = rest.len().min(8 - skip);
            let (now, later) = rest.split_at_mut(take);
            now.copy_from_slice(&word[skip..skip + take]);
            self.position += take as u64;
            rest = later;
        }
        Ok(count)
    }
}

/// SHA-256 of what is written to it.
pub struct Sha256(digest::Context);

impl Sha256 {
    /// The digest in lower-case hex, as `sha256sum` prints it.
    #[must_use]
    pub fn finish(self) -> String {
        hex::encode(self.0.finish())
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }
}

impl Write for Sha256 {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// SHA-256 of `bytes` in lower-case hex.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_same_however_it_is_read() {
        let payload = Payload::new(1_000_003);
        let whole = payload.bytes();
        assert_eq!(whole.len(), 1_000_003);
        let mut pieces = Vec::new();
        let mut reader = payload.reader();
        let mut piece = [0; 13];
        while let Ok(count @ 1..) = reader.read(&mut piece) {
            pieces.extend_from_slice(&piece[..count]);
        }
        assert_eq!(pieces, whole);
        assert_eq!(payload.sha256(), sha256(&whole));
    }

    #[test]
    fn differs_by_seed_and_does_not_repeat() {
        let payload = Payload::new(4096);
        assert_ne!(payload.bytes(), payload.seeded(1).bytes());
        let bytes = payload.bytes();
        assert!(bytes.chunks(8).skip(1).all(|chunk| chunk != &bytes[..8]));
    }

    #[test]
    fn hashes_as_sha256sum_does() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(b""), empty);
        assert_eq!(Payload::new(0).sha256(), empty);
    }
}
