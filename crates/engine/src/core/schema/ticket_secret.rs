//! The secret of a ticket, which is stored sealed and apart from its record.

use std::fmt;
use zeroize::Zeroize;

/// The secret that redeems an invitation. Not shown by `Debug`, not serialized, wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct TicketSecret([u8; 32]);

impl TicketSecret {
    /// Wraps a secret.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// The secret itself.
    pub fn reveal(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether this is the same secret, compared in constant time.
    pub(crate) fn matches(&self, other: &[u8; 32]) -> bool {
        std::hint::black_box(self.0.iter().zip(other).fold(0, |rest, (one, other)| rest | (one ^ other))) == 0
    }
}

impl fmt::Debug for TicketSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketSecret")
    }
}

impl Drop for TicketSecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
