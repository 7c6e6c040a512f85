//! The task of one peer: it owns what is known about the deliveries to and from it, and the channel that is used now.
//!
//! ```text
//!  program ── send ──► ┌──────┐ ◄── Hello, Resume, Data, Acknowledge ── channel
//!                      │ Peer │ ─── the same ──► channel
//!  handler task ◄───── │      │ ──── doubts ──► Connector (if this node connects) ── Opened, Cut ──►
//!       └─ Handled ──► └──┬───┘
//!                     jobs of the store
//! ```

use super::connector::Suspicion;
use super::current_channel::{CurrentChannel, ended};
use super::event::{Event, Held, SendRequest};
use super::handler::Handler;
use super::handling::{Handling, Queued};
use super::jobs::{Jobs, Kind};
use super::message_id::{Epoch, Stamp};
use super::probe::{Doubt, Probe};
use super::protocol::{ChannelNotice, DELIVERY, DeliveryWindow, Message};
use super::receiver::{Arrival, Mark, Receiver};
use super::sender::{Acknowledged, Resumed, Sender};
use super::shared::Shared;
use super::state::{DeliveryNotice, NewEpochReason, PeerState};
use super::store::{DeliveryStore, StoreError, Usage};
use crate::address::Address;
use crate::identity::Identifier;
use crate::rate_limit::{Rate, TokenBucket};
use crate::route::Route;
use crate::sync::BackpressureGate;
use postern_env::time::{self, Duration, Instant};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// After a failure of the store, or where a message found no room on its way, it is tried again after so long: chosen.
const RETRY_AFTER: Duration = Duration::from_millis(250);
/// A handshake because of a notice, and notices to the program about one peer: at most one a second, so that whoever sends
/// garbage causes no more.
const HINT_RATE: Rate = Rate::new(1, Duration::from_secs(1));
/// Notices to one peer that a record of it found no channel: a burst, as the first may be about an older channel.
const NOTICE_RATE: Rate = Rate::new(4, Duration::from_secs(1));
/// Notices about one peer that say what it did wrong.
const WARNING_RATE: Rate = Rate::new(8, Duration::from_secs(1));

/// Calls of [`ReliableDelivery::send`](super::ReliableDelivery::send) that are stored by one commit.
const BATCH_MAX: usize = 256;

/// Events that are handled before what follows from them is begun: as many as arrive in one batch of a stream.
const EVENTS_MAX: usize = 64;

/// The shared, the identity, and the ends of queues that a task begins with.
pub(super) struct Peer<S: DeliveryStore, H> {
    shared: Arc<Shared<S, H>>,
    peer: Identifier,
    events: mpsc::UnboundedSender<Event>,
    sender: Sender,
    receiver: Receiver,
    queue: mpsc::Sender<Queued>,
    generation: Arc<AtomicU64>,
    channel: Option<CurrentChannel>,
    suspicion: Option<watch::Sender<Suspicion>>,
    notice_route: Option<Route>,
    gate: Option<Arc<BackpressureGate>>,
    /// Nothing is sent, and the store is not asked, before this.
    retry_at: Option<Instant>,
    jobs: Jobs,
    /// What is to be deleted.
    acknowledge: Option<(u64, Stamp)>,
    /// The highest sequence that is stored, on the disk or not.
    appended: u64,
    probe: Probe,
    hints: TokenBucket,
    sent_notices: TokenBucket,
    warnings: TokenBucket,
    state: PeerState,
    report: watch::Sender<PeerState>,
}

type Events = (mpsc::UnboundedSender<Event>, mpsc::UnboundedReceiver<Event>);

