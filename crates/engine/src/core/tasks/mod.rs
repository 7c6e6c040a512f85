//! What takes time and is retried: expiry, mail, calls to other engines.

pub(super) mod expiry;
pub(super) mod mail;
pub(super) mod outbound_calls;
