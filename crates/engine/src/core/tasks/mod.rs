//! What takes time and is retried: calls to owners, mail, health checks; and the expiry of records.
//!
//! The tasks own their retry state and nothing else. Which calls, mail and checks there are follows from the records, so
//! a crash forgets none that matters. They take what the event asked of them ([`TaskRequest`]) after reconcile, then do
//! what is due.

pub(super) mod expiry;
pub(super) mod health_checks;
pub(super) mod mail;
pub(super) mod outbound_calls;

use crate::core::limits::{FIRST_RETRY, LAST_RETRY};
use crate::core::records::Records;
use crate::core::task_request::TaskRequest;
use crate::core::transaction::Transaction;
use health_checks::HealthChecks;
use mail::MailQueue;
use outbound_calls::OutboundCalls;
use postern_node::backoff::{Backoff, Jitter};
use std::time::Duration;

/// The retry state of all tasks.
#[derive(Default)]
pub(super) struct Tasks {
    pub(super) calls: OutboundCalls,
    pub(super) mail: MailQueue,
    pub(super) checks: HealthChecks,
}

impl Tasks {
    /// Takes what was asked, and does what is due. Nothing is done while there is no identity.
    pub(super) fn run(&mut self, records: &mut Records, tx: &mut Transaction) {
        for request in tx.take_task_requests() {
            self.take(records, tx, request);
        }
        if records.is_running() {
            self.calls.run(records, tx);
            self.mail.run(records, tx);
            self.checks.run(records, tx);
        }
    }

    fn take(&mut self, records: &Records, tx: &Transaction, request: TaskRequest) {
        let ticks = tx.now.ticks;
        match request {
            TaskRequest::Call(call) => self.calls.begin(call, ticks),
            TaskRequest::RetryCall(call) => self.calls.retry(call, ticks),
            TaskRequest::RetryPeers => {
                self.calls.retry_all(ticks);
                self.mail.retry_all(ticks);
            }
            TaskRequest::Mail { subject, person, notification } => {
                self.mail.add(records, subject, person, notification, ticks);
            }
            TaskRequest::DropMail(subject) => self.mail.forget(subject),
            TaskRequest::CheckService(service) => self.checks.doubt(service, ticks),
            TaskRequest::RestartCheck(service) => self.checks.restart(service),
            TaskRequest::CheckAllServices => self.checks.check_all(ticks),
        }
    }

    /// When something is due next, in ticks.
    pub(super) fn next(&self) -> Option<u64> {
        [self.calls.next(), self.mail.next(), self.checks.next()].into_iter().flatten().min()
    }
}

/// The delay before the next attempt, in milliseconds: exponential backoff with jitter.
fn retry_delay(tx: &mut Transaction, attempts: u32) -> u64 {
    let backoff = Backoff::new(Duration::from_millis(FIRST_RETRY), Duration::from_millis(LAST_RETRY));
    let delay = backoff.with_jitter(Jitter::WithinQuarter).after(attempts).next(tx.random_fraction());
    u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)
}
