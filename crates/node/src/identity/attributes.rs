use std::{collections::BTreeMap, fmt};

use minicbor::{
    Decode, Decoder, Encode, Encoder,
    bytes::{ByteSlice, ByteVec},
    decode, encode,
};

/// The most attributes a credential may have.
pub const ATTRIBUTES_MAX: usize = 64;

/// What an authority says about a subject: byte strings by name, and the number of the schema
/// they follow (`docs/wire.md §6.5`).
#[derive(Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Attributes {
    #[n(0)]
    schema: u64,
    #[n(1)]
    #[cbor(encode_with = "encode_map", decode_with = "decode_map")]
    values: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Attributes {
    /// No attributes, of this schema; projects use schema 1.
    pub fn new(schema: u64) -> Self {
        Self { schema, values: BTreeMap::new() }
    }

    /// Adds an attribute, replacing one of the same name.
    #[must_use]
    pub fn with(mut self, name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.values.insert(name.into(), value.into());
        self
    }

    /// The number of the schema.
    pub fn schema(&self) -> u64 {
        self.schema
    }

    /// The value of the attribute of that name.
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        self.values.get(name.as_ref()).map(Vec::as_slice)
    }

    /// Names and values in bytewise order of the names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.values.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }
}

/// Names only: values may be personal.
impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.values.keys().map(|name| String::from_utf8_lossy(name));
        f.debug_list().entries(names).finish()
    }
}

fn encode_map<C, W: encode::Write>(
    values: &BTreeMap<Vec<u8>, Vec<u8>>,
    e: &mut Encoder<W>,
    _: &mut C,
) -> Result<(), encode::Error<W::Error>> {
    e.map(values.len() as u64)?;
    for (name, value) in values {
        e.bytes(name)?.bytes(value)?;
    }
    Ok(())
}

fn decode_map<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, decode::Error> {
    let at = d.position();
    let mut values = BTreeMap::new();
    for entry in d.map_iter::<&ByteSlice, ByteVec>()? {
        let (name, value) = entry?;
        if values.len() == ATTRIBUTES_MAX {
            return Err(decode::Error::message("too many attributes").at(at));
        }
        if values.insert(name.to_vec(), value.into()).is_some() {
            return Err(decode::Error::message("attribute given twice").at(at));
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::cbor;

    #[test]
    fn attributes_are_encoded_in_bytewise_order() {
        let attributes = Attributes::new(1).with("key", "v").with("a-longer", "").with("key", "w");
        let encoded = cbor::encode(&attributes);
        assert_eq!(hex::encode(&encoded), "8201a248612d6c6f6e67657240436b65794177");
        assert_eq!(minicbor::decode::<Attributes>(&encoded).unwrap(), attributes);
        assert_eq!(attributes.iter().len(), 2);
    }

    #[test]
    fn attributes_are_bounded_and_unique() {
        let entries = |count: u8| (0..count).map(|n| vec![0x41, n, 0x40]).collect::<Vec<_>>().concat();
        let many = |count| [&[0x82, 0x01, 0xb8, count], &entries(count)[..]].concat();
        assert!(minicbor::decode::<Attributes>(&many(64)).is_ok());
        assert!(minicbor::decode::<Attributes>(&many(65)).is_err());
        let twice = [0x82, 0x01, 0xa2, 0x41, 0x61, 0x40, 0x41, 0x61, 0x40];
        assert!(minicbor::decode::<Attributes>(&twice).is_err());
        let endless = [0x82, 0x01, 0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x40, 0x40];
        assert!(minicbor::decode::<Attributes>(&endless).is_err());
    }
}
