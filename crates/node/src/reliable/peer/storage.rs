//! What the task of a peer asks of the store while it goes on with other things.

use super::super::DeliveryError;
use super::super::MessageId;
use super::super::event::SendRequest;
use super::super::handler::Handler;
use super::super::jobs::{Done, Kind};
use super::super::sender::Ready;
use super::super::store::{Appended, DeliveryStore, Draft, StoreError};
use super::{Peer, RETRY_AFTER};
use postern_env::time;

impl<S: DeliveryStore, H: Handler<S>> Peer<S, H> {
    /// Begins what is due. Of each kind one runs at a time.
    pub(super) fn begin_jobs(&mut self) {
        if self.retry_at.is_some() {
            return;
        }
        self.begin_sync();
        self.begin_acknowledge();
        self.begin_read();
    }

    fn begin_sync(&mut self) {
        let handled = self.receiver.wants_sync();
        let unsynced = self.sender.has_unsynced(self.appended);
        if self.jobs.is_running(Kind::Sync) || (handled.is_none() && !unsynced) {
            return;
        }
        let (shared, sequence) = (self.shared.clone(), self.appended);
        self.jobs.begin(Kind::Sync, async move { Done::Sync { sequence, handled, result: shared.store.sync().await } });
    }

    fn begin_acknowledge(&mut self) {
        if self.jobs.is_running(Kind::Acknowledge) {
            return;
        }
        let Some((sequence, stamp)) = self.acknowledge.take() else { return };
        let (shared, peer) = (self.shared.clone(), self.peer);
        self.jobs.begin(Kind::Acknowledge, async move {
            let result = shared.store.acknowledge(&peer, sequence, stamp).await;
            Done::Acknowledge { sequence, stamp, result }
        });
    }

    fn begin_read(&mut self) {
        if self.jobs.is_running(Kind::Read) || self.channel.is_none() {
            return;
        }
        let Some((after, messages, bytes)) = self.sender.wants() else { return };
        let (shared, peer) = (self.shared.clone(), self.peer);
        self.jobs.begin(Kind::Read, async move {
            let result = async {
                let read = shared.store.read(&peer, after, messages, bytes).await?;
                let opened = read.into_iter().map(|message| {
                    let body = shared.key.open_body(&peer, message.sequence, message.sealed)?.into();
                    Ok(Ready { sequence: message.sequence, stamp: message.stamp, body })
                });
                opened.collect::<Result<Vec<_>, StoreError>>()
            };
            Done::Read { result: result.await }
        });
    }

    /// Stores messages of the program, those of all who wait together.
    pub(super) fn begin_append(&mut self, requests: Vec<SendRequest>) {
        let (key, peer, shared) = (&self.shared.key, self.peer, self.shared.clone());
        if requests.is_empty() {
            return;
        }
        let drafts_of =
            |request: &SendRequest| request.bodies.iter().map(|body| Draft::new(key, peer, body.clone())).collect();
        let groups: Result<Vec<Vec<Draft>>, _> = requests.iter().map(drafts_of).collect();
        let Ok(groups) = groups else {
            return refuse(requests, || DeliveryError::Store(StoreError::NoRandomness));
        };
        let stamps = groups.iter().flatten().map(|draft| (draft.stamp(), draft.body.clone())).collect();
        self.jobs.begin(Kind::Append, async move {
            let result = shared.store.append(&peer, groups).await;
            Done::Append { requests, stamps, result }
        });
    }

    pub(super) async fn on_done(&mut self, done: Done) {
        match done {
            Done::Append { requests, stamps, result } => match result {
                Ok(appended) => {
                    self.state.outstanding = appended.used;
                    let sequences = appended.first..;
                    let fresh = sequences.zip(stamps).take(appended.count);
                    let fresh = fresh.map(|(sequence, (stamp, body))| Ready { sequence, stamp, body });
                    let last = appended.first + appended.count as u64 - 1;
                    self.appended = self.appended.max(last);
                    self.sender.stored(last, fresh);
                    // Whoever has sent something sees it in the state.
                    self.publish();
                    self.answer(requests, &appended);
                }
                Err(error) => refuse_with(requests, error),
            },
            Done::Sync { sequence, handled, result } => match result {
                Ok(()) => {
                    self.sender.stored(sequence, []);
                    handled.inspect(|(epoch, mark)| self.receiver.on_synced(*epoch, *mark));
                }
                Err(error) => self.store_failed(&error),
            },
            Done::Acknowledge { sequence, stamp, result } => match result {
                Ok(used) => self.state.outstanding = used,
                Err(error) => {
                    self.acknowledge.get_or_insert((sequence, stamp));
                    self.store_failed(&error);
                }
            },
            Done::Read { result } => match result {
                Ok(read) => self.sender.fill(read),
                Err(error) => self.store_failed(&error),
            },
        }
    }

    /// Tells those who wait what ids their messages have.
    fn answer(&self, requests: Vec<SendRequest>, appended: &Appended) {
        let mut counters = (appended.first..).take(appended.count).map(|sequence| self.sender.counter(sequence));
        for request in requests {
            let epoch = self.sender.epoch();
            let ids = counters.by_ref().take(request.bodies.len());
            let ids: Vec<MessageId> = ids.map(|counter| MessageId { epoch, counter }).collect();
            let capacity = appended.capacity;
            let full = StoreError::Full { used: appended.used, capacity };
            let result = if ids.len() == request.bodies.len() { Ok(ids) } else { Err(full.into()) };
            request.answer(result);
        }
    }

    /// Tries again later what the store has refused.
    pub(super) fn store_failed(&mut self, error: &StoreError) {
        self.state.last_error = Some(error.to_string().into());
        self.retry_at = Some(time::now() + RETRY_AFTER);
        self.shared.store_failed(self.peer, error);
    }
}

/// Passes a failure to everybody who waits: the first gets it as it is.
fn refuse_with(requests: Vec<SendRequest>, error: StoreError) {
    let text = error.to_string();
    let full = match &error {
        StoreError::Full { used, capacity } => Some((*used, *capacity)),
        _ => None,
    };
    let is_disk_full = matches!(error, StoreError::DiskFull);
    refuse(requests, || match full {
        Some((used, capacity)) => StoreError::Full { used, capacity }.into(),
        None if is_disk_full => StoreError::DiskFull.into(),
        None => StoreError::failed(text.clone()).into(),
    });
}

fn refuse(requests: Vec<SendRequest>, error: impl Fn() -> DeliveryError) {
    requests.into_iter().for_each(|request| request.answer(Err(error())));
}
