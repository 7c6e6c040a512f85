//! Postern's engine: the application without a face.
//!
//! * [`keys`]: where a person's secrets rest (the desktop's keychain, an encrypted file, or memory).

pub mod keys;
