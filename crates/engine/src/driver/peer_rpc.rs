//! Questions to other engines and theirs to us, news to friends and from owners.
//!
//! ```text
//! Call ─► a channel with the owner, kept for the next ─► their desk ─► Answered
//! their Call ─► our desk ─► EngineCommand ─► … ─► Reply ─► the way the question came
//! Push ─► behind the channel that the friend last asked over ─► their news ─► Told
//! ```

use super::NodeContext;
use super::dialer::{self, DESK, NEWS, PeerConnection};
use crate::api::{Code, Fault};
use crate::core::{CallId, Event};
use crate::peer::PeerAddress;
use crate::peer::{MAX_MESSAGE, PeerNotification, PeerRequest, PeerResponse};
use bytes::Bytes;
use postern_node::identity::Identifier;
use postern_node::{Context, Route, Routed, Worker, WorkerError, route};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The same over a channel that was opened earlier, and may be dead without knowing: then another one is opened.
const ANSWER_SOON: Duration = Duration::from_secs(3);
/// Channels with owners that are kept for the next question; above, the one used longest ago is closed.
const MAX_ROADS: usize = 256;
/// Friends whose way is remembered for news.
const MAX_FRIENDS: usize = 1_024;
/// Questions that may wait for the heart's answer.
const MAX_ASKED: usize = 256;
/// Questions that one person may ask in a row, and how long it takes until they may ask one more.
const BURST: u32 = 32;
const ONE_MORE: Duration = Duration::from_millis(250);

/// What is open with whom; clones share it.
#[derive(Clone, Default)]
pub(crate) struct PeerRpc(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    roads: HashMap<Identifier, Slot>,
    /// Where the last question of each friend came from.
    friends: HashMap<Identifier, Friend>,
    asked: HashMap<CallId, Route>,
    last_asked: u64,
}

struct Slot {
    road: Arc<tokio::sync::Mutex<Option<Arc<PeerConnection>>>>,
    used: Instant,
}

struct Friend {
    /// To their news, through the channel that they asked over.
    news: Route,
    /// Until when they have used up what they may ask.
    busy_until: Instant,
}

impl PeerRpc {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks another engine.
    pub(crate) async fn call(
        &self,
        net: &NodeContext,
        to: Identifier,
        reach: &[PeerAddress],
        message: &PeerRequest,
    ) -> Result<PeerResponse, Fault> {
        let too_long = |_| Fault::new(Code::TooMany, "There is more to say than fits into one message.");
        let bytes = Bytes::from(message.encode().map_err(too_long)?);
        let kept = self.kept(to);
        // One question at a time to each owner: the next one uses the channel that this one has opened.
        let mut road = kept.lock().await;
        if let Some(open) = road.as_ref().filter(|road| !road.channel.is_closed())
            && let Ok(answer) = ask(net, open, bytes.clone(), ANSWER_SOON).await
        {
            return answer;
        }
        *road = None;
        let open = Arc::new(dialer::open(net, to, reach).await?);
        match ask(net, &open, bytes, ANSWER_WITHIN).await {
            Ok(answer) => {
                *road = Some(open);
                answer
            }
            Err(_) => Err(Fault::new(
                Code::OwnerOffline,
                "The other side does not answer, although it is there. Postern asks again.",
            )),
        }
    }

    fn kept(&self, to: Identifier) -> Arc<tokio::sync::Mutex<Option<Arc<PeerConnection>>>> {
        let mut inner = self.inner();
        if inner.roads.len() >= MAX_ROADS && !inner.roads.contains_key(&to) {
            let oldest = inner.roads.iter().min_by_key(|(_, kept)| kept.used).map(|(who, _)| *who);
            oldest.map(|oldest| inner.roads.remove(&oldest));
        }
        let now = Instant::now();
        let kept = inner.roads.entry(to).or_insert_with(|| Slot { road: Arc::default(), used: now });
        kept.used = now;
        kept.road.clone()
    }

    /// Answers a question.
    pub(crate) fn reply(&self, net: &NodeContext, call: CallId, answer: &PeerResponse) {
        let Some(route) = self.inner().asked.remove(&call) else { return };
        match answer.encode() {
            Ok(bytes) => send(net, route, bytes),
            Err(_) => tracing::warn!("an answer is too long to be given"),
        }
    }

    /// Tells a friend something, if they have asked over a channel that is still open.
    pub(crate) fn push(&self, net: &NodeContext, to: Identifier, news: &PeerNotification) {
        let Some(route) = self.inner().friends.get(&to).map(|friend| friend.news.clone()) else { return };
        if let Ok(bytes) = news.encode() {
            send(net, route, bytes);
        }
    }

