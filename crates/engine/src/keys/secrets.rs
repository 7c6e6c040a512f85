//! Named secrets in memory, and their encoding inside the encrypted file.
//!
//! ```text
//! CBOR: [1, { name: bytes, … }]      1 is the version of the encoding
//! ```

use std::collections::BTreeMap;

use minicbor::{Decoder, Encoder, encode::write::Cursor};
use zeroize::Zeroizing;

const VERSION: u32 = 1;

/// Space for CBOR headers, in bytes: at most ten for array, version and map; at most nine each for a name and a secret.
const HEADER_BYTES: usize = 18;

/// Secrets by name, wiped from memory when dropped.
#[derive(Clone, Default)]
pub(super) struct Secrets(BTreeMap<String, Zeroizing<Vec<u8>>>);

/// The bytes are not a set of secrets of a version we know.
#[derive(Debug, PartialEq)]
pub(super) struct NotSecrets;

impl Secrets {
    pub(super) fn get(&self, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        self.0.get(name).cloned()
    }

    pub(super) fn put(&mut self, name: &str, secret: Zeroizing<Vec<u8>>) {
        self.0.insert(name.to_owned(), secret);
    }

    /// Removes a secret; whether there was one.
    pub(super) fn delete(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let contents: usize = self.0.iter().map(|(name, secret)| name.len() + secret.len() + HEADER_BYTES).sum();
        // The buffer never grows: a growing one would leave copies of the secrets in freed memory.
        let mut buffer = Zeroizing::new(vec![0; HEADER_BYTES + contents]);
        let mut encoder = Encoder::new(Cursor::new(buffer.as_mut_slice()));
        let written: Result<(), minicbor::encode::Error<_>> = (|| {
            encoder.array(2)?.u32(VERSION)?.map(self.0.len() as u64)?;
            for (name, secret) in &self.0 {
                encoder.str(name)?.bytes(secret)?;
            }
            Ok(())
        })();
        written.expect("the buffer is large enough for every header");
        let length = encoder.into_writer().position();
        buffer.truncate(length);
        buffer
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, NotSecrets> {
        let mut decoder = Decoder::new(bytes);
        let read = |decoder: &mut Decoder<'_>| -> Result<Option<Self>, minicbor::decode::Error> {
            if decoder.array()? != Some(2) || decoder.u32()? != VERSION {
                return Ok(None);
            }
            let Some(length) = decoder.map()? else {
                return Ok(None);
            };
            let mut secrets = Self::default();
            for _ in 0..length {
                let name = decoder.str()?;
                secrets.put(name, Zeroizing::new(decoder.bytes()?.to_vec()));
            }
            Ok(Some(secrets))
        };
        match read(&mut decoder) {
            Ok(Some(secrets)) if decoder.position() == bytes.len() => Ok(secrets),
            _ => Err(NotSecrets),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Secrets {
        let mut secrets = Secrets::default();
        secrets.put("a", Zeroizing::new(vec![0xff; 3]));
        secrets.put("b", Zeroizing::new(Vec::new()));
        secrets
    }

    #[test]
    fn the_form_on_disk_does_not_drift() {
        assert_eq!(hex::encode(two().encode()), "8201a2616143ffffff616240");
    }

    #[test]
    fn round_trip() {
        let mut secrets = two();
        secrets.put(&"n".repeat(300), Zeroizing::new(vec![1; 70_000]));
        let back = Secrets::decode(&secrets.encode()).unwrap();
        assert_eq!(back.0, secrets.0);
        assert_eq!(Secrets::decode(&Secrets::default().encode()).unwrap().0.len(), 0);
    }

    #[test]
    fn anything_else_is_refused() {
        let bytes = two().encode();
        for length in 0..bytes.len() {
            assert!(Secrets::decode(&bytes[..length]).is_err(), "{length}");
        }
        let mut longer = bytes.to_vec();
        longer.push(0);
        assert!(Secrets::decode(&longer).is_err());
        let mut newer = bytes.to_vec();
        newer[1] = 2;
        assert!(Secrets::decode(&newer).is_err());
        assert!(Secrets::decode(&hex::decode("8201bbffffffffffffffff").unwrap()).is_err());
    }
}
