//! 32 bytes as hexadecimal text, for `#[serde(with = …)]`.

use serde::{Deserializer, Serializer, de::Error};

pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    super::hex_bytes::serialize(bytes, serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
    let bytes = super::hex_bytes::deserialize(deserializer)?;
    bytes.try_into().map_err(|_| D::Error::custom("32 bytes are expected"))
}
