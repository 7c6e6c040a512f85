//! How far a consumer's messages have been handled, and so which place in the stream may be saved.
//!
//! ```text
//! index      7        8       9      10      11
//!         handled │ handled  open  handled  open │ next          may be saved: 9
//! ```

use super::report::{Notice, Report};
use crate::local_message::{CompletionObserver, HandlingOutcome};
use crate::sync::lock;
use postern_env::time::{self, Duration, Instant};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// Messages that were delivered and not handled, above which no more are delivered: what four mailboxes hold.
pub(super) const OPEN_RECORDS_MAX: usize = 4 * crate::context::MAILBOX;
/// The same in bytes: four replies to a pull.
pub(super) const OPEN_BYTES_MAX: usize = 4 * super::protocol::BATCH_BYTES_MAX;
/// Messages behind one that is not handled, above which no more are delivered. Chosen: so many come again after a restart
/// at most, and take 2 MB.
pub(super) const AHEAD_MAX: usize = 65_536;
/// A message that was in the queue of a receiver which has ended counts as undeliverable after this. Chosen: a program that
/// ends drops its receivers before its stream, and must find these messages again when it is started.
const ABANDONED_AFTER: Duration = Duration::from_secs(10);

/// How far the messages of one consumer have been handled.
pub(super) struct Progress {
    state: Mutex<State>,
    room: Notify,
    moved: Notify,
    report: Arc<Report>,
}

#[derive(Default)]
struct State {
    /// How often the log has begun anew: indexes from before mean nothing then.
    log: u64,
    /// Number of the front entry. Numbers go on when the log begins anew, indexes do not.
    first: u64,
    entries: VecDeque<Entry>,
    open: usize,
    open_bytes: usize,
    abandoned: usize,
    /// Index behind the last message.
    next: Option<u64>,
}

struct Entry {
    index: u64,
    bytes: usize,
    status: Status,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Open,
    Handled,
    Abandoned(Instant),
    Panicked,
}

impl Progress {
    pub(super) fn new(report: Arc<Report>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), room: Notify::new(), moved: Notify::new(), report })
    }

    /// Waits for room, and counts a message in; its number. One of a log that is gone is not counted.
    pub(super) async fn begin(&self, log: u64, index: u64, bytes: usize) -> u64 {
        loop {
            let room = self.room.notified();
            if let Some(number) = lock(&self.state).try_begin(log, index, bytes) {
                return number;
            }
            room.await;
        }
    }

    /// Everything before this index has been read: there may be indexes without records.
    pub(super) fn read_to(&self, log: u64, next: u64) {
        let mut state = lock(&self.state);
        if state.log == log {
            state.next = Some(next);
            self.moved.notify_one();
        }
    }

    /// The log began anew: indexes that were read before mean nothing any more. How often it has.
    pub(super) fn restart(&self) -> u64 {
        let mut state = lock(&self.state);
        let (log, first) = (state.log + 1, state.first + state.entries.len() as u64);
        *state = State { log, first, ..State::default() };
        self.room.notify_one();
        log
    }

    /// The index that may be saved; nothing before anything was read.
    pub(super) fn reached(&self) -> Option<u64> {
        let mut state = lock(&self.state);
        state.expire_abandoned(time::now());
        state.entries.front().map(|entry| entry.index).or(state.next)
    }

    /// Waits until [`reached`](Self::reached) may have changed.
    pub(super) async fn moved(&self) {
        self.moved.notified().await;
    }
}

impl State {
    fn try_begin(&mut self, log: u64, index: u64, bytes: usize) -> Option<u64> {
        /// No entry ever has it.
        const UNCOUNTED: u64 = u64::MAX;
        if log != self.log {
            return Some(UNCOUNTED);
        }
        let full = self.open == OPEN_RECORDS_MAX || self.open_bytes + bytes > OPEN_BYTES_MAX;
        if (self.open > 0 && full) || self.entries.len() >= AHEAD_MAX {
            return None;
        }
        self.entries.push_back(Entry { index, bytes, status: Status::Open });
        self.open += 1;
        self.open_bytes += bytes;
        self.next = Some(index.saturating_add(1));
        Some(self.first + self.entries.len() as u64 - 1)
    }

    /// Ends a message; its index, unless it is of a log that is gone.
    fn end(&mut self, number: u64, status: Status) -> Option<u64> {
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let entry = self.entries.get_mut(place).filter(|entry| entry.status == Status::Open)?;
        entry.status = status;
        let index = entry.index;
        self.open -= 1;
        self.open_bytes -= entry.bytes;
        self.abandoned += usize::from(matches!(status, Status::Abandoned(_)));
        self.drop_handled();
        Some(index)
    }

