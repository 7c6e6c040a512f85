use std::{collections::BTreeSet, fmt, sync::Arc};

use super::{Attributes, Identifier, Timestamp, VerifiedPeer};

type Attested = dyn Fn(&Identifier, Option<&Attributes>) -> bool + Send + Sync;

/// Access control by identity: who may be at the other end of a secure channel, use an outlet, have a relay.
#[derive(Clone)]
pub enum TrustPolicy {
    /// Every identity that proves itself; access control behind must decide what it may do.
    Anyone,
    /// Only these.
    Only(BTreeSet<Identifier>),
    /// The identities that the function accepts; it runs during handshakes and must not block.
    Custom(Arc<dyn Fn(&Identifier) -> bool + Send + Sync>),
    /// The identities that the function accepts, given the attributes that a trusted authority attests now, if any does. It must
    /// not block.
    Attested(Arc<Attested>),
}

impl TrustPolicy {
    /// Accepts these identities only.
    pub fn only(identifiers: impl IntoIterator<Item = Identifier>) -> Self {
        Self::Only(identifiers.into_iter().collect())
    }

    /// Whether the policy accepts the identity, about which no authority attests anything.
    pub fn accepts(&self, identifier: &Identifier) -> bool {
        self.accepts_with(identifier, None)
    }

    /// Whether the policy accepts the identity with these attributes.
    pub fn accepts_with(&self, identifier: &Identifier, attributes: Option<&Attributes>) -> bool {
        match self {
            Self::Anyone => true,
            Self::Only(identifiers) => identifiers.contains(identifier),
            Self::Custom(accepts) => accepts(identifier),
            Self::Attested(accepts) => accepts(identifier, attributes),
        }
    }

    /// Whether what authorities say can make a difference.
    pub(super) fn wants_attributes(&self) -> bool {
        matches!(self, Self::Attested(_))
    }

    /// Whether the policy accepts a peer that proved who it is, with what its valid credentials say.
    pub fn accepts_peer(&self, peer: &VerifiedPeer, now: Timestamp) -> bool {
        self.accepts_with(&peer.identifier, peer.attributes(now))
    }
}

impl fmt::Debug for TrustPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("Anyone"),
            Self::Only(identifiers) => f.debug_tuple("Only").field(identifiers).finish(),
            Self::Custom(_) => f.write_str("Custom(..)"),
            Self::Attested(_) => f.write_str("Attested(..)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_accepts_whom_it_says() {
        let (one, two) = (Identifier::from_bytes([1; 32]), Identifier::from_bytes([2; 32]));
        assert!(TrustPolicy::Anyone.accepts(&one));
        let only = TrustPolicy::only([one]);
        assert!(only.accepts(&one) && !only.accepts(&two));
        assert!(!TrustPolicy::only([]).accepts(&one));
        let custom = TrustPolicy::Custom(Arc::new(move |who| *who == two));
        assert!(!custom.accepts(&one) && custom.accepts(&two));
        assert_eq!(format!("{custom:?}"), "Custom(..)");
    }
}
