//! Secure channels.

mod handshake;
mod record;
