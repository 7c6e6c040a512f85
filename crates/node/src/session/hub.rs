//! A connection to a hub that reconnects by itself, at intervals that grow with the outage, and registers a relay if it has a name for one.

use super::error::SessionError;
use super::retry_schedule::RetrySchedule;
use super::state::{State, first_outcome};
use crate::address::Address;
use crate::congestion;
use crate::core::Core;
use crate::dialing::NetworkMonitor;
use crate::identity::{Identifier, TrustPolicy};
use crate::origin::{Origin, OriginId};
use crate::relay::{self, Relay, RelayError};
use crate::route::Route;
use crate::secure_channel::{ChannelError, ChannelKey, SecureChannel, SecureChannelOptions, open_with};
use crate::tcp::{Connection, KeepAlive, Kept, Target, TcpConnection, TcpError};
use postern_env::time;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Where hubs accept secure channels.
pub const HUB_LISTENER: &str = "api";

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
    /// The name of the relay to have there. It belongs to the identity: no other identity can take it, and over a new
    /// connection the identity has it again at once.
    pub relay: Option<String>,
    /// Who the hub may be. With [`TrustPolicy::Anyone`] the first connection learns, by [`HubUp::hub`], whom to accept later.
    pub trust: TrustPolicy,
}

/// Keeps a connection to a hub, and a relay there if one is asked for, until it is dropped or its node stops.
///
/// An address [exposed](crate::Node::expose) to it is exposed to every connection it makes. Dropping it ends the connection.
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
    pub async fn up(&self) -> Result<HubUp, Arc<SessionError>> {
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

/// Keeps a connection to a hub.
pub(crate) fn keep(core: &Arc<Core>, hub: Target, relay: Option<String>, identity: Option<HubIdentity>) -> HubSession {
    let (report, state) = watch::channel(State::Connecting);
    let core = core.clone();
    let session = HubSession { origin: OriginId::fresh(), state, stop: core.stopping.child_token(), core };
    let hub = HubLoop {
        core: session.core.clone(),
        hub,
        relay,
        identity,
        bearer: Address::random(),
        origin: session.origin,
        keep_alive: Arc::default(),
        report,
    };
    let stop = session.stop.clone();
    session.core.spawn(async move {
        stop.run_until_cancelled(hub.run()).await;
    });
    session
}

/// Whom a session shows to the hub, and whom it accepts as the hub.
pub(crate) type HubIdentity = (Arc<ChannelKey>, Arc<SecureChannelOptions>);

struct HubLoop {
    core: Arc<Core>,
    hub: Target,
    relay: Option<String>,
    identity: Option<HubIdentity>,
    bearer: Address,
    origin: OriginId,
    keep_alive: Arc<KeepAlive>,
    report: watch::Sender<State<HubUp>>,
}

impl HubLoop {
    async fn run(self) {
        let network = self.core.extension::<NetworkMonitor>();
        let mut seen = network.changes();
        let mut schedule = RetrySchedule::new(time::now());
        loop {
            match self.connect().await {
                Ok((_held, up)) => {
                    tracing::info!(hub = %self.hub, "connected to the hub");
                    self.report.send_replace(State::Up(up.clone()));
                    up.ended().await;
                    schedule = RetrySchedule::new(time::now());
                    let reason = self.why_ended(&up.connection);
                    tracing::info!(hub = %self.hub, %reason, "the connection to the hub ended");
                    self.report.send_replace(State::Down(Arc::new(reason)));
                }
                Err(error) => {
                    tracing::debug!(hub = %self.hub, %error, "the hub cannot be used");
                    self.report.send_replace(State::Down(Arc::new(error)));
                }
            }
            schedule.wait(&network, &mut seen).await;
        }
    }

    fn why_ended(&self, connection: &TcpConnection) -> SessionError {
        match connection.was_dead() {
            true => TcpError::Silent { address: self.hub.address().to_owned() }.into(),
            false => RelayError::Disconnected.into(),
        }
    }

    async fn connect(&self) -> Result<(ConnectionGuard, HubUp), SessionError> {
        let kept = Kept { origin: self.origin, keep_alive: self.keep_alive.clone() };
        let connection = Connection::connect(&self.core, &self.hub, Some(kept)).await?;
        let held = ConnectionGuard { connection: connection.clone(), stopping: self.core.stopping.clone() };
        let channel = match &self.identity {
            None => None,
            Some((key, trust)) => {
                let route = Route::from(&connection).then(HUB_LISTENER);
                match open_with(&self.core, key.clone(), route, trust.clone()).await {
                    Ok(channel) => Some(channel),
                    Err(error @ ChannelError::Timeout(_)) => return Err(self.why_unanswered(&connection, error).await),
                    Err(error) => return Err(error.into()),
                }
            }
        };
        let relay = match (&self.relay, &channel) {
            (None, _) => None,
            (Some(name), Some(channel)) => {
                connection.set_flow_controlled();
                Some(relay::register_owned(&self.core, channel, name).await?)
            }
            (Some(name), None) => {
                let through = Route::from(&connection);
                Some(relay::register(&self.core, through, Some(name), self.bearer.clone()).await?)
            }
        };
        // Whether it is answered or not: without notices the hub holds the whole connection for a slow peer behind it.
        if let Err(reason) = congestion::subscribe(&self.core, connection.address()) {
            tracing::debug!(hub = %self.hub, %reason, "congestion notices were not asked for");
        }
        Ok((held, HubUp { connection, relay, channel }))
    }

    /// Why a handshake over a connection was not answered: the hub has no identity, or nothing passes.
    ///
    /// A hub without an identity drops the handshake and says nothing (`docs/wire.md` §2.1), as a network does that loses
    /// packets. The two are told apart by a request that every hub answers, sent over the same connection: TCP has then
    /// delivered the handshake before it. A relay without a name is asked for, which ends with the connection.
    async fn why_unanswered(&self, connection: &TcpConnection, error: ChannelError) -> SessionError {
        match relay::register(&self.core, Route::from(connection), None, Address::random()).await {
            Ok(_) => ChannelError::NotOffered.into(),
            Err(_) => error.into(),
        }
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
        // A node that stops closes its channels over its connections first, and ends them itself.
        if !self.stopping.is_cancelled() {
            self.connection.close();
        }
    }
}
