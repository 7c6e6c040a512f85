//! The mailbox service: stores sealed messages until their recipients have acknowledged them.
//!
//! ```text
//! depositor ── Deposit ──► ┌────────────────┐ ── queue ─► PushTask ══► subscriber    one task per subscription
//!           ◄── Answer ─── │ MailboxService │ ◄──────── Acknowledge ──
//!                          └───────┬────────┘
//!                                Store    one owner, no lock
//! ```
//!
//! In: requests over secure channels with the hub; nothing else reaches the service. Out: answers, and stored messages
//! pushed to their recipient.
//!
//! Access control: a request never names the mailbox it reads. It is always that of the identity that the channel
//! authenticated, so nobody can read or delete the messages of somebody else.
//!
//! Backpressure: an answer is sent without waiting, and each subscription has a bounded queue and a task of its own, so
//! a subscriber that does not read delays nobody else.

mod store;
mod usage;

pub(crate) use store::{Capacity, Store};

use crate::authorization::{self, Party, Verdict};
use bytes::Bytes;
use postern_env::clock;
use postern_env::task::{self, JoinHandle};
use postern_env::time::{self, Duration, Instant};
use postern_node::identity::{Identifier, Timestamp};
use postern_node::mailbox::{
    IN_FLIGHT, MAIL_SIZE_MAX, MAILBOX_SERVICE, MailId, MailboxReply, MailboxRequest, Outcome, add_hub_time,
};
use postern_node::rate_limit::{Rate, RateLimiter};
use postern_node::{Address, Context, ContextError, Counter, Error, Node, Route, Routed, SourceAddress};
use std::collections::HashMap;
use std::sync::Arc;
use store::{Deposited, Depositor, StoredMail};
use tokio::sync::mpsc;
use usage::SourceNames;

/// How often expired messages are deleted. Messages live for days, so a minute more does not matter to anybody.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// Subscriptions of one recipient at once: several devices, or connections that the hub does not know to be dead yet.
const MAX_SUBSCRIBERS: usize = 8;

/// Rate limit of deposits, and of subscriptions, for each identity. The burst is as much as a recipient can have in
/// flight; afterwards one in two seconds is more than a person writes.
const DEPOSIT_RATE: Rate = Rate::new(32, Duration::from_secs(2));
/// Rate limit of deposits of all identities on one connection: two with a full burst, as a person has with two devices.
const DEPOSIT_RATE_PER_CONNECTION: Rate = Rate::new(64, Duration::from_secs(1));
/// Rate limit of deposits from one source address: as many people as 32 with a full burst, behind one NAT.
const DEPOSIT_RATE_PER_ADDRESS: Rate = Rate::new(1_024, Duration::from_millis(125));
/// Rate limit of identities that subscribe for the first time, from one source address. A person does so once for a hub.
const NEW_RECIPIENT_RATE: Rate = Rate::new(256, Duration::from_secs(60));
/// Rate limit of acknowledgements for each identity. They are cheap and must keep up with the messages that are pushed.
const ACKNOWLEDGE_RATE: Rate = Rate::new(512, Duration::from_millis(10));
/// Identities whose rate each limiter remembers. It bounds the memory that strangers can take (about 1 MiB).
const MAX_REMEMBERED_IDENTITIES: usize = 16_384;

/// What the service has done since it started, and what it holds now.
#[derive(Debug, Default)]
pub(crate) struct MailboxStats {
    pub(crate) messages: Counter,
    pub(crate) bytes: Counter,
    pub(crate) subscribers: Counter,
    pub(crate) deposited: Counter,
    pub(crate) pushed: Counter,
    pub(crate) acknowledged: Counter,
    pub(crate) expired: Counter,
    pub(crate) refused: Counter,
}

