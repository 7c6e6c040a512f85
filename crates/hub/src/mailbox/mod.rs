//! The mailbox service: keeps sealed messages until their recipients have them.
//!
//! ```text
//! depositor ── Deposit ────► ┌──────────┐ ── queue ─► Pushing ══► subscriber      one for each channel
//!           ◄── Answer ──    │ Postbox  │ ◄──────── Acknowledge ──
//!                            └────┬─────┘
//!                               Store      one owner, no lock
//! ```
//!
//! Only secure channels with the hub reach it. Whose mailbox is read is never said in a message: it is that of the
//! identity at the other end of the channel. Answers wait for nobody; a subscriber who does not take what is pushed
//! holds up its own queue only.

mod allowance;
mod store;

pub(crate) use store::{Capacity, Store};

use allowance::{Allowances, Rate};
use bytes::Bytes;
use postern_node::identity::{Identifier, Timestamp};
use postern_node::mailbox::{IN_FLIGHT, MAIL_SIZE_MAX, MAILBOX_SERVICE, MailId, MailboxReply, MailboxRequest, Outcome};
use postern_node::{Address, Context, Counter, Error, Node, Route, Routed};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{Deposited, Waiting};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How often what is too old is looked for.
const SWEEP: Duration = Duration::from_secs(60);
/// Channels that one recipient may subscribe over at once.
const SUBSCRIBERS: usize = 8;

/// How fast one identity may leave messages, and subscribe.
const RATE: Rate = Rate { burst: 32, refill: Duration::from_secs(2) };
/// How fast one identity may acknowledge messages.
const ACKNOWLEDGE_RATE: Rate = Rate { burst: 512, refill: Duration::from_millis(10) };

/// What the service has done, and what it holds now.
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
    let (leave, leaving) = mpsc::unbounded_channel();
    let postbox = Postbox {
        node: node.clone(),
        context,
        store,
        stats,
        depositing: Allowances::new(RATE),
        subscribing: Allowances::new(RATE),
        acknowledging: Allowances::new(ACKNOWLEDGE_RATE),
        subscribers: HashMap::new(),
        subscriptions: 0,
        leave,
    };
    Ok(tokio::spawn(postbox.run(leaving)))
}

/// The service's only task.
struct Postbox {
    node: Node,
    context: Context,
    store: Store,
    stats: Arc<MailboxStats>,
    depositing: Allowances,
    subscribing: Allowances,
    acknowledging: Allowances,
    subscribers: HashMap<Identifier, Vec<Subscriber>>,
    /// Counts them, to tell one from the next.
    subscriptions: u64,
    leave: mpsc::UnboundedSender<(Identifier, Subscription)>,
}

/// Tells a subscription from an older one over the same channel.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Subscription {
    channel: Address,
    number: u64,
}

struct Subscriber {
    subscription: Subscription,
    queue: mpsc::Sender<Bytes>,
    /// The last row that was queued.
    last: i64,
}

enum Event {
    Asked(Routed<Bytes>),
    Left(Identifier, Subscription),
    Sweep,
    Nothing,
    Over,
}

impl Postbox {
    async fn run(mut self, mut leaving: mpsc::UnboundedReceiver<(Identifier, Subscription)>) {
        let mut sweep = tokio::time::interval(SWEEP);
        loop {
            let event = tokio::select! {
                asked = self.context.receive::<Bytes>() => match asked {
                    Ok(message) => Event::Asked(message),
                    Err(Error::Stopped) => Event::Over,
                    Err(_) => Event::Nothing,
                },
                Some((recipient, subscription)) = leaving.recv() => Event::Left(recipient, subscription),
                _ = sweep.tick() => Event::Sweep,
            };
            match event {
                Event::Asked(message) => self.handle(&message).await,
                Event::Left(recipient, subscription) => self.remove(&recipient, &subscription),
                Event::Sweep => self.sweep().await,
                Event::Nothing => {}
                Event::Over => break,
            }
            self.count();
        }
        self.store.close().await;
    }

    async fn handle(&mut self, message: &Routed<Bytes>) {
        let Some(peer) = message.peer().copied() else { return };
        let Some((number, request)) = MailboxRequest::decode(message.body()) else {
            return tracing::debug!("a mailbox request was not understood");
        };
        let done = match &request {
            MailboxRequest::Deposit { to, sealed } => self.deposit(&peer, to, sealed).await,
            MailboxRequest::Acknowledge(id) => self.acknowledge(&peer, *id).await,
            MailboxRequest::Subscribe if self.subscribing.take(&peer, Instant::now()) => Ok(Outcome::Done),
            MailboxRequest::Subscribe => Ok(Outcome::RateLimited),
        };
        let outcome = done.unwrap_or_else(|error| {
            tracing::error!(%error, "the mailbox database failed");
            Outcome::Unavailable
        });
        let reply = MailboxReply::Answer(number, outcome);
        if let Err(error) = self.context.send_at_once(message.return_route().clone(), reply.encode()) {
            tracing::debug!(%error, "an answer of the mailbox went nowhere");
        }
        match request {
            _ if outcome != Outcome::Done => self.stats.refused.add(1),
            MailboxRequest::Deposit { to, .. } => self.push(&to).await,
            MailboxRequest::Acknowledge(_) => self.push(&peer).await,
            MailboxRequest::Subscribe => self.subscribe(peer, message).await,
        }
    }

