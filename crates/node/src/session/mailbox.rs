//! A [`MailboxSession`] keeps a mailbox subscribed, through every reconnection to its hub.
//!
//! ```text
//! hub is Up with a channel ─► Subscribe ─► Up ─► Mail … Acknowledge … ─── channel ends ──► Down ─► …
//! ```

use super::error::SessionError;
use super::hub::{HubSession, HubUp};
use super::retry_schedule::FIRST_RETRY;
use super::state::State;
use crate::address::Address;
use crate::backoff::{Backoff, Jitter};
use crate::context::Context;
use crate::core::Core;
use crate::identity::Identifier;
use crate::mailbox::{
    ANSWER_TIMEOUT, IN_FLIGHT, MAILBOX_SERVICE, Mail, MailId, MailboxError, MailboxReply, MailboxRequest, hub_time,
};
use crate::origin::Origin;
use crate::relay::RelayError;
use crate::route::Route;
use crate::secure_channel::SecureChannel;
use postern_env::clock;
use postern_env::time::{self, Duration};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

type Result<T, E = SessionError> = std::result::Result<T, E>;

/// A subscription is renewed this often: what was lost on the way comes again then.
const RENEW_EVERY: Duration = Duration::from_secs(60);
/// A hub's clock is reported again when it differs from what was reported by so many milliseconds. Chosen: more than an
/// answer takes, less than anybody would notice.
const CLOCK_DIFFERS: u64 = 5_000;
/// Longest wait before it is asked for again where a hub has refused it: longer than for a connection, for a hub counts.
const LONGEST_RETRY: Duration = Duration::from_secs(1);
/// Messages that were handed to the program and are not known to be gone from the hub. An honest hub has at most
/// [`IN_FLIGHT`] on the way.
const HELD_MAX: usize = 2 * IN_FLIGHT;

/// Yields the messages that wait at a hub for the identity which its [`HubSession`] is there as, until it is dropped or
/// the node stops.
///
/// A message is yielded once, unless the program is started again before it has acknowledged it.
pub struct MailboxSession {
    mail: mpsc::Receiver<Mail>,
    state: watch::Receiver<State<Identifier>>,
    clock_ahead: watch::Receiver<Option<i64>>,
    acknowledger: Acknowledger,
    stop: CancellationToken,
}

/// Acknowledges messages of one [`MailboxSession`].
#[derive(Debug, Clone)]
pub struct Acknowledger(mpsc::UnboundedSender<MailId>);

impl MailboxSession {
    /// Waits for the next message; nothing when the node has stopped. Dropping the future loses none.
    pub async fn next(&mut self) -> Option<Mail> {
        self.mail.recv().await
    }

    /// Says that the program has done with a message, so that the hub may delete it.
    pub fn acknowledge(&self, id: MailId) {
        self.acknowledger.acknowledge(id);
    }

    /// The same from elsewhere.
    pub fn acknowledger(&self) -> Acknowledger {
        self.acknowledger.clone()
    }

    /// How it is doing now; when it is up, the hub that the mailbox is at.
    pub fn state(&self) -> State<Identifier> {
        self.state.borrow().clone()
    }

    /// How many milliseconds the hub's clock is ahead of this machine's, as its last answer says; nothing if it does not say. A
    /// hint: the hub may lie, and the time that the answer took is included.
    pub fn clock_ahead(&self) -> watch::Receiver<Option<i64>> {
        self.clock_ahead.clone()
    }

    /// Follows how it is doing.
    pub fn watch(&self) -> watch::Receiver<State<Identifier>> {
        self.state.clone()
    }
}

impl Acknowledger {
    /// Acknowledges a message that the program has processed. The hub is told as soon as it is connected, and again until it
    /// hub has confirmed.
    pub fn acknowledge(&self, id: MailId) {
        let _ = self.0.send(id);
    }
}

