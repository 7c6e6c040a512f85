//! Sessions: what keeps itself up. A [`HubSession`] holds a connection to a hub, with a relay if it has a name for
//! one; a [`ChannelSession`] holds a secure channel through such a connection.
//!
//! ```text
//! HubSession      connect ─► channel with the hub ─► register relay ─► Up ─── either ends ──► Down ─ backoff ─► connect …
//!                            (as an identity only)
//! ChannelSession  hub is Up ─► handshakes until one is answered ─► Up ─── cut, or suspected dead ─► handshakes …
//! ```

use crate::address::Address;
use crate::backoff::Backoff;
use crate::error::{Error, Result};
use crate::identity::{Identifier, Identity, TrustPolicy};
use crate::node::{Core, Node};
use crate::relay::{self, Relay, RelayError};
use crate::route::Route;
use crate::router::{Origin, OriginId};
use crate::secure_channel::{ChannelError, ChannelKey, SecureChannel, SecureChannelOptions, open_with};
use crate::tcp::{Connection, TcpConnection};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// First wait before a session tries again. Every wait is shortened by a random part of up to a half.
pub const FIRST_RETRY: Duration = Duration::from_millis(100);
/// Longest wait before a session tries again.
pub const LONGEST_RETRY: Duration = Duration::from_millis(500);
/// A hub that has been away for so long is asked less often.
pub const LONG_OUTAGE: Duration = Duration::from_secs(5 * 60);
/// Longest wait then.
pub const LONG_OUTAGE_RETRY: Duration = Duration::from_secs(5);
/// First wait before a handshake that is not answered is joined by another one. The waits double too.
pub const FIRST_HANDSHAKE_RETRY: Duration = Duration::from_millis(250);
/// Longest wait before another handshake.
pub const LONGEST_HANDSHAKE_RETRY: Duration = Duration::from_secs(1);
/// A channel that was replaced is closed when nothing was heard over it for this long.
pub const RETIRE_AFTER: Duration = Duration::from_secs(60);
/// Where hubs accept secure channels.
pub const HUB_LISTENER: &str = "api";
/// A session whose handshakes were not answered for so long says so, and goes on.
const REPORT_UNANSWERED_AFTER: Duration = Duration::from_secs(1);
/// Handshakes of one session that wait for an answer at once.
const MAX_HANDSHAKES: usize = 10;

/// Tries less often once an outage has lasted long.
fn extend_for_outage(backoff: &mut Backoff, outage: Duration) {
    if outage >= LONG_OUTAGE {
        backoff.set_longest(LONG_OUTAGE_RETRY);
    }
}

/// How a session is doing.
#[derive(Debug, Clone)]
pub enum State<T> {
    /// It is trying; nothing has failed yet.
    Connecting,
    /// It is up.
    Up(T),
    /// It is trying again, because of this.
    Down(Arc<Error>),
}

impl<T> State<T> {
    /// What it holds, if it is up.
    pub fn up(&self) -> Option<&T> {
        match self {
            Self::Up(it) => Some(it),
            _ => None,
        }
    }
}

/// A connection to a hub that is up.
#[derive(Clone)]
pub struct HubUp {
    /// The connection now.
    pub connection: TcpConnection,
    /// The relay registered over it, if one was asked for.
    pub relay: Option<Relay>,
    /// The secure channel with the hub itself, if the session is there as an identity.
    pub channel: Option<SecureChannel>,
}

impl HubUp {
    /// Who the hub is, if a channel says so.
    pub fn hub(&self) -> Option<Identifier> {
        self.channel.as_ref().map(|channel| channel.peer().identifier)
    }
}

/// How a session that is at a hub as an identity is there.
#[derive(Debug, Clone)]
pub struct HubOptions {
    /// The name of the relay to have there. It belongs to the identity: nobody else can take it, and over a new
    /// connection the identity has it again at once.
    pub relay: Option<String>,
    /// Who the hub may be. With [`TrustPolicy::Anyone`] the first meeting tells, by [`HubUp::hub`], whom to accept later.
    pub trust: TrustPolicy,
}

