//! What the two sides of a secure channel accept and present.

use crate::identity::{CredentialAndPurposeKey, Identifier, TrustPolicy};
use postern_env::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How long a handshake may take, on either side, unless [`SecureChannelOptions::timeout`] says otherwise.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Says whether an identity is one that the owner of the node knows.
pub type IsContact = Arc<dyn Fn(&Identifier) -> bool + Send + Sync>;

/// What to accept and to present when a channel is opened or accepted.
#[derive(Clone)]
pub struct SecureChannelOptions {
    /// Who may be at the other end.
    pub trust: TrustPolicy,
    /// Whose credentials count. Their histories must be known to the node.
    pub authorities: BTreeSet<Identifier>,
    /// What to present about ourselves.
    pub credentials: Vec<CredentialAndPurposeKey>,
    /// How long the initiator waits for the handshake.
    pub timeout: Duration,
    /// Tells a listener who is known. A part of its capacity is then reserved for them, they are never closed to make room
    /// for others, and channels of others that do nothing end after [`IDLE_TIMEOUT`](super::IDLE_TIMEOUT). It must not
    /// block. Without it nobody is known, and nothing ends for being idle.
    pub contacts: Option<IsContact>,
}

impl SecureChannelOptions {
    /// Every identity is accepted at the other end; access control behind decides what it may do.
    pub fn trust_anyone() -> Self {
        Self::trust(TrustPolicy::Anyone)
    }

    /// Only these are accepted at the other end.
    pub fn trust_only(identifiers: impl IntoIterator<Item = Identifier>) -> Self {
        Self::trust(TrustPolicy::only(identifiers))
    }

    /// Those are accepted that the policy accepts.
    pub fn trust(trust: TrustPolicy) -> Self {
        Self {
            trust,
            authorities: BTreeSet::new(),
            credentials: Vec::new(),
            timeout: HANDSHAKE_TIMEOUT,
            contacts: None,
        }
    }
}