    fn expire_abandoned(&mut self, now: Instant) {
        if self.abandoned == 0 {
            return;
        }
        for entry in &mut self.entries {
            if matches!(entry.status, Status::Abandoned(since) if now - since >= ABANDONED_AFTER) {
                entry.status = Status::Handled;
                self.abandoned -= 1;
            }
        }
        self.drop_handled();
    }

    fn drop_handled(&mut self) {
        while self.entries.front().is_some_and(|entry| entry.status == Status::Handled) {
            self.entries.pop_front();
            self.first += 1;
        }
    }
}

impl CompletionObserver for Progress {
    fn ended(&self, number: u64, outcome: HandlingOutcome) {
        let status = match outcome {
            HandlingOutcome::Handled => Status::Handled,
            HandlingOutcome::Abandoned => Status::Abandoned(time::now()),
            HandlingOutcome::Panicked => Status::Panicked,
        };
        let index = lock(&self.state).end(number, status);
        match (outcome, index) {
            (HandlingOutcome::Handled, Some(_)) => self.report.stats.handled.add(1),
            (HandlingOutcome::Panicked, Some(index)) => self.report.notices.push(Notice::Panicked { index }),
            _ => {}
        }
        self.room.notify_one();
        self.moved.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local_message::Completion;

    fn progress() -> Arc<Progress> {
        Progress::new(Report::new().0)
    }

    async fn begin(progress: &Arc<Progress>, index: u64) -> Completion {
        let log = lock(&progress.state).log;
        let number = progress.begin(log, index, 100).await;
        Completion::new(progress.clone(), number)
    }

    #[tokio::test]
    async fn the_lowest_message_that_is_not_handled_decides() {
        let progress = progress();
        assert_eq!(progress.reached(), None);
        let (seven, nine) = (begin(&progress, 7).await, begin(&progress, 9).await);
        drop(nine);
        assert_eq!(progress.reached(), Some(7));
        drop(seven);
        assert_eq!(progress.reached(), Some(10));
        progress.read_to(0, 20);
        assert_eq!(progress.reached(), Some(20));
    }

    #[tokio::test]
    async fn what_was_never_taken_out_of_a_queue_is_not_handled() {
        let progress = progress();
        let queued = begin(&progress, 1).await.queued();
        let taken = begin(&progress, 2).await.queued();
        taken.taken();
        drop((queued, taken));
        assert_eq!(progress.reached(), Some(1));
        // And it makes room, for it holds no memory any more.
        assert_eq!(lock(&progress.state).open, 0);
        lock(&progress.state).entries[0].status = Status::Abandoned(time::now() - ABANDONED_AFTER);
        assert_eq!(progress.reached(), Some(3));
    }

    #[tokio::test]
    async fn a_receiver_that_panics_has_not_handled_its_message() {
        let progress = progress();
        let completion = begin(&progress, 1).await;
        let handler = tokio::spawn(async move {
            let _held = completion;
            panic!("a panic of the test");
        });
        assert!(handler.await.is_err());
        assert_eq!(progress.reached(), Some(1));
        assert!(matches!(progress.report.notices.try_next(), Some(Notice::Panicked { index: 1 })));
    }

    #[tokio::test]
    async fn no_more_is_delivered_while_too_much_is_open() {
        let progress = progress();
        let mut open = Vec::new();
        for index in 0..OPEN_RECORDS_MAX as u64 {
            open.push(begin(&progress, index).await);
        }
        assert_eq!(lock(&progress.state).try_begin(0, 1, 1), None);
        open.pop();
        assert!(lock(&progress.state).try_begin(0, 1, 1).is_some());
        // One alone may be of any size.
        let large = self::progress();
        assert!(lock(&large.state).try_begin(0, 0, 2 * OPEN_BYTES_MAX).is_some());
        assert_eq!(lock(&large.state).try_begin(0, 1, 1), None);
    }

    #[tokio::test]
    async fn messages_of_a_log_that_is_gone_do_not_count() {
        let progress = progress();
        let (old, older) = (begin(&progress, 50).await, begin(&progress, 51).await);
        drop(older);
        assert_eq!(progress.restart(), 1);
        progress.read_to(0, 52);
        drop(Completion::new(progress.clone(), progress.begin(0, 52, 100).await));
        assert_eq!(progress.reached(), None);
        let new = begin(&progress, 0).await;
        drop(old);
        assert_eq!(progress.reached(), Some(0));
        drop(new);
        assert_eq!(progress.reached(), Some(1));
    }
}
