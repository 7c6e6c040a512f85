//! Encoding and decoding of what two engines exchange: CBOR arrays, with every length bounded before it is used.
//!
//! Forward compatibility: fields that follow the known ones are skipped, so that later versions can append some.

use crate::api::{ServiceKind, UnixMillis};
use crate::peer::PeerAddress;
use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use std::convert::Infallible;

/// Most fields that a later version may have appended to a list: room for many releases, and a bound on hostile ones.
const MAX_LATER_FIELDS: u64 = 16;
/// Longest `host:port`, in bytes: a DNS name and a port.
pub(crate) const MAX_HOST_PORT: usize = 255 + 6;
/// Longest name of a relay, in bytes.
const MAX_RELAY: usize = postern_node::relay::MAX_NAME;
/// Most addresses of one person: eight hubs, and as many of the computer itself.
pub(crate) const MAX_ADDRESSES: usize = 16;

/// The bytes are not a well-formed message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

impl From<minicbor::decode::Error> for Malformed {
    fn from(_: minicbor::decode::Error) -> Self {
        Self
    }
}

/// A value with an encoding.
pub(crate) trait Wire: Sized {
    fn write(&self, out: &mut Writer);
    fn read(input: &mut Reader<'_>) -> Result<Self, Malformed>;
}

/// Encodes fields one after the other.
pub(crate) struct Writer(Encoder<Vec<u8>>);

/// Writing into a `Vec` cannot fail.
fn done<T>(written: Result<T, minicbor::encode::Error<Infallible>>) {
    debug_assert!(written.is_ok());
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self(Encoder::new(Vec::new()))
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0.into_writer()
    }

    /// Begins a list of this many items.
    pub(crate) fn list(&mut self, items: usize) -> &mut Self {
        done(self.0.array(items as u64).map(drop));
        self
    }

    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        done(self.0.u64(number).map(drop));
        self
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        done(self.0.str(text).map(drop));
        self
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        done(self.0.bytes(bytes).map(drop));
        self
    }

    pub(crate) fn put(&mut self, it: &impl Wire) -> &mut Self {
        it.write(self);
        self
    }

    pub(crate) fn optional<T>(
        &mut self,
        it: Option<T>,
        write: impl for<'w> FnOnce(&'w mut Self, T) -> &'w mut Self,
    ) -> &mut Self {
        let Some(it) = it else {
            done(self.0.null().map(drop));
            return self;
        };
        write(self, it)
    }

    pub(crate) fn all<T>(
        &mut self,
        items: &[T],
        write: impl for<'w> Fn(&'w mut Self, &T) -> &'w mut Self,
    ) -> &mut Self {
        self.list(items.len());
        for item in items {
            write(self, item);
        }
        self
    }
}

/// Decodes fields one after the other.
pub(crate) struct Reader<'a>(Decoder<'a>);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(Decoder::new(bytes))
    }

    /// Whether everything was read.
    pub(crate) fn is_at_end(&self) -> bool {
        self.0.position() == self.0.input().len()
    }

    /// Reads a list of at least `known` fields with `read`, and skips those that a later version has appended.
    pub(crate) fn fields<T>(
        &mut self,
        known: u64,
        read: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        let there = self.0.array()?.filter(|there| (known..=known + MAX_LATER_FIELDS).contains(there));
        let there = there.ok_or(Malformed)?;
        let it = read(self)?;
        for _ in known..there {
            self.0.skip()?;
        }
        Ok(it)
    }

    /// Begins a list of fields whose first one decides how many there are; returns how many follow.
    pub(crate) fn begin(&mut self) -> Result<u64, Malformed> {
        self.0.array()?.filter(|fields| (1..=2 * MAX_LATER_FIELDS).contains(fields)).ok_or(Malformed)
    }

    pub(crate) fn skip(&mut self, fields: u64) -> Result<(), Malformed> {
        for _ in 0..fields {
            self.0.skip()?;
        }
        Ok(())
    }

    pub(crate) fn number(&mut self) -> Result<u64, Malformed> {
        Ok(self.0.u64()?)
    }

    pub(crate) fn port(&mut self) -> Result<u16, Malformed> {
        Ok(self.0.u16()?)
    }

    /// A text for machines, such as an address or a path. Control characters make it malformed.
    pub(crate) fn exact(&mut self, max_bytes: usize) -> Result<String, Malformed> {
        let text = self.0.str()?;
        if text.len() > max_bytes || text.chars().any(char::is_control) {
            return Err(Malformed);
        }
        Ok(text.to_owned())
    }

    /// A text for people, without characters that would change how the text around it is shown.
    pub(crate) fn shown(&mut self, max_chars: usize) -> Result<String, Malformed> {
        let text = self.0.str()?;
        if text.chars().count() > max_chars {
            return Err(Malformed);
        }
        Ok(text.chars().filter(|it| !is_disruptive(*it)).collect())
    }

    pub(crate) fn bytes(&mut self, max: usize) -> Result<Vec<u8>, Malformed> {
        let bytes = self.0.bytes()?;
        if bytes.len() > max { Err(Malformed) } else { Ok(bytes.to_vec()) }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.0.bytes()?.try_into().map_err(|_| Malformed)
    }

    pub(crate) fn get<T: Wire>(&mut self) -> Result<T, Malformed> {
        T::read(self)
    }

    pub(crate) fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        if self.0.datatype()? == Type::Null {
            self.0.null()?;
            return Ok(None);
        }
        read(self).map(Some)
    }

    pub(crate) fn all<T>(
        &mut self,
        max: usize,
        read: impl Fn(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let items = self.0.array()?.filter(|items| *items <= max as u64).ok_or(Malformed)?;
        (0..items).map(|_| read(self)).collect()
    }
}

/// Control characters, and those that change the direction of the text around them.
pub(crate) fn is_disruptive(it: char) -> bool {
    it.is_control()
        || matches!(it, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

impl Wire for ServiceKind {
    fn write(&self, out: &mut Writer) {
        out.number(match self {
            Self::Tcp => 0,
            Self::Http => 1,
            Self::Https => 2,
        });
    }

    /// A kind that only a later version knows is read as TCP.
    fn read(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match input.number()? {
            1 => Self::Http,
            2 => Self::Https,
            _ => Self::Tcp,
        })
    }
}

impl Wire for UnixMillis {
    fn write(&self, out: &mut Writer) {
        out.number(self.0);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        input.number().map(Self)
    }
}

impl Wire for PeerAddress {
    fn write(&self, out: &mut Writer) {
        match self {
            Self::Direct { address } => out.list(2).number(0).text(address),
            Self::Hub { address, relay } => out.list(3).number(1).text(address).text(relay),
        };
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let fields = input.begin()?;
        match (input.number()?, fields) {
            (0, 2..) => {
                let address = input.exact(MAX_HOST_PORT)?;
                input.skip(fields - 2)?;
                Ok(Self::Direct { address })
            }
            (1, 3..) => {
                let (address, relay) = (input.exact(MAX_HOST_PORT)?, input.exact(MAX_RELAY)?);
                input.skip(fields - 3)?;
                Ok(Self::Hub { address, relay })
            }
            _ => Err(Malformed),
        }
    }
}