impl<S: DeliveryStore, H: Handler<S>> Peer<S, H> {
    /// Runs until it is dropped.
    pub(super) async fn start(
        shared: Arc<Shared<S, H>>,
        peer: Identifier,
        (events, mut happened): Events,
        mut sends: mpsc::Receiver<SendRequest>,
        report: watch::Sender<PeerState>,
    ) {
        let record = loop {
            // What a handler has sent before the last end of the process is sent only once it is on the disk.
            let synced = match shared.store.sync().await {
                Ok(()) => shared.store.outgoing(&peer).await,
                Err(error) => Err(error),
            };
            match synced {
                Ok(record) => break record,
                Err(error) => shared.store_failed(peer, &error),
            }
            time::sleep(RETRY_AFTER).await;
        };
        let (queue, queued) = mpsc::channel(shared.options.window.messages as usize);
        let generation = Arc::default();
        let handling = Handling::new(&shared, peer, queued, &generation, events.clone());
        let stop = shared.stop.clone();
        shared.core.spawn(async move {
            stop.run_until_cancelled(handling.run()).await;
        });
        let (options, uptime) = (shared.options, shared.core.uptime());
        let task = Self {
            sender: Sender::new(record, options.window),
            receiver: Receiver::new(options.window),
            appended: record.next - 1,
            probe: Probe::new(options.first_probe, options.longest_probe),
            hints: TokenBucket::full(HINT_RATE, uptime),
            sent_notices: TokenBucket::full(NOTICE_RATE, uptime),
            warnings: TokenBucket::full(WARNING_RATE, uptime),
            state: PeerState { outstanding: record.used, ..PeerState::default() },
            jobs: Jobs::default(),
            shared,
            peer,
            events,
            queue,
            generation,
            channel: None,
            suspicion: None,
            notice_route: None,
            gate: None,
            retry_at: None,
            acknowledge: None,
            report,
        };
        task.run(&mut happened, &mut sends).await;
    }

    async fn run(mut self, events: &mut mpsc::UnboundedReceiver<Event>, sends: &mut mpsc::Receiver<SendRequest>) {
        let (mut requests, mut happened) = (Vec::new(), Vec::new());
        loop {
            self.advance();
            let can_append = !self.jobs.is_running(Kind::Append);
            tokio::select! {
                _ = events.recv_many(&mut happened, EVENTS_MAX) => {
                    for event in happened.drain(..) {
                        self.on_event(event).await;
                    }
                }
                done = self.jobs.next() => self.on_done(done).await,
                _ = sends.recv_many(&mut requests, BATCH_MAX), if can_append && !sends.is_closed() => {
                    self.begin_append(std::mem::take(&mut requests));
                }
                () = opened(self.gate.as_ref()) => self.gate = None,
                () = until(self.retry_at) => self.retry_at = None,
                () = until(self.probe.deadline()) => self.on_missing_answer(),
                () = ended(self.channel.as_ref()) => self.lose_channel("the peer has ended the channel"),
            }
        }
    }

    /// Does everything that can be done now without waiting.
    fn advance(&mut self) {
        if self.gate.as_ref().is_some_and(|gate| !gate.is_closed()) {
            self.gate = None;
        }
        for answer in self.receiver.answers().into_iter().flatten() {
            self.transmit(&answer);
        }
        self.begin_jobs();
        while self.gate.is_none() && self.retry_at.is_none() && self.channel.is_some() {
            let Some(message) = self.sender.next() else { break };
            self.transmit(&message);
        }
        self.begin_jobs();
        let no_channel = self.channel.is_none() && self.sender.outstanding() > 0 && self.notice_route.is_some();
        self.probe.expect((self.channel.is_some() && self.sender.is_expecting()) || no_channel, time::now());
        self.publish();
    }

    fn publish(&mut self) {
        let waiting = self.sender.outstanding() > 0;
        if !waiting {
            self.state.unacknowledged_since = None;
        } else if self.state.unacknowledged_since.is_none() {
            self.state.unacknowledged_since = Some(time::now());
        }
        let state = &self.state;
        self.report.send_if_modified(|published| {
            let news = published != state;
            if news {
                published.clone_from(state);
            }
            news
        });
    }