/// Starts the service; the caller exposes [`MAILBOX_SERVICE`] to the hub's channels. It ends with the node.
pub(crate) fn start(node: &Node, store: Store, stats: Arc<MailboxStats>) -> Result<JoinHandle<()>, Error> {
    let context = node.context_at(MAILBOX_SERVICE)?;
    let (unsubscribe, unsubscribed) = mpsc::unbounded_channel();
    let limiter = |rate| RateLimiter::new(rate, MAX_REMEMBERED_IDENTITIES);
    let service = MailboxService {
        node: node.clone(),
        context,
        store,
        stats,
        started: time::now(),
        source_names: SourceNames::new().map_err(|_| ContextError::Stopped)?,
        deposit_limiter: limiter(DEPOSIT_RATE),
        connection_limiter: RateLimiter::new(DEPOSIT_RATE_PER_CONNECTION, MAX_REMEMBERED_IDENTITIES),
        address_limiter: RateLimiter::new(DEPOSIT_RATE_PER_ADDRESS, MAX_REMEMBERED_IDENTITIES),
        new_recipient_limiter: RateLimiter::new(NEW_RECIPIENT_RATE, MAX_REMEMBERED_IDENTITIES),
        subscribe_limiter: limiter(DEPOSIT_RATE),
        acknowledge_limiter: limiter(ACKNOWLEDGE_RATE),
        subscribers: HashMap::new(),
        last_subscription: 0,
        unsubscribe,
    };
    Ok(task::spawn(service.run(unsubscribed)))
}

/// The state of the service, owned by its only task.
struct MailboxService {
    node: Node,
    context: Context,
    store: Store,
    stats: Arc<MailboxStats>,
    /// The rate limiters count time from here.
    started: Instant,
    source_names: SourceNames,
    deposit_limiter: RateLimiter<Identifier>,
    connection_limiter: RateLimiter<Address>,
    address_limiter: RateLimiter<SourceAddress>,
    new_recipient_limiter: RateLimiter<SourceAddress>,
    subscribe_limiter: RateLimiter<Identifier>,
    acknowledge_limiter: RateLimiter<Identifier>,
    subscribers: HashMap<Identifier, Vec<Subscriber>>,
    /// Number of the newest subscription.
    last_subscription: u64,
    unsubscribe: mpsc::UnboundedSender<(Identifier, Subscription)>,
}

/// Which subscription: the number distinguishes it from an older one over the same channel.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Subscription {
    channel: Address,
    number: u64,
}

struct Subscriber {
    subscription: Subscription,
    queue: mpsc::Sender<Bytes>,
    /// The row of the newest message that was queued.
    last_queued: i64,
}

enum Event {
    Request(Routed<Bytes>),
    Unsubscribed(Identifier, Subscription),
    Sweep,
    Ignored,
    Stopped,
}

impl MailboxService {
    async fn run(mut self, mut unsubscribed: mpsc::UnboundedReceiver<(Identifier, Subscription)>) {
        let mut sweep = time::interval(SWEEP_INTERVAL);
        loop {
            let event = tokio::select! {
                received = self.context.receive::<Bytes>() => match received {
                    Ok(message) => Event::Request(message),
                    Err(ContextError::Stopped) => Event::Stopped,
                    Err(_) => Event::Ignored,
                },
                Some((recipient, subscription)) = unsubscribed.recv() => Event::Unsubscribed(recipient, subscription),
                _ = sweep.tick() => Event::Sweep,
            };
            match event {
                Event::Request(message) => self.handle(&message).await,
                Event::Unsubscribed(recipient, subscription) => self.remove(&recipient, &subscription),
                Event::Sweep => self.sweep().await,
                Event::Ignored => {}
                Event::Stopped => break,
            }
            self.update_gauges();
        }
        self.store.close().await;
    }

