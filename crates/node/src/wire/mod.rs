//! The outermost encodings: CBOR heads, BARE values and TCP frames (`docs/wire.md` §1–§3).
//!
//! Nothing here knows what a message means. Everything is bounded before it is read.

pub(crate) mod bare;
pub(crate) mod cbor;
pub(crate) mod frame;
