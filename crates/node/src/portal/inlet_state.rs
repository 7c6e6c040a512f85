//! What the parts of an inlet share: where it leads, and what is known of the outlet there.

use super::flow_control::FlowControlPool;
use super::http::RequestCheck;
use super::message::EndReason;
use super::meter::Meter;
use super::probe_state::ProbeState;
use super::stream::StreamShutdown;
use crate::address::Address;
use crate::core::Core;
use crate::origin::Source;
use crate::route::Route;
use crate::session::{ChannelSession, HubSession};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// How an inlet reaches its outlet.
pub enum InletRoute {
    /// A route that does not change: through a channel or a connection of this node, to the outlet.
    Fixed(Route),
    /// An outlet behind a secure channel that is kept. The route begins behind the channel: `route!["outlet"]`.
    Kept(ChannelSession, Route),
    /// An outlet that is reached without a secure channel, through a connection that is kept. Nothing is encrypted, and neither end
    /// knows who the other is. The route begins behind the connection: `route!["owner", "outlet"]`.
    Plain(HubSession, Route),
}

impl From<Route> for InletRoute {
    fn from(route: Route) -> Self {
        Self::Fixed(route)
    }
}

pub(super) struct InletInner {
    pub(super) core: Arc<Core>,
    pub(super) local: SocketAddr,
    pub(super) route: InletRoute,
    /// Only for a web portal.
    pub(super) request_check: Option<RequestCheck>,
    pub(super) pool: Arc<FlowControlPool>,
    pub(super) meter: Arc<Meter>,
    /// The channel whose outlet is known to speak our extension.
    pub(super) extended: Mutex<Option<Address>>,
    pub(super) probe: Mutex<ProbeState>,
    pub(super) answered: Notify,
    pub(super) suspicion: Notify,
    /// The outlet's node was found to support the extension: it is probed at once, so that it knows of the liveness probe.
    pub(super) identified: Notify,
    pub(super) refused: watch::Sender<Option<EndReason>>,
    pub(super) closed: CancellationToken,
}

/// The way to the outlet at this moment.
pub(super) struct ResolvedPath {
    pub(super) outlet: Route,
    /// The first hop: a channel or a connection.
    pub(super) through: Address,
    pub(super) source: Option<Arc<Source>>,
}

/// The route to what is behind a channel or a connection.
pub(super) fn through(first: impl Into<Address>, rest: &Route) -> Route {
    let mut route = Route::from(first);
    route.append(rest);
    route
}

impl InletInner {
    pub(super) fn resolve(&self) -> Option<ResolvedPath> {
        let outlet = match &self.route {
            InletRoute::Fixed(route) => route.clone(),
            InletRoute::Kept(session, outlet) => through(session.state().up()?, outlet),
            InletRoute::Plain(session, outlet) => through(&session.state().up()?.connection, outlet),
        };
        let through = outlet.front()?;
        let source = self.core.router.source_of(through.as_ref());
        (source.is_some() || self.core.router.contains(&through)).then_some(ResolvedPath { outlet, through, source })
    }

    pub(super) fn ends(&self, path: &ResolvedPath) -> StreamShutdown {
        let (carrier, channel) = match &path.source {
            Some(source) => (source.carrier.clone(), source.ended.clone()),
            None => (self.closed.clone(), self.closed.clone()),
        };
        let closed = (self.closed.clone(), EndReason::Stopping);
        StreamShutdown { carrier, channel, closed, stopping: self.core.stopping.clone(), revocation: None }
    }

    /// A stream has been opened, or was refused or cut.
    pub(super) fn record_refusal(&self, refused: Option<EndReason>) {
        self.refused.send_if_modified(|last| std::mem::replace(last, refused) != refused);
    }
}