/// Keeps a connection to a hub, and a relay there if one is asked for, until it is dropped or its node stops.
///
/// An address [exposed](Node::expose) to it is exposed to every connection it makes. Dropping it ends the connection.
pub struct HubSession {
    core: Arc<Core>,
    origin: OriginId,
    state: watch::Receiver<State<HubUp>>,
    stop: CancellationToken,
}

impl HubSession {
    /// How it is doing now.
    pub fn state(&self) -> State<HubUp> {
        self.state.borrow().clone()
    }

    /// Follows how it is doing.
    pub fn watch(&self) -> watch::Receiver<State<HubUp>> {
        self.state.clone()
    }

    /// Waits until it is up.
    ///
    /// # Errors
    /// Why it is not, when the first attempt fails; it goes on trying.
    pub async fn up(&self) -> Result<HubUp, Arc<Error>> {
        first_outcome(self.state.clone()).await
    }
}

impl Origin for HubSession {
    fn origin(&self) -> OriginId {
        self.origin
    }
}

impl Drop for HubSession {
    fn drop(&mut self) {
        self.stop.cancel();
        self.core.router.withdraw(self.origin);
    }
}

/// Waits for the first state that is not `Connecting`.
async fn first_outcome<T: Clone>(mut state: watch::Receiver<State<T>>) -> Result<T, Arc<Error>> {
    match state.wait_for(|state| !matches!(state, State::Connecting)).await.as_deref() {
        Ok(State::Up(it)) => Ok(it.clone()),
        Ok(State::Down(reason)) => Err(reason.clone()),
        _ => Err(Arc::new(Error::Stopped)),
    }
}

impl Node {
    /// Keeps a connection to the hub at `host:port`, and a relay of that name there. The hub may be any that speaks the
    /// protocol of `ockam`; the relay belongs to whoever can read this connection.
    pub fn keep_connected(&self, hub: impl Into<String>, relay: Option<String>) -> HubSession {
        self.keep(hub.into(), relay, None)
    }

    /// Keeps a connection to the hub at `host:port` with a secure channel to the hub itself, as `identity`, and a relay
    /// that belongs to it. The hub must be one of Postern's.
    ///
    /// # Errors
    /// The vault refuses to attest the channel's key.
    pub async fn keep_connected_as(
        &self,
        identity: &Identity,
        hub: impl Into<String>,
        options: HubOptions,
    ) -> Result<HubSession> {
        let key = Arc::new(ChannelKey::create(identity, Vec::new()).await?);
        let trust = Arc::new(SecureChannelOptions::trust(options.trust));
        Ok(self.keep(hub.into(), options.relay, Some((key, trust))))
    }

    fn keep(&self, hub: String, relay: Option<String>, identity: Option<HubIdentity>) -> HubSession {
        let (report, state) = watch::channel(State::Connecting);
        let core = self.core().clone();
        let session = HubSession { origin: OriginId::fresh(), state, stop: core.stopping.child_token(), core };
        let hub = HubLoop {
            core: session.core.clone(),
            hub,
            relay,
            identity,
            bearer: Address::random(),
            origin: session.origin,
            report,
        };
        let stop = session.stop.clone();
        session.core.tasks.spawn(async move { stop.run_until_cancelled(hub.run()).await });
        session
    }

    /// Keeps a secure channel, as `identity`, to the listener that `route` ends at, through a kept connection.
    ///
    /// The route begins behind the connection: `route!["bob", "listener"]`.
    ///
    /// # Errors
    /// The vault refuses to attest the channel's key.
    pub async fn keep_channel(
        &self,
        hub: &HubSession,
        identity: &Identity,
        route: impl Into<Route>,
        options: SecureChannelOptions,
    ) -> Result<ChannelSession> {
        let (report, state) = watch::channel(State::Connecting);
        let core = self.core().clone();
        let (suspect, suspected) = watch::channel(None);
        let session = ChannelSession { state, suspect, stop: core.stopping.child_token() };
        let channel = ChannelLoop {
            key: Arc::new(ChannelKey::create(identity, options.credentials.clone()).await?),
            hub: hub.watch(),
            route: route.into(),
            options: Arc::new(options),
            suspect: suspected,
            report,
            core: core.clone(),
        };
        let stop = session.stop.clone();
        core.tasks.spawn(async move { stop.run_until_cancelled(channel.run()).await });
        Ok(session)
    }
}

