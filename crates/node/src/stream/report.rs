//! What a program is told of a stream: its state, notices and counters.

use super::error::StreamError;
use crate::address::Address;
use crate::stats::Counter;
use crate::sync::lock;
use crate::undeliverable::Undeliverable;
use postern_env::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, watch};

/// Notices that wait for the program; the oldest make room. Chosen: more than anybody reads.
const NOTICES_MAX: usize = 256;

/// How a stream is doing. While it is not up, what is sent is kept, within limits.
#[derive(Debug, Clone)]
pub enum StreamState {
    /// It is trying; nothing has failed yet.
    Connecting,
    /// Both directions are up.
    Up,
    /// A direction is down because of this, and tries again.
    Down(Arc<StreamError>),
}

/// The two directions of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// What this program sends.
    Sending,
    /// What it receives.
    Receiving,
}

/// Something that a program should know of, and that the stream goes on after.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Notice {
    /// Records with these indexes were deleted before they were read: `from` included, `to` not.
    Gap {
        /// The first that is lost.
        from: u64,
        /// The first that is not.
        to: u64,
    },
    /// The log ends before the place that was read up to: the hub has lost it, or made it anew. It is read from `from` again.
    Restarted {
        /// Where it is read from.
        from: u64,
    },
    /// A record is no routed message, and was skipped.
    Undecodable {
        /// Its index.
        index: u64,
    },
    /// A record was not delivered, and was skipped: nothing has its address (any more), it may not be reached from the stream,
    /// or its content was refused. Records of an earlier secure channel are among these.
    Undelivered {
        /// Its index.
        index: u64,
        /// The address that it was for.
        address: Address,
        /// Why not.
        reason: Undeliverable,
    },
    /// The receiver of a message panicked. The place in the stream is not saved beyond it, so after the next start it comes again.
    /// At most 65,536 messages are delivered behind it.
    Panicked {
        /// The message's index.
        index: u64,
    },
    /// A record is larger than the hub's storage takes, and was dropped.
    TooLarge {
        /// Its bytes.
        bytes: usize,
        /// The hub's reason.
        reason: String,
    },
    /// What was sent is not confirmed by the hub. It is sent again until it is.
    Unconfirmed {
        /// The oldest has waited this long.
        waited: Duration,
        /// How many messages.
        messages: usize,
    },
    /// A direction is down. It tries again; a reason that repeats is said once.
    Down {
        /// Which.
        direction: Direction,
        /// Why.
        reason: Arc<StreamError>,
    },
    /// A direction is up again after a notice that it was down.
    Up {
        /// Which.
        direction: Direction,
    },
}

/// What a stream has carried, in messages.
#[derive(Debug, Default)]
pub struct StreamStats {
    /// Taken from the program.
    pub sent: Counter,
    /// Refused, because too much waited already or they were too large.
    pub refused: Counter,
    /// Pushed to the hub, repetitions included.
    pub pushed: Counter,
    /// Confirmed by the hub.
    pub confirmed: Counter,
    /// Read from the hub.
    pub read: Counter,
    /// Read again, and skipped.
    pub duplicates: Counter,
    /// Lost in gaps, as far as indexes tell.
    pub lost: Counter,
    /// Delivered to an address of this node.
    pub delivered: Counter,
    /// Skipped: no routed message, or not delivered.
    pub skipped: Counter,
    /// Handled by their receivers.
    pub handled: Counter,
}

/// The queue of a stream's notices. Clones read from the same queue.
#[derive(Clone, Default)]
pub struct Notices(Arc<NoticeQueue>);

#[derive(Default)]
struct NoticeQueue {
    waiting: Mutex<VecDeque<Notice>>,
    arrived: Notify,
}

impl Notices {
    /// Waits for the next notice. Of those that nobody reads, the last 256 are kept. Dropping the future loses none.
    pub async fn next(&self) -> Notice {
        loop {
            let arrived = self.0.arrived.notified();
            if let Some(notice) = self.try_next() {
                return notice;
            }
            arrived.await;
        }
    }

    /// The next notice, if one waits.
    pub fn try_next(&self) -> Option<Notice> {
        lock(&self.0.waiting).pop_front()
    }

    pub(super) fn push(&self, notice: Notice) {
        tracing::debug!(?notice, "of a stream");
        let mut waiting = lock(&self.0.waiting);
        if waiting.len() == NOTICES_MAX {
            waiting.pop_front();
        }
        waiting.push_back(notice);
        self.0.arrived.notify_one();
    }
}

/// What both directions of a stream report to.
pub(super) struct Report {
    state: watch::Sender<StreamState>,
    directions: Mutex<[DirectionState; 2]>,
    pub(super) notices: Notices,
    pub(super) stats: StreamStats,
}

#[derive(Clone, Default)]
enum DirectionState {
    #[default]
    Connecting,
    Up,
    Down(Arc<StreamError>),
}

impl Report {
    pub(super) fn new() -> (Arc<Self>, watch::Receiver<StreamState>) {
        let (state, watched) = watch::channel(StreamState::Connecting);
        let report =
            Self { state, directions: Mutex::default(), notices: Notices::default(), stats: StreamStats::default() };
        (Arc::new(report), watched)
    }

    /// Called for every batch: it costs little when nothing changes.
    pub(super) fn up(&self, direction: Direction) {
        if matches!(lock(&self.directions)[direction as usize], DirectionState::Up) {
            return;
        }
        if let DirectionState::Down(_) = self.set(direction, DirectionState::Up) {
            self.notices.push(Notice::Up { direction });
        }
    }

    pub(super) fn down(&self, direction: Direction, reason: Arc<StreamError>) {
        let before = self.set(direction, DirectionState::Down(reason.clone()));
        let repeated = matches!(before, DirectionState::Down(before) if before.to_string() == reason.to_string());
        if !repeated {
            self.notices.push(Notice::Down { direction, reason });
        }
    }

    /// Sets the state of one direction and publishes that of both; what the direction's was before.
    fn set(&self, direction: Direction, new: DirectionState) -> DirectionState {
        let mut directions = lock(&self.directions);
        let before = std::mem::replace(&mut directions[direction as usize], new);
        let both = match &*directions {
            [DirectionState::Down(reason), _] | [_, DirectionState::Down(reason)] => StreamState::Down(reason.clone()),
            [DirectionState::Up, DirectionState::Up] => StreamState::Up,
            _ => StreamState::Connecting,
        };
        self.state.send_replace(both);
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_is_up_when_both_directions_are_and_a_reason_is_said_once() {
        let (report, state) = Report::new();
        report.up(Direction::Sending);
        assert!(matches!(*state.borrow(), StreamState::Connecting));
        for _ in 0..2 {
            report.down(Direction::Receiving, Arc::new(StreamError::Disconnected));
            assert!(matches!(*state.borrow(), StreamState::Down(_)));
        }
        report.up(Direction::Receiving);
        assert!(matches!(*state.borrow(), StreamState::Up));
        assert!(matches!(report.notices.next().await, Notice::Down { direction: Direction::Receiving, .. }));
        assert!(matches!(report.notices.next().await, Notice::Up { direction: Direction::Receiving }));
        assert!(report.notices.try_next().is_none());
    }

    #[test]
    fn the_oldest_notices_make_room() {
        let notices = Notices::default();
        (0..NOTICES_MAX as u64 + 2).for_each(|index| notices.push(Notice::Undecodable { index }));
        assert!(matches!(notices.try_next(), Some(Notice::Undecodable { index: 2 })));
        assert_eq!(std::iter::from_fn(|| notices.try_next()).count(), NOTICES_MAX - 1);
    }
}
