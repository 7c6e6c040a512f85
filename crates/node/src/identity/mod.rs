//! Identities.

mod key;

pub use key::{PublicKey, Signature};