    async fn on_event(&mut self, event: Event) {
        match event {
            Event::Message { channel, ended, message, held } => self.on_message(channel, ended, message, held).await,
            Event::Handled { epoch, mark } => self.receiver.on_handled(epoch, mark),
            Event::Appended { sequence, bytes } => {
                self.appended = self.appended.max(sequence);
                self.state.outstanding.add(bytes, Usage { messages: u64::MAX, bytes: u64::MAX });
            }
            Event::Connect(path) => self.connect(path),
            Event::NoticeRoute(route) => {
                self.notice_route = Some(route);
                if self.channel.is_none() {
                    self.notify(&ChannelNotice::Waiting);
                }
            }
            Event::Opened(channel) => self.on_opened(channel),
            Event::Cut(address) if self.is_current(&address) => self.lose_channel("the connection has ended"),
            Event::Cut(_) => {}
            Event::NotConnected(error) => self.state.last_error = Some(error),
            Event::Undeliverable(address) if self.sent_notices.take(NOTICE_RATE, self.shared.core.uptime()) => {
                self.notify(&ChannelNotice::NoChannelAt(address.value().to_vec()));
            }
            Event::Undeliverable(_) => {}
            #[cfg(test)]
            Event::AskChannel(answer) => drop(answer.send(self.channel.as_ref().map(|it| it.address.clone()))),
            Event::Hint(notice) => self.on_hint(&notice),
        }
    }

    fn is_current(&self, address: &Address) -> bool {
        self.channel.as_ref().is_some_and(|channel| channel.address == *address)
    }

    async fn on_message(&mut self, channel: Address, ended: CancellationToken, message: Message, held: Held) {
        if !self.is_current(&channel) {
            let is_hello = matches!(message, Message::Hello { .. });
            if !is_hello || self.suspicion.is_some() || ended.is_cancelled() {
                return tracing::debug!("a message over a channel that is not used for deliveries was ignored");
            }
            let to_peer = Route::from(&channel).then(DELIVERY);
            self.use_channel(CurrentChannel { address: channel, to_peer, ended, own: None });
        }
        match message {
            Message::Hello { number, epoch, .. } => self.on_hello(number, epoch).await,
            Message::Resume { number, epoch, last, stamp, window } => {
                self.on_resume(self.sender.on_resume(number, epoch, last, stamp), window).await;
            }
            Message::Data { epoch, counter, stamp, body } => self.on_data(epoch, Mark { counter, stamp }, body, held),
            Message::Acknowledge { epoch, counter } => self.on_acknowledge(epoch, counter),
            Message::Unsupported { version } => {
                self.warn(DeliveryNotice::OtherVersion { peer: self.peer, version });
            }
        }
    }

    async fn on_hello(&mut self, number: u64, epoch: Epoch) {
        if self.receiver.epoch() != Some(epoch) {
            let incoming = match self.shared.store.incoming(&self.peer, &epoch).await {
                Ok(incoming) => incoming,
                // Without an answer the peer asks again.
                Err(error) => return self.store_failed(&error),
            };
            // What waits for the handler comes again with other ids.
            self.generation.fetch_add(1, Ordering::AcqRel);
            self.receiver.enter_epoch(epoch, incoming);
        }
        self.receiver.on_hello(number);
    }

    fn on_data(&mut self, epoch: Epoch, mark: Mark, body: bytes::Bytes, held: Held) {
        let Mark { counter, stamp } = mark;
        match self.receiver.on_data(epoch, counter) {
            Arrival::Take => {
                let generation = self.generation.load(Ordering::Acquire);
                let queued = Queued { generation, epoch, counter, stamp, body, _held: held };
                // A peer that keeps to its window finds room.
                if self.queue.try_send(queued).is_ok() {
                    self.receiver.took();
                }
            }
            Arrival::Duplicate => {}
            Arrival::OutOfOrder(expected) => {
                self.warn(DeliveryNotice::Gap { peer: self.peer, expected, came: counter });
            }
        }
    }