/// Whom a session shows to the hub, and whom it accepts as the hub.
type HubIdentity = (Arc<ChannelKey>, Arc<SecureChannelOptions>);

struct HubLoop {
    core: Arc<Core>,
    hub: String,
    relay: Option<String>,
    identity: Option<HubIdentity>,
    bearer: Address,
    origin: OriginId,
    report: watch::Sender<State<HubUp>>,
}

impl HubLoop {
    async fn run(self) {
        let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
        let mut lost = Instant::now();
        loop {
            match self.connect().await {
                Ok((_held, up)) => {
                    tracing::info!(hub = %self.hub, "connected to the hub");
                    backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
                    self.report.send_replace(State::Up(up.clone()));
                    up.ended().await;
                    lost = Instant::now();
                    tracing::info!(hub = %self.hub, "the connection to the hub ended");
                    self.report.send_replace(State::Down(Arc::new(RelayError::Disconnected.into())));
                }
                Err(error) => {
                    tracing::debug!(hub = %self.hub, %error, "the hub cannot be used");
                    self.report.send_replace(State::Down(Arc::new(error)));
                }
            }
            extend_for_outage(&mut backoff, lost.elapsed());
            tokio::time::sleep(backoff.next(rand::random())).await;
        }
    }

    async fn connect(&self) -> Result<(ConnectionGuard, HubUp)> {
        let connection = Connection::connect(&self.core, &self.hub, Some(self.origin)).await?;
        let held = ConnectionGuard { connection: connection.clone(), stopping: self.core.stopping.clone() };
        let channel = match &self.identity {
            None => None,
            Some((key, trust)) => {
                let route = Route::from(&connection).then(HUB_LISTENER);
                Some(open_with(&self.core, key.clone(), route, trust.clone()).await?)
            }
        };
        let relay = match (&self.relay, &channel) {
            (None, _) => None,
            (Some(name), Some(channel)) => Some(relay::register_owned(&self.core, channel, name).await?),
            (Some(name), None) => {
                let through = Route::from(&connection);
                Some(relay::register(&self.core, through, Some(name), self.bearer.clone()).await?)
            }
        };
        Ok((held, HubUp { connection, relay, channel }))
    }
}

impl HubUp {
    async fn ended(&self) {
        match &self.channel {
            None => self.connection.closed().await,
            Some(channel) => tokio::select! {
                () = self.connection.closed() => {}
                () = channel.cut() => {}
            },
        }
    }
}

/// A connection that ends with the session, or when it turns out to be of no use.
struct ConnectionGuard {
    connection: TcpConnection,
    stopping: CancellationToken,
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        // A node that stops says goodbye over its connections first, and ends them itself.
        if !self.stopping.is_cancelled() {
            self.connection.close();
        }
    }
}

/// Keeps a secure channel until it is dropped or its node stops.
pub struct ChannelSession {
    state: watch::Receiver<State<SecureChannel>>,
    suspect: watch::Sender<Option<Address>>,
    stop: CancellationToken,
}

impl ChannelSession {
    /// How it is doing now.
    pub fn state(&self) -> State<SecureChannel> {
        self.state.borrow().clone()
    }

    /// Follows how it is doing.
    pub fn watch(&self) -> watch::Receiver<State<SecureChannel>> {
        self.state.clone()
    }

    /// Waits until it is up.
    ///
    /// # Errors
    /// Why it is not, when the first attempt fails; it goes on trying.
    pub async fn up(&self) -> Result<SecureChannel, Arc<Error>> {
        first_outcome(self.state.clone()).await
    }

    /// Says that this channel seems dead: a new one is made, and takes its place once it is open.
    pub fn suspect(&self, channel: &Address) {
        self.suspect.send_replace(Some(channel.clone()));
    }
}

impl Drop for ChannelSession {
    fn drop(&mut self) {
        self.stop.cancel();
        if let State::Up(channel) = &*self.state.borrow() {
            channel.close();
        }
    }
}

struct ChannelLoop {
    core: Arc<Core>,
    key: Arc<ChannelKey>,
    hub: watch::Receiver<State<HubUp>>,
    route: Route,
    options: Arc<SecureChannelOptions>,
    suspect: watch::Receiver<Option<Address>>,
    report: watch::Sender<State<SecureChannel>>,
}