    async fn handle(&mut self, message: &Routed<Bytes>) {
        let Some((number, request)) = MailboxRequest::decode(message.body()) else {
            return tracing::debug!("a mailbox request could not be decoded and was ignored");
        };
        let verdict = authorization::of_mailbox(&request, Party::of_mailbox(&request, message.peer()));
        let (Some(peer), Verdict::Allowed) = (message.peer().copied(), verdict) else {
            return tracing::debug!("a mailbox request was not allowed and was ignored");
        };
        let result = match &request {
            MailboxRequest::Deposit { to, sealed } => self.deposit(message, peer, to, sealed).await,
            MailboxRequest::Acknowledge(id) => self.acknowledge(&peer, *id).await,
            MailboxRequest::Subscribe => self.register(message, &peer).await,
        };
        let outcome = result.unwrap_or_else(|error| {
            tracing::error!(%error, "the mailbox database failed; the request is refused as unavailable");
            Outcome::Unavailable
        });
        let mut reply = MailboxReply::Answer(number, outcome).encode();
        add_hub_time(&mut reply, clock::unix_millis());
        if let Err(error) = self.context.send_at_once(message.return_route().clone(), reply) {
            tracing::debug!(%error, "the answer of the mailbox could not be delivered; the client will time out");
        }
        match request {
            _ if outcome != Outcome::Done => self.stats.refused.add(1),
            MailboxRequest::Deposit { to, .. } => self.push(&to).await,
            MailboxRequest::Acknowledge(_) => self.push(&peer).await,
            MailboxRequest::Subscribe => self.subscribe(peer, message).await,
        }
    }

    async fn deposit(
        &mut self,
        message: &Routed<Bytes>,
        from: Identifier,
        to: &Identifier,
        sealed: &[u8],
    ) -> sqlx::Result<Outcome> {
        if sealed.len() > MAIL_SIZE_MAX {
            return Ok(Outcome::TooLarge);
        }
        if !self.may_deposit(message, &from) {
            return Ok(Outcome::RateLimited);
        }
        let from = Depositor { identifier: from, source: self.source_names.name(message.source_address()) };
        Ok(match self.store.deposit(&from, to, sealed, Timestamp::now()).await? {
            Deposited::Refused(outcome) => outcome,
            Deposited::Duplicate => Outcome::Done,
            Deposited::New => {
                self.stats.deposited.add(1);
                Outcome::Done
            }
        })
    }

    /// Whether the rate limits allow a deposit: of the identity, of the connection, and of where that comes from. Identities
    /// cost nothing, connections little.
    fn may_deposit(&mut self, message: &Routed<Bytes>, from: &Identifier) -> bool {
        let now = time::since(self.started);
        let connection = message.connection();
        self.deposit_limiter.allow(from, now)
            && connection.is_none_or(|connection| self.connection_limiter.allow(&connection, now))
            && message.source_address().is_none_or(|address| self.address_limiter.allow(&address, now))
    }

    /// Decides about a subscription: from now on messages are kept for the identity.
    async fn register(&mut self, message: &Routed<Bytes>, peer: &Identifier) -> sqlx::Result<Outcome> {
        let now = time::since(self.started);
        if !self.subscribe_limiter.allow(peer, now) {
            return Ok(Outcome::RateLimited);
        }
        let is_new = !self.store.is_known(peer).await?;
        let mut allowed = |address| self.new_recipient_limiter.allow(&address, now);
        if is_new && !message.source_address().is_none_or(&mut allowed) {
            return Ok(Outcome::RateLimited);
        }
        if !self.store.subscribe(peer, Timestamp::now()).await? {
            return Ok(Outcome::HubFull);
        }
        message.keep_channel();
        Ok(Outcome::Done)
    }

    async fn acknowledge(&mut self, recipient: &Identifier, id: MailId) -> sqlx::Result<Outcome> {
        if !self.acknowledge_limiter.allow(recipient, time::since(self.started)) {
            return Ok(Outcome::RateLimited);
        }
        if self.store.acknowledge(recipient, id).await? {
            self.stats.acknowledged.add(1);
        }
        Ok(Outcome::Done)
    }

