//! Secure channels.

pub mod crypto;
pub mod handshake;
pub mod record;