    /// Tells all friends at once, and waits until that is on its way.
    pub(crate) async fn push_to_all(&self, net: &NodeContext, news: &PeerNotification) {
        let routes: Vec<Route> = self.inner().friends.values().map(|friend| friend.news.clone()).collect();
        let (Ok(bytes), Ok(mut context)) = (news.encode().map(Bytes::from), net.node.context()) else { return };
        for route in routes {
            if let Err(error) = context.send(route, bytes.clone()).await {
                tracing::debug!(%error, "a friend was not told");
            }
        }
    }

    /// Ends what we have opened with somebody. The way that they have opened stays, to tell them how things are.
    pub(crate) fn cut(&self, who: Identifier) {
        self.inner().roads.remove(&who);
    }

    /// Ends everything.
    pub(crate) fn clear(&self) {
        *self.inner() = Inner::default();
    }

    /// Takes a question in, if its asker may ask now.
    fn admit(&self, from: Identifier, return_route: &Route) -> Option<CallId> {
        let mut inner = self.inner();
        let now = Instant::now();
        if inner.asked.len() >= MAX_ASKED {
            return None;
        }
        if inner.friends.len() >= MAX_FRIENDS && !inner.friends.contains_key(&from) {
            let longest_ago = inner.friends.iter().min_by_key(|(_, friend)| friend.busy_until).map(|(who, _)| *who);
            longest_ago.map(|who| inner.friends.remove(&who));
        }
        let news: Route = return_route.iter().take(return_route.len().saturating_sub(1)).collect();
        let friend = inner.friends.entry(from).or_insert_with(|| Friend { news: Route::new(), busy_until: now });
        friend.busy_until = friend.busy_until.max(now) + ONE_MORE;
        if friend.busy_until > now + ONE_MORE * BURST {
            friend.busy_until -= ONE_MORE;
            return None;
        }
        friend.news = news.then(NEWS);
        inner.last_asked += 1;
        let call = CallId(inner.last_asked);
        inner.asked.insert(call, return_route.clone());
        Some(call)
    }
}

/// Asks over an open channel. The outer error: nothing came.
async fn ask(
    net: &NodeContext,
    road: &PeerConnection,
    message: Bytes,
    within: Duration,
) -> Result<Result<PeerResponse, Fault>, ()> {
    let context = net.node.context().map_err(drop)?;
    let answer = context.send_and_receive_within::<Bytes>(within, route![&road.channel, DESK], message);
    let answer = tokio::select! {
        answer = answer => answer.map_err(drop)?,
        () = road.channel.closed() => return Err(()),
    };
    Ok(PeerResponse::decode(answer.body()).map_err(|error| {
        Fault::new(Code::Failed, format!("The other side answers with something that is {error}. Update Postern."))
    }))
}

/// Sends from a mailbox of its own, so that a slow connection holds up nobody else.
fn send(net: &NodeContext, route: Route, bytes: Vec<u8>) {
    let node = net.node.clone();
    net.spawn(async move {
        let Ok(mut context) = node.context() else { return };
        if let Err(error) = context.send(route, Bytes::from(bytes)).await {
            tracing::debug!(%error, "a message to another engine was not delivered");
        }
    });
}

/// Takes questions of others.
pub(crate) struct PeerRequestHandler(pub(crate) NodeContext);

impl Worker for PeerRequestHandler {
    type Message = Bytes;

    async fn handle_message(&mut self, _: &mut Context, message: Routed<Bytes>) -> Result<(), WorkerError> {
        let Some(from) = message.peer().copied() else { return Ok(()) };
        if message.body().len() > MAX_MESSAGE {
            return Ok(());
        }
        let Some(call) = self.0.calls.admit(from, message.return_route()) else {
            tracing::warn!("somebody asks too much and was not heard");
            return Ok(());
        };
        match PeerRequest::decode(message.body()) {
            Ok(question) => {
                self.0.met_again(&from);
                self.0.tell(Event::PeerRequest(call, from, question)).await;
            }
            Err(_) => self.0.calls.reply(&self.0, call, &PeerResponse::Refused(Code::Invalid)),
        }
        Ok(())
    }
}

/// Takes news of owners, over channels that we have opened with them.
pub(crate) struct NotificationHandler(pub(crate) NodeContext);

impl Worker for NotificationHandler {
    type Message = Bytes;

    async fn handle_message(&mut self, _: &mut Context, message: Routed<Bytes>) -> Result<(), WorkerError> {
        let Some(from) = message.peer().copied() else { return Ok(()) };
        if let Ok(news) = PeerNotification::decode(message.body()) {
            self.0.tell(Event::PeerNotification(from, news)).await;
        }
        Ok(())
    }
}
