//! The initiator's side of a channel to one peer: makes handshakes until one is answered, and again when the channel seems lost.
//!
//! ```text
//! handshake, another, … (backoff) ─► Opened ─── cut ──► handshake …
//!                                       └── suspected ──► handshake … ─┬─► Opened (the old one is closed)
//!                                                   trusted again ─────┘
//! ```
//!
//! A path may store what is sent along it, for hours. So a few handshakes stay open for their answers, and the peer that comes back
//! and reads the oldest of them is connected at once.

use super::event::Event;
use super::state::DeliveryOptions;
use crate::address::Address;
use crate::backoff::Backoff;
use crate::core::Core;
use crate::route::Route;
use crate::secure_channel::{ChannelError, ChannelKey, SecureChannel, SecureChannelOptions, open_with};
use crate::session::{HubSession, HubUp, State};
use postern_env::random;
use postern_env::task::JoinSet;
use postern_env::time::{self, Duration, Instant};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// Handshakes of one peer that wait for an answer at once; the oldest gives way.
const HANDSHAKES_MAX: usize = 8;

/// Handshakes along a route that keeps them are so many times as far apart: with the default, a peer that is away for a night
/// finds about forty of them.
const STORED_RETRY_FACTOR: u32 = 15;

/// The way to the listener of a peer.
#[derive(Clone)]
pub struct DeliveryPath(pub(super) Path);

#[derive(Clone)]
pub(super) enum Path {
    Route(Route),
    /// A route that keeps what is sent until it can be delivered.
    Stored(Route),
    /// Behind a kept connection, which comes back.
    Session(watch::Receiver<State<HubUp>>, Route),
}

impl DeliveryPath {
    /// A route that begins behind a kept connection: `DeliveryPath::through(&hub, route!["bob", "listener"])`. A new handshake
    /// begins as soon as the connection is back.
    pub fn through(hub: &HubSession, route: impl Into<Route>) -> Self {
        Self(Path::Session(hub.watch(), route.into()))
    }
}

impl DeliveryPath {
    /// A route that keeps what is sent along it until it can be delivered, as a stream does. Handshakes are less frequent there: the
    /// last ones wait for the peer.
    pub fn stored(route: impl Into<Route>) -> Self {
        Self(Path::Stored(route.into()))
    }
}

impl<R: Into<Route>> From<R> for DeliveryPath {
    fn from(route: R) -> Self {
        Self(Path::Route(route.into()))
    }
}

/// What the peer task thinks of the channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Suspicion(pub(super) Option<Address>);

pub(super) struct Connector {
    pub(super) core: Arc<Core>,
    pub(super) key: Arc<ChannelKey>,
    pub(super) channel_options: Arc<SecureChannelOptions>,
    pub(super) options: DeliveryOptions,
    pub(super) path: Path,
    pub(super) suspicion: watch::Receiver<Suspicion>,
    pub(super) events: mpsc::UnboundedSender<Event>,
}

impl Connector {
    pub(super) async fn run(mut self) {
        loop {
            let mut channel = self.open().await;
            let _ = self.events.send(Event::Opened(channel.clone()));
            while let Some(next) = self.keep(&channel).await {
                let _ = self.events.send(Event::Opened(next.clone()));
                channel = next;
            }
            let _ = self.events.send(Event::Cut(channel.address().clone()));
            channel.close();
        }
    }

    /// Waits until the channel is cut, or replaced because it was suspected.
    async fn keep(&mut self, channel: &SecureChannel) -> Option<SecureChannel> {
        loop {
            tokio::select! {
                () = channel.cut() => return None,
                () = self.suspected(channel.address(), true) => {}
            }
            let mut trusted = self.suspicion.clone();
            tokio::select! {
                next = self.open() => return Some(next),
                () = channel.cut() => return None,
                () = until(&mut trusted, channel.address(), false) => {}
            }
        }
    }

    async fn suspected(&mut self, channel: &Address, wanted: bool) {
        until(&mut self.suspicion, channel, wanted).await;
    }

    /// Begins handshakes until one is answered. Dropping the future gives them up.
    async fn open(&self) -> SecureChannel {
        let mut handshakes: JoinSet<Result<SecureChannel, ChannelError>> = JoinSet::new();
        let mut running = VecDeque::new();
        let options = &self.options;
        let mut backoff = Backoff::new(options.first_handshake_retry, longest_retry(&self.path, options));
        let mut next = time::now();
        let mut path = self.path.clone();
        loop {
            tokio::select! {
                Some(opened) = handshakes.join_next() => match opened {
                    Ok(Ok(channel)) => {
                        close_others(handshakes).await;
                        return channel;
                    }
                    Ok(Err(error)) => self.failed(&error.to_string()),
                    Err(_) => {}
                },
                route = attempt(&mut path, next) => {
                    next = time::now() + backoff.next(random::fraction());
                    let (core, key, options) = (self.core.clone(), self.key.clone(), self.channel_options.clone());
                    running.push_back(handshakes.spawn(async move { open_with(&core, key, route, options).await }));
                    if running.len() > HANDSHAKES_MAX {
                        running.pop_front().inspect(|oldest| oldest.abort());
                    }
                }
            }
        }
    }

    fn failed(&self, error: &str) {
        tracing::debug!(%error, "no channel for the delivery");
        let _ = self.events.send(Event::NotConnected(error.into()));
    }
}

/// How long a handshake may wait for its answer: until newer ones have taken its place.
pub(super) fn handshake_lifetime(path: &Path, options: &DeliveryOptions) -> Duration {
    longest_retry(path, options) * HANDSHAKES_MAX as u32
}

fn longest_retry(path: &Path, options: &DeliveryOptions) -> Duration {
    match path {
        Path::Stored(_) => options.longest_handshake_retry * STORED_RETRY_FACTOR,
        Path::Route(_) | Path::Session(..) => options.longest_handshake_retry,
    }
}

/// Waits until the suspicion about a channel is the one that is wanted.
async fn until(suspicion: &mut watch::Receiver<Suspicion>, channel: &Address, wanted: bool) {
    if suspicion.wait_for(|it| (it.0.as_ref() == Some(channel)) == wanted).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Waits for the time of the next attempt and for the way to make it; for an attempt at once when a lost way is back.
async fn attempt(path: &mut Path, at: Instant) -> Route {
    match path {
        Path::Route(route) | Path::Stored(route) => {
            time::sleep_until(at).await;
            route.clone()
        }
        Path::Session(hub, tail) => {
            let mut at = at;
            loop {
                let connection = match &*hub.borrow_and_update() {
                    State::Up(up) if !up.connection.is_closed() => Some(up.connection.clone()),
                    _ => None,
                };
                let Some(connection) = connection else {
                    at = time::now();
                    if hub.changed().await.is_err() {
                        std::future::pending::<()>().await;
                    }
                    continue;
                };
                tokio::select! {
                    () = connection.closed() => {}
                    () = time::sleep_until(at) => {
                        let mut route = Route::from(&connection);
                        route.append(tail);
                        return route;
                    }
                }
            }
        }
    }
}

/// Ends the handshakes that are not needed any more, also those that were answered at the same moment.
async fn close_others(mut handshakes: JoinSet<Result<SecureChannel, ChannelError>>) {
    handshakes.abort_all();
    while let Some(other) = handshakes.join_next().await {
        if let Ok(Ok(other)) = other {
            other.close();
        }
    }
}
