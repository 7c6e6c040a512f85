//! The Noise XX handshake.
