//! What a program does with the messages that arrive: a [`Handler`], called with a [`Received`] message.

use super::error::DeliveryError;
use super::message_id::MessageId;
use super::storage_key::StorageKey;
use super::store::{BODY_SIZE_MAX, DeliveryStore, Draft, StoreError};
use crate::identity::Identifier;
use crate::worker::WorkerError;
use bytes::Bytes;

/// Handles the messages that arrive, those of one sender one at a time and in order.
///
/// Every sender has a clone of its own. When [`handle`](Self::handle) returns without an error, the message is marked as handled,
/// and the sender may forget it. After an error it is called again with the same message, with exponential backoff; later
/// messages of the sender wait. A handler that panics counts as one that failed.
///
/// `S` is the store: a handler that needs no transaction is written for all, one that writes through it for its own.
///
/// ```
/// use postern_node::WorkerError;
/// use postern_node::reliable::{DeliveryStore, Handler, Received};
///
/// #[derive(Clone)]
/// struct Echo;
///
/// impl<S: DeliveryStore> Handler<S> for Echo {
///     async fn handle(&mut self, message: &mut Received<'_, S>) -> Result<(), WorkerError> {
///         let body = message.body().clone();
///         Ok(message.reply(body)?)
///     }
/// }
/// ```
pub trait Handler<S: DeliveryStore>: Clone + Send + Sync + 'static {
    /// Handles a message.
    fn handle(&mut self, message: &mut Received<'_, S>) -> impl Future<Output = Result<(), WorkerError>> + Send;
}

/// A message that has arrived, while it is handled.
pub struct Received<'a, S: DeliveryStore> {
    pub(super) store: &'a S,
    pub(super) key: &'a StorageKey,
    pub(super) from: Identifier,
    pub(super) id: MessageId,
    pub(super) redelivered: bool,
    pub(super) body: Bytes,
    pub(super) transaction: Option<S::Transaction>,
    pub(super) drafts: Vec<Draft>,
}

impl<S: DeliveryStore> Received<'_, S> {
    /// Who sent it.
    pub fn from(&self) -> &Identifier {
        &self.from
    }

    /// Its id: the same when it comes again.
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// Whether a handler was called with it before, or was about to be, by this process or the one before. What that call did
    /// outside of [`transaction`](Self::transaction) may have been done.
    pub fn redelivered(&self) -> bool {
        self.redelivered
    }

    /// What was sent.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The transaction that marks the message as handled. What is written through it takes effect exactly once: together with the
    /// mark, or not at all.
    ///
    /// It begins with the first call. While it is open the store does nothing else, so do not wait for the network in it, nor for
    /// [`ReliableDelivery::send`](super::ReliableDelivery::send): use [`send`](Self::send).
    ///
    /// # Errors
    /// When the store fails.
    pub async fn transaction(&mut self) -> Result<&mut S::Transaction, StoreError> {
        if self.transaction.is_none() {
            self.transaction = Some(self.store.begin().await?);
        }
        Ok(self.transaction.as_mut().unwrap_or_else(|| unreachable!("it was just begun")))
    }

    /// Sends a message because of this one: it is stored together with the mark, exactly once.
    ///
    /// Without room for it the handler fails, and is called again when the peer may have acknowledged something.
    ///
    /// # Errors
    /// [`DeliveryError::TooLarge`].
    pub fn send(&mut self, to: &Identifier, body: impl Into<Bytes>) -> Result<(), DeliveryError> {
        let body = body.into();
        if body.len() > BODY_SIZE_MAX {
            return Err(DeliveryError::TooLarge { size: body.len() });
        }
        self.drafts.push(Draft::new(self.key, *to, body)?);
        Ok(())
    }

    /// The same to the one who sent the message.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn reply(&mut self, body: impl Into<Bytes>) -> Result<(), DeliveryError> {
        self.send(&self.from.clone(), body)
    }
}