    async fn deposit(&mut self, from: &Identifier, to: &Identifier, sealed: &[u8]) -> sqlx::Result<Outcome> {
        if sealed.len() > MAIL_SIZE_MAX {
            return Ok(Outcome::TooLarge);
        }
        if !self.depositing.take(from, Instant::now()) {
            return Ok(Outcome::RateLimited);
        }
        Ok(match self.store.deposit(from, to, sealed, Timestamp::now()).await? {
            Deposited::Refused(outcome) => outcome,
            Deposited::Again => Outcome::Done,
            Deposited::New => {
                self.stats.deposited.add(1);
                Outcome::Done
            }
        })
    }

    async fn acknowledge(&mut self, recipient: &Identifier, id: MailId) -> sqlx::Result<Outcome> {
        if !self.acknowledging.take(recipient, Instant::now()) {
            return Ok(Outcome::RateLimited);
        }
        if self.store.acknowledge(recipient, id).await? {
            self.stats.acknowledged.add(1);
        }
        Ok(Outcome::Done)
    }

    /// Pushes what waits, and what comes later, along the way that the request came.
    async fn subscribe(&mut self, recipient: Identifier, message: &Routed<Bytes>) {
        let Some(channel) = message.return_route().front() else { return };
        let Ok(context) = self.node.context() else { return };
        self.subscriptions += 1;
        let subscription = Subscription { channel, number: self.subscriptions };
        let (queue, queued) = mpsc::channel(IN_FLIGHT);
        let pushing = Pushing { context, route: message.return_route().clone(), queued, stats: self.stats.clone() };
        let (leave, disconnected, left) =
            (self.leave.clone(), message.disconnected(), (recipient, subscription.clone()));
        tokio::spawn(async move {
            tokio::select! {
                () = disconnected => {}
                () = pushing.run() => {}
            }
            let _ = leave.send(left);
        });
        let subscribers = self.subscribers.entry(recipient).or_default();
        subscribers.retain(|subscriber| subscriber.subscription.channel != subscription.channel);
        if subscribers.len() == SUBSCRIBERS {
            // Whoever really is there subscribes again.
            subscribers.remove(0);
        }
        subscribers.push(Subscriber { subscription, queue, last: 0 });
        self.push(&recipient).await;
    }

    /// Queues what waits for a recipient and is not queued yet, as far as it may be on the way.
    async fn push(&mut self, recipient: &Identifier) {
        let Some(subscribers) = self.subscribers.get_mut(recipient) else { return };
        let Some(first) = subscribers.iter().map(|subscriber| subscriber.last).min() else { return };
        let waiting = match self.store.waiting(recipient, first, IN_FLIGHT, Timestamp::now()).await {
            Ok(waiting) => waiting,
            Err(error) => return tracing::error!(%error, "the mailbox database failed"),
        };
        let waiting: Vec<(i64, Bytes)> =
            waiting.into_iter().map(|Waiting { row, mail }| (row, MailboxReply::Mail(mail).encode().into())).collect();
        for subscriber in subscribers {
            for (row, payload) in &waiting {
                // One that takes no more now gets the rest, in order, when it subscribes again.
                if subscriber.last < *row && subscriber.queue.try_send(payload.clone()).is_err() {
                    break;
                }
                subscriber.last = subscriber.last.max(*row);
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
        for allowances in [&mut self.depositing, &mut self.subscribing, &mut self.acknowledging] {
            allowances.forget_rested(Instant::now());
        }
        match self.store.expire(Timestamp::now()).await {
            Ok(expired) => self.stats.expired.add(expired),
            Err(error) => tracing::error!(%error, "the mailbox database failed"),
        }
    }

    fn count(&self) {
        let (messages, bytes) = self.store.totals();
        let subscribers = self.subscribers.values().map(Vec::len).sum::<usize>() as u64;
        let stats = &self.stats;
        for (counter, now) in [(&stats.messages, messages), (&stats.bytes, bytes), (&stats.subscribers, subscribers)] {
            counter.set(now);
        }
    }
}

/// Sends one subscriber what is queued for it.
struct Pushing {
    context: Context,
    route: Route,
    queued: mpsc::Receiver<Bytes>,
    stats: Arc<MailboxStats>,
}

impl Pushing {
    async fn run(mut self) {
        while let Some(payload) = self.queued.recv().await {
            if let Err(error) = self.context.send(self.route.clone(), payload).await {
                return tracing::debug!(%error, "a subscriber of the mailbox is gone");
            }
            self.stats.pushed.add(1);
        }
    }
}
