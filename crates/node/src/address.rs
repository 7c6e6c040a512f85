//! Where a message goes next: an [`Address`] names a worker, or whatever else takes messages, in a node.

use crate::wire::cbor;
use bytes::Bytes;
use postern_env::random;
use rand::Rng;
use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// Longest value of an address, in bytes.
pub const MAX_ADDRESS_LEN: usize = 1024;

/// An address: a transport type and opaque bytes, normally text (`docs/wire.md` §2).
///
/// Type 0 is local to a node; it is what every hop on the wire has. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// The canonical CBOR, which is also what routes are made of.
    encoded: Bytes,
}

impl Address {
    /// The transport type of local addresses.
    pub const LOCAL: u8 = 0;

    /// The transport type of TCP addresses: `host:port` of a node that can be connected to.
    pub const TCP: u8 = 1;

    /// A transport hop: the node that listens at `host:port`. In a route of one's own, [`Context::send`](crate::Context::send) and
    /// [`Node::create_secure_channel`](crate::Node::create_secure_channel) connect there, once for all routes with the same hop; in a
    /// route that came with a message it is refused. Nothing is [exposed](crate::Node::expose) to such a connection but the address
    /// that [`Context::send_and_receive`](crate::Context::send_and_receive) waits at: for more, connect with
    /// [`Node::tcp_connect`](crate::Node::tcp_connect).
    ///
    /// ```
    /// use postern_node::{Address, route};
    /// assert_eq!(route![Address::tcp("hub.example:4000"), "echoer"].to_string(), "1#hub.example:4000 => echoer");
    /// assert_eq!(route![(Address::TCP, "hub.example:4000"), "echoer"].len(), 2);
    /// ```
    pub fn tcp(host_and_port: impl AsRef<str>) -> Self {
        Self::new(Self::TCP, host_and_port.as_ref())
    }

    /// An address of any transport type.
    ///
    /// A value longer than [`MAX_ADDRESS_LEN`] is cut there.
    pub fn new(kind: u8, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        let value = &value[..value.len().min(MAX_ADDRESS_LEN)];
        let mut encoded = Vec::with_capacity(value.len() + 6);
        cbor::push_head(&mut encoded, cbor::ARRAY, 2);
        cbor::push_head(&mut encoded, cbor::UINT, usize::from(kind));
        cbor::push_head(&mut encoded, cbor::BYTES, value.len());
        encoded.extend_from_slice(value);
        Self { encoded: encoded.into() }
    }

    /// A fresh local address of 128 random bits, written as 32 hexadecimal digits.
    pub fn random() -> Self {
        Self::new(Self::LOCAL, hex::encode(random::rng().random::<[u8; 16]>()))
    }

    /// The transport type.
    pub fn kind(&self) -> u8 {
        AddressRef(&self.encoded).parts().0
    }

    /// The opaque bytes.
    pub fn value(&self) -> &[u8] {
        AddressRef(&self.encoded).parts().1
    }

    /// The bytes as text, if they are text.
    pub fn as_str(&self) -> Option<&str> {
        str::from_utf8(self.value()).ok()
    }

    pub(crate) fn as_ref(&self) -> AddressRef<'_> {
        AddressRef(&self.encoded)
    }
}

/// The text is taken as it is, `#` and all, as a local address.
impl From<&str> for Address {
    fn from(value: &str) -> Self {
        Self::new(Self::LOCAL, value)
    }
}

/// A transport type and a value.
impl From<(u8, &str)> for Address {
    fn from((kind, value): (u8, &str)) -> Self {
        Self::new(kind, value)
    }
}

impl From<String> for Address {
    fn from(value: String) -> Self {
        Self::from(value.as_str())
    }
}

impl From<&Address> for Address {
    fn from(value: &Address) -> Self {
        value.clone()
    }
}

/// The text of an address was not `value` or `type#value`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address: write `name`, or `type#name` with a number for the type")]
pub struct InvalidAddress(String);

/// Reads `value` (type 0) or `type#value`.
impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let invalid = || InvalidAddress(text.to_owned());
        match text.split_once('#') {
            _ if text.len() > MAX_ADDRESS_LEN => Err(invalid()),
            None => Ok(Self::from(text)),
            Some((_, value)) if value.contains('#') => Err(invalid()),
            Some((kind, value)) => Ok(Self::new(kind.parse().map_err(|_| invalid())?, value)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_ref())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_ref())
    }
}

/// Lets the router look an address up by the bytes it has on the wire.
impl Borrow<[u8]> for Address {
    fn borrow(&self) -> &[u8] {
        &self.encoded
    }
}

/// An address inside an encoded route.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct AddressRef<'a>(&'a [u8]);

impl<'a> AddressRef<'a> {
    /// Reads one address in canonical form off the front of `input`.
    pub(crate) fn read(input: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (2, rest) = cbor::read_head(input, cbor::ARRAY)? else { return None };
        let (0..=255, rest) = cbor::read_head(rest, cbor::UINT)? else { return None };
        let (value, rest) = cbor::read_bytes(rest)?;
        (value.len() <= MAX_ADDRESS_LEN).then(|| (Self(&input[..input.len() - rest.len()]), rest))
    }

    /// The canonical CBOR.
    pub(crate) fn encoded(self) -> &'a [u8] {
        self.0
    }

    /// Type and value.
    pub(crate) fn parts(self) -> (u8, &'a [u8]) {
        let kind = cbor::read_head(&self.0[1..], cbor::UINT);
        kind.and_then(|(kind, rest)| Some((kind as u8, cbor::read_bytes(rest)?.0))).unwrap_or_default()
    }
}

impl From<AddressRef<'_>> for Address {
    fn from(address: AddressRef<'_>) -> Self {
        Self { encoded: Bytes::copy_from_slice(address.0) }
    }
}

impl fmt::Display for AddressRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, value) = self.parts();
        if kind != Address::LOCAL {
            write!(f, "{kind}#")?;
        }
        write!(f, "{}", value.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn snapshot() {
        assert_eq!(hex::encode(Address::from("echoer").encoded), "8200466563686f6572");
        assert_eq!(hex::encode(Address::new(200, [7; 30]).encoded), format!("8218c8581e{}", "07".repeat(30)));
    }

    #[test]
    fn text_forms() {
        assert_eq!("echoer".parse(), Ok(Address::from("echoer")));
        assert_eq!("1#host:4000".parse(), Ok(Address::new(1, "host:4000")));
        assert_eq!(Address::new(1, "host:4000").to_string(), "1#host:4000");
        for wrong in ["a#b", "1#b#c", "#", "256#x", &"x".repeat(MAX_ADDRESS_LEN + 1)] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
        assert_eq!(Address::from("a#b#c").value(), b"a#b#c");
    }

    #[test]
    fn random_addresses_are_32_hex_digits() {
        let address = Address::random();
        assert_eq!((address.kind(), address.value().len()), (0, 32));
        assert_ne!(address, Address::random());
    }

    proptest! {
        #[test]
        fn round_trip(kind: u8, value in prop::collection::vec(any::<u8>(), 0..300), rest: Vec<u8>) {
            let address = Address::new(kind, &value);
            let mut wire = address.encoded.to_vec();
            wire.extend_from_slice(&rest);
            let (read, left) = AddressRef::read(&wire).unwrap();
            prop_assert_eq!(Address::from(read), address.clone());
            prop_assert_eq!(left, &rest[..]);
            prop_assert_eq!((address.kind(), address.value()), (kind, &value[..]));
        }

        #[test]
        fn hostile_input_is_only_refused(data: Vec<u8>) {
            let _ = AddressRef::read(&data);
        }
    }
}