    /// Pushes what is stored, and what is deposited later, along the return route of the request.
    async fn subscribe(&mut self, recipient: Identifier, message: &Routed<Bytes>) {
        let Some(channel) = message.return_route().front() else { return };
        let Ok(context) = self.node.context() else { return };
        self.last_subscription += 1;
        let subscription = Subscription { channel, number: self.last_subscription };
        let (queue, queued) = mpsc::channel(IN_FLIGHT);
        let push_task = PushTask { context, route: message.return_route().clone(), queued, stats: self.stats.clone() };
        let (unsubscribe, disconnected) = (self.unsubscribe.clone(), message.disconnected());
        let ended = (recipient, subscription.clone());
        task::spawn(async move {
            tokio::select! {
                () = disconnected => {}
                () = push_task.run() => {}
            }
            let _ = unsubscribe.send(ended);
        });
        let subscribers = self.subscribers.entry(recipient).or_default();
        subscribers.retain(|subscriber| subscriber.subscription.channel != subscription.channel);
        if subscribers.len() == MAX_SUBSCRIBERS {
            // The oldest gives way. If its client is still there it renews its subscription.
            subscribers.remove(0);
        }
        subscribers.push(Subscriber { subscription, queue, last_queued: 0 });
        self.push(&recipient).await;
    }

    /// Queues the stored messages of a recipient that are not queued yet, up to [`IN_FLIGHT`] unacknowledged ones.
    async fn push(&mut self, recipient: &Identifier) {
        let Some(subscribers) = self.subscribers.get_mut(recipient) else { return };
        let Some(first) = subscribers.iter().map(|subscriber| subscriber.last_queued).min() else { return };
        let waiting = match self.store.waiting(recipient, first, IN_FLIGHT, Timestamp::now()).await {
            Ok(waiting) => waiting,
            Err(error) => {
                return tracing::error!(%error, "the mailbox database failed; nothing is pushed until the next request");
            }
        };
        let waiting: Vec<(i64, Bytes)> = waiting
            .into_iter()
            .map(|StoredMail { row, mail }| (row, MailboxReply::Mail(mail).encode().into()))
            .collect();
        for subscriber in subscribers {
            for (row, payload) in &waiting {
                // A full queue: the rest follows, in order, when the subscription is renewed.
                if subscriber.last_queued < *row && subscriber.queue.try_send(payload.clone()).is_err() {
                    break;
                }
                subscriber.last_queued = subscriber.last_queued.max(*row);
            }
        }
    }

    fn remove(&mut self, recipient: &Identifier, subscription: &Subscription) {
        let Some(subscribers) = self.subscribers.get_mut(recipient) else { return };
        subscribers.retain(|subscriber| subscriber.subscription != *subscription);
        if subscribers.is_empty() {
            self.subscribers.remove(recipient);
        }
    }

    async fn sweep(&mut self) {
        let now = time::since(self.started);
        for limiter in [&mut self.deposit_limiter, &mut self.subscribe_limiter, &mut self.acknowledge_limiter] {
            limiter.forget_idle(now);
        }
        self.connection_limiter.forget_idle(now);
        self.address_limiter.forget_idle(now);
        self.new_recipient_limiter.forget_idle(now);
        match self.store.expire(Timestamp::now()).await {
            Ok(expired) => self.stats.expired.add(expired),
            Err(error) => tracing::error!(%error, "the mailbox database failed; expired messages are deleted later"),
        }
    }

    fn update_gauges(&self) {
        let (messages, bytes) = self.store.totals();
        let subscribers = self.subscribers.values().map(Vec::len).sum::<usize>() as u64;
        let stats = &self.stats;
        for (counter, now) in [(&stats.messages, messages), (&stats.bytes, bytes), (&stats.subscribers, subscribers)] {
            counter.set(now);
        }
    }
}

/// Sends one subscription what is queued for it.
struct PushTask {
    context: Context,
    route: Route,
    queued: mpsc::Receiver<Bytes>,
    stats: Arc<MailboxStats>,
}

impl PushTask {
    async fn run(mut self) {
        while let Some(payload) = self.queued.recv().await {
            if let Err(error) = self.context.send(self.route.clone(), payload).await {
                return tracing::debug!(%error, "a mailbox subscriber is gone; its messages stay stored");
            }
            self.stats.pushed.add(1);
        }
    }
}