    fn on_acknowledge(&mut self, epoch: Epoch, counter: u64) {
        match self.sender.on_acknowledge(epoch, counter) {
            Acknowledged::UpTo(sequence, stamp) => self.delete(sequence, stamp),
            Acknowledged::Beyond => self.warn(DeliveryNotice::BadAcknowledgement { peer: self.peer }),
            Acknowledged::Ignored => {}
        }
    }

    /// The peer has handled everything up to a sequence.
    fn delete(&mut self, sequence: u64, stamp: Stamp) {
        self.acknowledge = Some((sequence, stamp));
        self.state.unacknowledged_since = None;
        self.progress();
    }

    fn progress(&mut self) {
        self.probe.progress();
        self.state.last_error = None;
        if let Some(suspicion) = &self.suspicion {
            suspicion.send_if_modified(|it| it.0.take().is_some());
        }
    }

    async fn on_resume(&mut self, resumed: Resumed, window: DeliveryWindow) {
        match resumed {
            Resumed::Ignored => {}
            Resumed::From(sequence, stamp) => match self.stamp(sequence).await {
                Ok(known) if known == Some(stamp) => {
                    if sequence > self.sender.acknowledged() {
                        self.delete(sequence, stamp);
                    }
                    self.sender.resume(sequence, stamp, window);
                    self.state.connected_since.get_or_insert_with(time::now);
                    self.progress();
                }
                Ok(_) => self.new_epoch(NewEpochReason::SenderRestored).await,
                Err(error) => self.store_failed(&error),
            },
            Resumed::Ahead => self.new_epoch(NewEpochReason::SenderRestored).await,
            Resumed::Missing(sequences) => {
                let missing = self.sender.counter(*sequences.start())..=self.sender.counter(*sequences.end());
                self.new_epoch(NewEpochReason::ReceiverRestored { missing }).await;
            }
        }
    }

    async fn stamp(&mut self, sequence: u64) -> Result<Option<Stamp>, StoreError> {
        match self.sender.known_stamp(sequence) {
            Some(stamp) => Ok(Some(stamp)),
            None => self.shared.store.stamp(&self.peer, sequence).await,
        }
    }

    async fn new_epoch(&mut self, reason: NewEpochReason) {
        if let Err(error) = self.enter_new_epoch(reason).await {
            self.store_failed(&error);
        }
    }

    async fn enter_new_epoch(&mut self, reason: NewEpochReason) -> Result<(), StoreError> {
        // What was acknowledged must not get a new id.
        if let Some(done) = self.jobs.take(Kind::Acknowledge).await {
            self.on_done(done).await;
        }
        if let Some((sequence, stamp)) = self.acknowledge {
            self.state.outstanding = self.shared.store.acknowledge(&self.peer, sequence, stamp).await?;
            self.acknowledge = None;
        }
        let record = self.shared.store.new_epoch(&self.peer).await?;
        self.sender.enter_epoch(record);
        self.progress();
        self.shared.notice(DeliveryNotice::NewEpoch { peer: self.peer, epoch: record.epoch, reason });
        self.say_hello();
        Ok(())
    }

    fn on_missing_answer(&mut self) {
        let (now, since) = (time::now(), self.state.unacknowledged_since);
        match self.probe.expired(now) {
            Doubt::Ask if self.channel.is_some() => self.say_hello(),
            _ => {
                if let Some(since) = since.map(time::since) {
                    self.shared.notice(DeliveryNotice::Unacknowledged { peer: self.peer, since });
                    self.state.last_error = Some("the peer does not answer over the channel".into());
                }
                self.replace_channel();
            }
        }
    }

    fn warn(&mut self, notice: DeliveryNotice) {
        if self.warnings.take(WARNING_RATE, self.shared.core.uptime()) {
            self.shared.notice(notice);
        }
    }
}

/// Waits until a closed gate opens.
async fn opened(gate: Option<&Arc<BackpressureGate>>) {
    match gate {
        Some(gate) => gate.opened().await,
        None => std::future::pending().await,
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

mod channel;
mod storage;