impl Drop for MailboxSession {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Keeps the mailbox subscribed of the identity which `hub` is kept as.
pub(crate) fn keep(core: &Arc<Core>, hub: &HubSession) -> MailboxSession {
    let (deliver, mail) = mpsc::channel(IN_FLIGHT);
    let (acknowledge, acknowledged) = mpsc::unbounded_channel();
    let (report, state) = watch::channel(State::Connecting);
    let (report_clock, clock_ahead) = watch::channel(None);
    let core = core.clone();
    let stop = core.stopping.child_token();
    let subscribing = SubscriptionLoop {
        core: core.clone(),
        hub: hub.watch(),
        report,
        report_clock,
        deliver,
        acknowledged,
        held: HashSet::new(),
        done: HashSet::new(),
    };
    let stopped = stop.clone();
    core.spawn(async move {
        stopped.run_until_cancelled(subscribing.run()).await;
    });
    MailboxSession { mail, state, clock_ahead, acknowledger: Acknowledger(acknowledge), stop }
}

struct SubscriptionLoop {
    core: Arc<Core>,
    hub: watch::Receiver<State<HubUp>>,
    report: watch::Sender<State<Identifier>>,
    report_clock: watch::Sender<Option<i64>>,
    deliver: mpsc::Sender<Mail>,
    acknowledged: mpsc::UnboundedReceiver<MailId>,
    /// What the program has been given and the hub may still have.
    held: HashSet<MailId>,
    /// What of that the program has done with.
    done: HashSet<MailId>,
}

/// What a subscription waits for.
enum Event {
    Received(MailboxReply, Option<u64>),
    Acknowledged(MailId),
    Renew,
    Over(SessionError),
}

/// A subscription over one channel.
struct Subscription<'a> {
    channel: &'a SecureChannel,
    context: Context,
    next_number: u64,
    /// What the hub has not answered yet.
    unanswered: HashMap<u64, MailboxRequest>,
}

