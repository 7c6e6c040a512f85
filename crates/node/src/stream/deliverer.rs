//! Delivers a consumer's records to their addresses in this node, one after the other.

use super::progress::Progress;
use super::protocol::Record;
use super::report::{Notice, Report};
use super::transport_message::read_record;
use crate::address::Address;
use crate::core::Core;
use crate::delivery::Delivery;
use crate::local_message::{BorrowedMessage, Completion, PayloadBuf};
use crate::origin::Source;
use crate::route::Route;
use crate::undeliverable::Undeliverable;
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Addresses without a receiver that wait to be read by the delivery layer; more are dropped. One is enough for it to act.
pub(super) const UNKNOWN_MAX: usize = 64;

/// The records of one reply.
pub(super) struct Batch {
    /// How often the log had begun anew.
    pub(super) log: u64,
    pub(super) records: Vec<Record>,
    /// Everything before this index has then been read.
    pub(super) next: u64,
}

/// Delivers records, and waits where their receivers are slow.
pub(super) struct Deliverer {
    pub(super) core: Arc<Core>,
    /// Where the messages come from: the stream, with the paired producer as the place for answers.
    pub(super) source: Arc<Source>,
    pub(super) progress: Arc<Progress>,
    pub(super) report: Arc<Report>,
    /// Told of addresses that nothing has.
    pub(super) unknown: mpsc::Sender<Address>,
}

impl Deliverer {
    pub(super) async fn run(self, mut batches: mpsc::Receiver<Batch>) {
        while let Some(Batch { log, records, next }) = batches.recv().await {
            for record in records {
                self.deliver(log, record).await;
            }
            self.progress.read_to(log, next);
        }
    }

    async fn deliver(&self, log: u64, record: Record) {
        let Record { index, mut data } = record;
        let number = self.progress.begin(log, index, data.len()).await;
        let completion = Completion::new(self.progress.clone(), number);
        let Some((onward, return_route, payload)) = read_record(&data) else {
            self.report.stats.skipped.add(1);
            return self.report.notices.push(Notice::Undecodable { index });
        };
        let dispatched = self.dispatch(&onward, &return_route, &mut data, payload, &completion);
        // What has kept the message has a clone.
        drop(completion);
        let delivered = match dispatched {
            Ok(delivery) => delivery.flush_and_wait_without_limit().await,
            Err(reason) => Err(reason),
        };
        match delivered {
            Ok(()) => self.report.stats.delivered.add(1),
            Err(reason) => self.undelivered(index, &onward, reason),
        }
    }

    fn dispatch(
        &self,
        onward: &Route,
        return_route: &Route,
        data: &mut [u8],
        Range { start, end }: Range<usize>,
        completion: &Completion,
    ) -> Result<Delivery, Undeliverable> {
        self.core.router.dispatch(BorrowedMessage {
            onward: onward.as_ref(),
            return_route: return_route.as_ref(),
            body: PayloadBuf { buffer: data, start, end },
            source: Some(&self.source),
            depth: 0,
            completion: Some(completion),
        })
    }

    fn undelivered(&self, index: u64, onward: &Route, reason: Undeliverable) {
        self.report.stats.skipped.add(1);
        let address = onward.front().unwrap_or_else(|| Address::from(""));
        if reason == Undeliverable::UnknownAddress {
            let _ = self.unknown.try_send(address.clone());
        }
        self.report.notices.push(Notice::Undelivered { index, address, reason });
    }
}
