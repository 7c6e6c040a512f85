//! Reliable delivery from and to a [`Node`].

use super::Node;
use crate::identity::Identity;
use crate::reliable::{self, DeliveryError, DeliveryOptions, DeliveryStore, Handler, ReliableDelivery, StorageKey};

impl ReliableDelivery {
    /// Takes up the deliveries that `store` holds, as `identity`. Nothing else may have the store open.
    ///
    /// Next, [`connect`](Self::connect) to a peer or [`accept`](Self::accept) it.
    ///
    /// # Errors
    /// [`DeliveryError::AddressTaken`]: the node has one already. [`DeliveryError::Store`]: the store fails.
    /// [`DeliveryError::Channel`]: the vault refuses to attest a key.
    pub async fn start<S: DeliveryStore>(
        node: &Node,
        identity: &Identity,
        store: S,
        key: StorageKey,
        handler: impl Handler<S>,
    ) -> Result<Self, DeliveryError> {
        Self::start_with(node, identity, (store, key), handler, DeliveryOptions::default()).await
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with<S: DeliveryStore>(
        node: &Node,
        identity: &Identity,
        store: (S, StorageKey),
        handler: impl Handler<S>,
        options: DeliveryOptions,
    ) -> Result<Self, DeliveryError> {
        reliable::start(node.core(), identity, store, handler, options).await
    }
}
