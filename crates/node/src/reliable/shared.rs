//! What all peers of one delivery share.

use super::event::PeerHandle;
use super::handler::Handler;
use super::state::{DeliveryNotice, DeliveryOptions};
use super::storage_key::StorageKey;
use super::store::{DeliveryStore, StoreError};
use crate::backoff::Backoff;
use crate::core::Core;
use crate::identity::Identifier;
use crate::secure_channel::ChannelKey;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// Notices that are kept for a program that is slow to read them; the oldest are dropped.
const NOTICES_MAX: usize = 256;

/// What all peers share.
pub(super) struct Shared<S, H> {
    pub(super) core: Arc<Core>,
    pub(super) store: S,
    pub(super) key: StorageKey,
    pub(super) channel_key: Arc<ChannelKey>,
    pub(super) handler: H,
    pub(super) options: DeliveryOptions,
    pub(super) notices: broadcast::Sender<DeliveryNotice>,
    pub(super) stop: CancellationToken,
    pub(super) peers: Mutex<HashMap<Identifier, PeerHandle>>,
}

impl<S: DeliveryStore, H: Handler<S>> Shared<S, H> {
    pub(super) fn new(
        core: &Arc<Core>,
        (store, key): (S, StorageKey),
        channel_key: Arc<ChannelKey>,
        handler: H,
        options: DeliveryOptions,
    ) -> Self {
        let (notices, _) = broadcast::channel(NOTICES_MAX);
        let (core, stop) = (core.clone(), core.stopping.child_token());
        Self { core, store, key, channel_key, handler, options, notices, stop, peers: Mutex::default() }
    }

    /// Between calls of a handler that fails, and between attempts to write what it has done.
    pub(super) fn handler_backoff(&self) -> Backoff {
        Backoff::new(self.options.first_handler_retry, self.options.longest_handler_retry)
    }

    pub(super) fn notice(&self, notice: DeliveryNotice) {
        tracing::debug!(?notice, "a notice of the delivery");
        let _ = self.notices.send(notice);
    }

    pub(super) fn store_failed(&self, peer: Identifier, error: &StoreError) {
        self.notice(DeliveryNotice::StoreFailed { peer, error: error.to_string().into() });
    }
}
