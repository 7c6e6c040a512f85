//! Where to connect to, and which of the addresses that a name resolves to may be used.

pub use crate::dialing::AddressFilter;

use std::fmt;

/// A `host:port` to connect to, with a filter of the addresses it resolves to.
///
/// Made of a text alone it has no filter. A program needs one where another party chose the text: the name may resolve to
/// this machine, or to another one in its network.
#[derive(Clone)]
pub struct Target {
    address: String,
    filter: Option<AddressFilter>,
}

impl Target {
    /// A target of whose addresses only those are used that the filter accepts.
    pub fn filtered(address: impl Into<String>, filter: AddressFilter) -> Self {
        Self { address: address.into(), filter: Some(filter) }
    }

    /// As it was given.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn filter(&self) -> Option<&AddressFilter> {
        self.filter.as_ref()
    }
}

impl From<String> for Target {
    fn from(address: String) -> Self {
        Self { address, filter: None }
    }
}

impl From<&String> for Target {
    fn from(address: &String) -> Self {
        address.clone().into()
    }
}

impl From<&str> for Target {
    fn from(address: &str) -> Self {
        address.to_owned().into()
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("address", &self.address).field("is_filtered", &self.filter.is_some()).finish()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}
