//! What a program is told about its deliveries.

use super::message_id::{Epoch, MessageId};
use super::protocol::DeliveryWindow;
use super::store::Usage;
use crate::identity::Identifier;
use postern_env::time::{Duration, Instant};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// How the delivery to and from one peer is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerState {
    /// Since when there is a channel over which the peer has answered.
    pub connected_since: Option<Instant>,
    /// What the peer has not acknowledged.
    pub outstanding: Usage,
    /// Since when something is outstanding and nothing was acknowledged.
    pub unacknowledged_since: Option<Instant>,
    /// Why there is no channel, or why nothing proceeds. Empty again once it does.
    pub last_error: Option<Arc<str>>,
}

/// Something that a program, or who runs it, may have to know. Nothing has to be done for the delivery itself.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum DeliveryNotice {
    /// What is outstanding for a peer has new ids from now on.
    NewEpoch {
        /// The peer.
        peer: Identifier,
        /// The new epoch.
        epoch: Epoch,
        /// Why.
        reason: NewEpochReason,
    },
    /// A handler failed with a message. It is called again.
    HandlerFailed {
        /// The sender.
        peer: Identifier,
        /// The message.
        id: MessageId,
        /// How often it was called with it by this process.
        attempts: u32,
        /// What it said.
        error: Arc<str>,
    },
    /// Nothing of what is outstanding was acknowledged for so long: another channel is tried.
    Unacknowledged {
        /// The peer.
        peer: Identifier,
        /// So long.
        since: Duration,
    },
    /// Messages of a peer are missing or out of order, or are of no epoch it has announced: lost on the way, or held back. They
    /// come again.
    Gap {
        /// The sender.
        peer: Identifier,
        /// The counter that is expected.
        expected: u64,
        /// The counter that came.
        came: u64,
    },
    /// A peer has acknowledged what was never sent to it. It is ignored.
    BadAcknowledgement {
        /// The peer.
        peer: Identifier,
    },
    /// A peer speaks a version of the protocol that this program does not have. Nothing is exchanged with it.
    OtherVersion {
        /// The peer.
        peer: Identifier,
        /// Its version.
        version: u8,
    },
    /// The store failed. It is tried again.
    StoreFailed {
        /// The peer whose messages it is about.
        peer: Identifier,
        /// What it said.
        error: Arc<str>,
    },
}

/// Why there is a new epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewEpochReason {
    /// The peer has handled messages that this store does not know: the store is an old copy (a restored backup). Messages that
    /// were sent since that copy was made and are sent again now have other ids.
    SenderRestored,
    /// The peer does not know any more that it handled these counters, and they are deleted here: its store is an old copy, or
    /// new. Whether their effects are there, only the peer's program can tell.
    ReceiverRestored {
        /// The counters.
        missing: RangeInclusive<u64>,
    },
}

/// What a reliable delivery may use, and when it tries again.
#[derive(Debug, Clone, Copy)]
pub struct DeliveryOptions {
    /// What may be unacknowledged at once, in either direction, for each peer.
    pub window: DeliveryWindow,
    /// Peers at once.
    pub peers: usize,
    /// After so long without an answer the peer is asked, over the same channel; after as long again a new channel is made. It
    /// doubles up to [`longest_probe`](Self::longest_probe).
    pub first_probe: Duration,
    /// Longest time between two such attempts.
    pub longest_probe: Duration,
    /// Before a handshake that is not answered is joined by another. It doubles.
    pub first_handshake_retry: Duration,
    /// Longest time between two handshakes.
    pub longest_handshake_retry: Duration,
    /// Before a handler is called again with a message that it failed with. It doubles.
    pub first_handler_retry: Duration,
    /// Longest time between two calls.
    pub longest_handler_retry: Duration,
    /// Messages of one peer that a handler has succeeded with and whose marks are not in the store yet, at least 1: so many are
    /// repeated, flagged, after the process has died. With 1, each mark is written before the next message is handled. Only
    /// handlers that neither use the transaction nor send can have more than one.
    pub unmarked: u64,
}

/// Unacknowledged messages and bytes: what a path of 80 MB/s and 50 ms holds.
const WINDOW: DeliveryWindow = DeliveryWindow { messages: 4_096, bytes: 4 * 1024 * 1024 };
/// Peers at once: chosen; each has two tasks and at most two windows of messages in memory.
const PEERS: usize = 1_024;
/// Chosen: many times what a message and its acknowledgement take through a hub and a broker.
const FIRST_PROBE: Duration = Duration::from_secs(2);
/// Chosen: a handler that needs hours for a message costs a few probes an hour.
const LONGEST_PROBE: Duration = Duration::from_secs(300);
/// Chosen: several times what a handshake takes through a hub and a broker.
const FIRST_HANDSHAKE_RETRY: Duration = Duration::from_millis(500);
/// Chosen: where nothing tells that the peer is back, it is found within a minute.
const LONGEST_HANDSHAKE_RETRY: Duration = Duration::from_secs(60);
/// Chosen: what failed for a moment succeeds at once.
const FIRST_HANDLER_RETRY: Duration = Duration::from_millis(100);
/// Chosen: what failed for long is not asked more often than once a minute.
const LONGEST_HANDLER_RETRY: Duration = Duration::from_secs(60);

/// What a fast handler does while the disk is synced once: with 64, messages of 64 B are half as fast. A program that dies repeats no
/// more than these.
const UNMARKED: u64 = 256;

impl Default for DeliveryOptions {
    fn default() -> Self {
        Self {
            window: WINDOW,
            peers: PEERS,
            first_probe: FIRST_PROBE,
            longest_probe: LONGEST_PROBE,
            first_handshake_retry: FIRST_HANDSHAKE_RETRY,
            longest_handshake_retry: LONGEST_HANDSHAKE_RETRY,
            first_handler_retry: FIRST_HANDLER_RETRY,
            longest_handler_retry: LONGEST_HANDLER_RETRY,
            unmarked: UNMARKED,
        }
    }
}
