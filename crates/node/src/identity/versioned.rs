use minicbor::{Decode, Encode};

use super::{Error, cbor};

/// The only version of signed data there is.
const VERSION: u8 = 1;

/// What a signed object says (`docs/wire.md §6.1`).
///
/// The type is under the signature, so no signature over one can be passed off as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DataType {
    Change = 1,
    Attestation = 2,
    Credential = 3,
}

#[derive(Encode, Decode)]
pub(super) struct VersionedData<'b> {
    #[n(0)]
    version: u8,
    #[n(1)]
    data_type: u8,
    #[b(2)]
    #[cbor(with = "minicbor::bytes")]
    data: &'b [u8],
}

/// Encodes what is to be signed.
pub(super) fn encode<T: Encode<()>>(data_type: DataType, content: &T) -> Vec<u8> {
    let data = &cbor::encode(content);
    cbor::encode(&VersionedData { version: VERSION, data_type: data_type as u8, data })
}

/// Decodes what was signed, refusing other types and versions.
pub(super) fn decode<'b, T: Decode<'b, ()>>(
    data_type: DataType,
    what: &'static str,
    signed: &'b [u8],
) -> Result<T, Error> {
    let wrapped: VersionedData<'b> = cbor::decode(what, usize::MAX, signed)?;
    if wrapped.version != VERSION {
        return Err(Error::UnknownVersion(wrapped.version));
    }
    if wrapped.data_type != data_type as u8 {
        let expected = data_type as u8;
        return Err(Error::WrongDataType { expected, found: wrapped.data_type });
    }
    cbor::decode(what, usize::MAX, wrapped.data)
}