impl SubscriptionLoop {
    async fn run(mut self) {
        // One at a time asks its own hub over an open channel: there is nothing to spread by jitter.
        let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY).with_jitter(Jitter::None);
        while let Some(channel) = self.channel().await {
            let Err(error) = self.serve(&channel).await else { return };
            if self.report.borrow().up().is_some() {
                backoff.reset();
            }
            tracing::debug!(%error, "not subscribed to the mailbox");
            self.report.send_replace(State::Down(Arc::new(error)));
            if !channel.is_cut() {
                time::sleep(backoff.next(0.0)).await;
            }
        }
    }

    /// Waits for the hub's channel. Until then the hub's reason is ours.
    async fn channel(&mut self) -> Option<SecureChannel> {
        loop {
            let missing = match &*self.hub.borrow_and_update() {
                State::Up(up) => match &up.channel {
                    Some(channel) if !channel.is_cut() => return Some(channel.clone()),
                    Some(_) => None,
                    None => Some(Arc::new(MailboxError::NoChannel.into())),
                },
                State::Down(reason) => Some(reason.clone()),
                State::Connecting => None,
            };
            if let Some(reason) = missing {
                self.report.send_replace(State::Down(reason));
            }
            self.hub.changed().await.ok()?;
        }
    }

    /// Subscribes and hands messages on, until that fails.
    async fn serve(&mut self, channel: &SecureChannel) -> Result<()> {
        let context = Context::open(&self.core, Address::random(), self.core.stopping.child_token())?;
        self.core.router.expose(context.address(), channel.origin());
        let mut subscription = Subscription { channel, context, next_number: 0, unanswered: HashMap::new() };
        let mut renew = time::interval_at(time::now() + RENEW_EVERY, RENEW_EVERY);
        self.subscribe(&mut subscription).await?;
        let deadline = time::now() + ANSWER_TIMEOUT;
        loop {
            let waiting = self.report.borrow().up().is_none();
            let event = tokio::select! {
                () = channel.cut() => Event::Over(RelayError::Disconnected.into()),
                () = time::sleep_until(deadline), if waiting => Event::Over(MailboxError::NotAnswered.into()),
                said = subscription.next() => said,
                Some(id) = self.acknowledged.recv() => Event::Acknowledged(id),
                _ = renew.tick() => Event::Renew,
            };
            match event {
                Event::Over(error) => return Err(error),
                Event::Received(MailboxReply::Answer(number, outcome), hub_time) => {
                    self.report_clock.send_if_modified(|reported| note_clock(reported, hub_time));
                    self.answered(&mut subscription, number, MailboxError::check(outcome))?;
                }
                Event::Received(MailboxReply::Mail(mail), _) if self.done.contains(&mail.id) => {
                    subscription.ask(MailboxRequest::Acknowledge(mail.id)).await?;
                }
                Event::Received(MailboxReply::Mail(mail), _) => self.hand_on(mail),
                Event::Acknowledged(id) if self.held.contains(&id) => {
                    self.done.insert(id);
                    subscription.ask(MailboxRequest::Acknowledge(id)).await?;
                }
                Event::Acknowledged(_) => {}
                Event::Renew if subscription.unanswered.is_empty() => self.subscribe(&mut subscription).await?,
                Event::Renew => return Err(MailboxError::NotAnswered.into()),
            }
        }
    }

    async fn subscribe(&self, subscription: &mut Subscription<'_>) -> Result<()> {
        // First what is done with, so that it does not come again.
        for id in &self.done {
            subscription.ask(MailboxRequest::Acknowledge(*id)).await?;
        }
        subscription.ask(MailboxRequest::Subscribe).await
    }

    fn answered(
        &mut self,
        subscription: &mut Subscription<'_>,
        number: u64,
        answer: Result<(), MailboxError>,
    ) -> Result<()> {
        match subscription.unanswered.remove(&number) {
            Some(MailboxRequest::Subscribe) => {
                answer?;
                let hub = subscription.channel.peer().identifier;
                self.report.send_if_modified(|state| {
                    let news = state.up() != Some(&hub);
                    *state = State::Up(hub);
                    news
                });
            }
            // What could not be acknowledged now comes again, and is then.
            Some(MailboxRequest::Acknowledge(id)) if answer.is_ok() => {
                self.held.remove(&id);
                self.done.remove(&id);
            }
            _ => {}
        }
        Ok(())
    }

    /// Gives a message to the program, if it has not got it yet and there is room.
    fn hand_on(&mut self, mail: Mail) {
        let id = mail.id;
        if self.held.len() < HELD_MAX && self.held.insert(id) && self.deliver.try_send(mail).is_err() {
            self.held.remove(&id);
        }
    }
}

/// Takes the hub's clock; whether it differs from what was reported by enough to report it.
fn note_clock(reported: &mut Option<i64>, hub_time: Option<u64>) -> bool {
    let ahead = hub_time.map(|hub| hub.cast_signed().saturating_sub(clock::unix_millis().cast_signed()));
    let differs = match (*reported, ahead) {
        (Some(before), Some(now)) => before.abs_diff(now) >= CLOCK_DIFFERS,
        (before, now) => before.is_some() != now.is_some(),
    };
    if differs {
        *reported = ahead;
    }
    differs
}

impl Subscription<'_> {
    async fn ask(&mut self, request: MailboxRequest) -> Result<()> {
        let number = self.next_number;
        self.next_number += 1;
        let payload = request.encode(number);
        self.unanswered.insert(number, request);
        Ok(self.context.send(Route::from(self.channel).then(MAILBOX_SERVICE), payload).await?)
    }

    async fn next(&mut self) -> Event {
        loop {
            let Some(message) = self.context.next().await else { return Event::Over(SessionError::Stopped) };
            match MailboxReply::decode(&message.payload) {
                Some(said) => return Event::Received(said, hub_time(&message.payload)),
                None => tracing::debug!("the hub's mailbox says what nobody understands"),
            }
        }
    }
}
