//! The way to the hub: a route, or a session that reconnects; and one connection of it, a [`Link`].

use super::error::StreamError;
use super::reply::ReplyPort;
use crate::core::Core;
use crate::local_message::OwnedMessage;
use crate::origin::{OriginId, Source};
use crate::route::Route;
use crate::secure_channel::SecureChannel;
use crate::session::{HubSession, HubUp, State};
use crate::tcp::TcpConnection;
use std::sync::Arc;
use tokio::sync::watch;

/// The way to a hub, for [`StreamBuilder::connect`](super::StreamBuilder::connect).
///
/// A session reconnects by itself, and uses the secure channel with the hub if it has one. A route ends with the connection or
/// channel that it begins with: the stream is down from then on.
#[derive(Clone)]
pub struct HubPath(Kind);

#[derive(Clone)]
enum Kind {
    Route(Route),
    Session(watch::Receiver<State<HubUp>>),
}

impl From<Route> for HubPath {
    fn from(route: Route) -> Self {
        Self(Kind::Route(route))
    }
}

impl From<&Route> for HubPath {
    fn from(route: &Route) -> Self {
        route.clone().into()
    }
}

impl From<&TcpConnection> for HubPath {
    fn from(connection: &TcpConnection) -> Self {
        Route::from(connection).into()
    }
}

impl From<&SecureChannel> for HubPath {
    fn from(channel: &SecureChannel) -> Self {
        Route::from(channel).into()
    }
}

impl From<&HubSession> for HubPath {
    fn from(session: &HubSession) -> Self {
        Self(Kind::Session(session.watch()))
    }
}

impl HubPath {
    /// Waits until there is a way; `down` is told why there is none.
    ///
    /// # Errors
    /// [`StreamError::Stopped`] when there will be none.
    pub(super) async fn next(&mut self, core: &Arc<Core>, down: impl Fn(StreamError)) -> Result<Link, StreamError> {
        let session = match &mut self.0 {
            Kind::Route(route) => return Ok(Link::new(core, route.clone())),
            Kind::Session(session) => session,
        };
        loop {
            let reason = match &*session.borrow_and_update() {
                State::Up(up) if !up.connection.is_closed() => return Ok(Link::new(core, route_to(up))),
                State::Down(reason) => Some(reason.clone()),
                _ => None,
            };
            if let Some(reason) = reason {
                down(StreamError::Hub(reason));
            }
            session.changed().await.map_err(|_| StreamError::Stopped)?;
        }
    }
}

/// Through the channel with the hub, if there is one: then the hub knows whose the streams are.
fn route_to(up: &HubUp) -> Route {
    match &up.channel {
        Some(channel) => Route::from(channel),
        None => Route::from(&up.connection),
    }
}

/// A way to the hub that works until its connection or channel ends.
pub(super) struct Link {
    core: Arc<Core>,
    route: Route,
    /// Of what the route begins with; a route to a worker of this node has none, and does not end.
    source: Option<Arc<Source>>,
}

impl Link {
    fn new(core: &Arc<Core>, route: Route) -> Self {
        let source = route.as_ref().front().and_then(|front| core.router.source_of(front));
        Self { core: core.clone(), route, source }
    }

    /// The route to one of the hub's services.
    pub(super) fn to(&self, service: &crate::address::Address) -> Route {
        self.route.clone().then(service)
    }

    /// Where the hub's answers come from.
    pub(super) fn origin(&self) -> Option<OriginId> {
        self.source.as_ref().map(|source| source.origin)
    }

    /// Whether the hub knows by it who we are.
    pub(super) fn is_authenticated(&self) -> bool {
        self.source.as_ref().is_some_and(|source| source.peer.is_some())
    }

    /// Waits until it has ended.
    pub(super) async fn ended(&self) {
        match &self.source {
            None => std::future::pending().await,
            Some(source) => tokio::select! {
                () = source.ended.cancelled() => {}
                () = source.carrier.cancelled() => {}
            },
        }
    }

    /// Sends a request, with the port as the place for answers. Waits where the connection is congested.
    pub(super) async fn send(&self, onward: &Route, port: &ReplyPort, payload: Vec<u8>) -> Result<(), StreamError> {
        let message = OwnedMessage {
            onward: onward.clone(),
            return_route: port.address().into(),
            payload: payload.into(),
            source: None,
            completion: None,
        };
        Ok(self.core.router.dispatch_local(message)?.flush_and_wait().await?)
    }
}
