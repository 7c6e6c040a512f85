//! The consumers' side of a partition: pulls are answered with records, held, or answered with nothing.

use super::{Partition, refusal};
use crate::stream::pulls::{Pull, PullFrom};
use crate::stream::storage::{Batch, Extent, Log};
use postern_env::time::{self, Duration};
use postern_node::Route;
use postern_node::stream::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX, HOLD_MS_MAX, HeldPull, Status, StreamReply};

impl<L: Log> Partition<L> {
    pub(super) async fn held_pull(&mut self, pull: HeldPull, reply_to: Route) {
        let HeldPull { request_id, consumer, index, limit, max_bytes, wait_ms } = pull;
        let wait = Duration::from_millis(wait_ms.min(HOLD_MS_MAX));
        let (from, deadline) = (PullFrom::Consumer(consumer), time::now() + wait);
        let extent = extent(limit, max_bytes);
        self.pull(Pull { from, request_id, index, extent, reply_to, deadline }).await;
    }

    pub(super) async fn pull(&mut self, pull: Pull) {
        self.asked = self.asked.max(pull.index);
        self.pulls.remove_of(pull.from);
        if let Some(pull) = self.try_pull(pull).await
            && let Some(replaced) = self.pulls.insert(pull)
        {
            self.answer_with_nothing(&replaced);
        }
    }

    pub(super) async fn serve_pulls(&mut self) {
        for pull in self.pulls.take() {
            if let Some(pull) = self.try_pull(pull).await {
                self.pulls.insert(pull);
            }
        }
    }

    /// Answers a pull, unless there is nothing for it yet and it may wait.
    async fn try_pull(&mut self, pull: Pull) -> Option<Pull> {
        match self.place.log.read(pull.index, pull.extent).await {
            Ok(Some(batch)) => self.answer_pull(&pull, batch),
            Ok(None) if pull.from == PullFrom::Unnamed && self.place.log.has_settled() => {
                self.answer_with_nothing(&pull);
            }
            Ok(None) => return Some(pull),
            Err(error) => {
                self.shared.stats.errors.add(1);
                self.send(pull.reply_to.clone(), &refusal::pull(&pull, &error));
            }
        }
        None
    }

    fn answer_pull(&mut self, pull: &Pull, batch: Batch) {
        let Batch { first, next, records } = batch;
        self.asked = self.asked.max(next);
        self.shared.stats.consumed.add(records.len() as u64);
        self.shared.stats.consumed_bytes.add(records.iter().map(|record| record.data.len() as u64).sum());
        let request_id = pull.request_id;
        let reply = match pull.from {
            PullFrom::Unnamed => StreamReply::Pulled { request_id, records },
            PullFrom::Consumer(_) => {
                let (status, reason) = (Status::Done, String::new());
                StreamReply::HeldPulled { request_id, status, first, next, records, reason }
            }
        };
        self.send(pull.reply_to.clone(), &reply);
    }

    pub(super) fn answer_with_nothing(&mut self, pull: &Pull) {
        let first = self.place.log.first().min(pull.index);
        self.answer_pull(pull, Batch { first, next: pull.index, records: Vec::new() });
    }
}

/// How much a pull gets at most.
pub(super) fn extent(records: u64, bytes: u64) -> Extent {
    let clamp = |value: u64, max: usize| usize::try_from(value).unwrap_or(max).clamp(1, max);
    Extent { records: clamp(records, BATCH_RECORDS_MAX), bytes: clamp(bytes, BATCH_BYTES_MAX) }
}