impl ChannelLoop {
    async fn run(mut self) {
        while let Some(connection) = self.connection().await {
            let Some(channel) = self.open(&connection).await else { continue };
            if let State::Up(old) = self.report.send_replace(State::Up(channel.clone())) {
                self.core.tasks.spawn(close_when_idle(old, self.core.stopping.clone()));
            }
            tokio::select! {
                () = channel.cut() => {
                    channel.close();
                    self.report.send_replace(State::Down(Arc::new(RelayError::Disconnected.into())));
                }
                () = self.suspected(channel.address()) => tracing::info!("the channel seems dead; making another"),
            }
        }
    }

    /// Waits for the hub's connection. Until then the hub's reason is ours.
    async fn connection(&mut self) -> Option<TcpConnection> {
        loop {
            match &*self.hub.borrow_and_update() {
                State::Up(up) if !up.connection.is_closed() => return Some(up.connection.clone()),
                State::Down(reason) => {
                    self.report.send_replace(State::Down(reason.clone()));
                }
                _ => {}
            }
            self.hub.changed().await.ok()?;
        }
    }

    /// Begins handshakes until one is answered or the connection ends.
    async fn open(&self, connection: &TcpConnection) -> Option<SecureChannel> {
        let mut route = Route::from(connection);
        route.append(&self.route);
        let mut handshakes: JoinSet<Result<SecureChannel, ChannelError>> = JoinSet::new();
        let mut backoff = Backoff::new(FIRST_HANDSHAKE_RETRY, LONGEST_HANDSHAKE_RETRY);
        let begun = Instant::now();
        let mut next = begun;
        loop {
            tokio::select! {
                () = connection.closed() => return None,
                Some(opened) = handshakes.join_next() => match opened {
                    Ok(Ok(channel)) => {
                        // Others that are answered at the same moment are not needed.
                        handshakes.abort_all();
                        while let Some(other) = handshakes.join_next().await {
                            if let Ok(Ok(other)) = other {
                                other.close();
                            }
                        }
                        return Some(channel);
                    }
                    Ok(Err(error)) => self.failed(error.into()),
                    Err(_) => {}
                },
                () = tokio::time::sleep_until(next), if handshakes.len() < MAX_HANDSHAKES => {
                    next = Instant::now() + backoff.next(rand::random());
                    if begun.elapsed() > REPORT_UNANSWERED_AFTER && !matches!(&*self.report.borrow(), State::Down(_)) {
                        self.failed(ChannelError::Timeout(REPORT_UNANSWERED_AFTER).into());
                    }
                    let (core, key) = (self.core.clone(), self.key.clone());
                    let (route, options) = (route.clone(), self.options.clone());
                    handshakes.spawn(async move { open_with(&core, key, route, options).await });
                }
            }
        }
    }

    /// Says why there is no channel, unless one that was only suspected is there all the same.
    fn failed(&self, error: Error) {
        tracing::debug!(%error, "no channel");
        self.report.send_if_modified(|state| {
            let down = state.up().is_none_or(SecureChannel::is_cut);
            if down {
                *state = State::Down(Arc::new(error));
            }
            down
        });
    }

    async fn suspected(&mut self, channel: &Address) {
        while self.suspect.borrow_and_update().as_ref() != Some(channel) {
            if self.suspect.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Lets a channel that was replaced live as long as something is heard over it: streams may still run there.
async fn close_when_idle(channel: SecureChannel, stopping: CancellationToken) {
    while channel.silence() < RETIRE_AFTER {
        tokio::select! {
            () = channel.cut() => break,
            () = stopping.cancelled() => break,
            () = tokio::time::sleep(RETIRE_AFTER) => {}
        }
    }
    channel.close();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_that_is_away_for_long_is_tried_less_often() {
        let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
        extend_for_outage(&mut backoff, LONG_OUTAGE - Duration::from_secs(1));
        assert!((0..20).all(|_| backoff.next(0.0) <= LONGEST_RETRY));
        extend_for_outage(&mut backoff, LONG_OUTAGE);
        assert_eq!((0..20).map(|_| backoff.next(0.0)).max(), Some(LONG_OUTAGE_RETRY));
    }
}
