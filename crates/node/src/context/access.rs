//! Access control of one context: from whom it takes messages, and to whom it may send them.

use crate::core::Core;
use crate::identity::{Timestamp, TrustPolicy, VerifiedPeer};
use crate::local_message::OwnedMessage;
use crate::route::Route;
use crate::undeliverable::Undeliverable;
use std::sync::Arc;

/// What limits a context beside [`Node::expose`](crate::Node::expose). `None` limits nothing.
#[derive(Clone, Default)]
pub(crate) struct AccessPolicies {
    /// Who may be the sender of a message from outside this node.
    pub(crate) incoming: Option<TrustPolicy>,
    /// Who may be at the other end of the first channel of a route.
    pub(crate) outgoing: Option<TrustPolicy>,
}

impl AccessPolicies {
    /// The same for an address that takes answers.
    pub(super) fn only_outgoing(&self) -> Self {
        Self { incoming: None, outgoing: self.outgoing.clone() }
    }

    /// Messages of this node's own workers always pass.
    pub(super) fn check_incoming(&self, message: &OwnedMessage) -> Result<(), Undeliverable> {
        match (&self.incoming, &message.source) {
            (None, _) | (_, None) => Ok(()),
            (Some(policy), Some(source)) => check(policy, source.peer.as_ref()),
        }
    }

    /// Routes that stay in this node always pass.
    pub(super) fn check_outgoing(&self, core: &Core, onward: &Route) -> Result<(), Undeliverable> {
        let Some(policy) = &self.outgoing else { return Ok(()) };
        match onward.as_ref().iter().find_map(|hop| core.router.source_of(hop)) {
            None => Ok(()),
            Some(source) => check(policy, source.peer.as_ref()),
        }
    }
}

/// Nobody is accepted who has not proven an identity.
fn check(policy: &TrustPolicy, peer: Option<&Arc<VerifiedPeer>>) -> Result<(), Undeliverable> {
    let accepted = peer.is_some_and(|peer| policy.accepts_peer(peer, Timestamp::now()));
    if accepted { Ok(()) } else { Err(Undeliverable::Denied) }
}
