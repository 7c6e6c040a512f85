//! Postern's messaging runtime.

pub mod identity;
pub mod secure_channel;
pub mod vault;
