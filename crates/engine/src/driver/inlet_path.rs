//! The path of a portal: an inlet on the local port, and a channel session over one of the owner's addresses.

use super::dialer::{self, Dialer};
use super::node_context::LISTENER;
use crate::api::{Fault, InletId};
use crate::core::InletDescription;
use crate::peer::PeerAddress;
use postern_node::identity::Identifier;
use postern_node::portal::{Inlet, InletOptions, InletRoute, RequestCheck};
use postern_node::relay::RelayError;
use postern_node::secure_channel::ChannelError;
use postern_node::session::{HubSession, HubUp, SessionError, State};
use postern_node::{SecureChannel, SecureChannelOptions, route};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// What a portal is opened with.
#[derive(Clone, PartialEq)]
pub(super) struct InletSpec {
    pub(super) inlet: InletId,
    /// The only identity it connects to.
    pub(super) owner: Identifier,
    /// Where the owner can be reached; preferred ones first.
    pub(super) addresses: Vec<PeerAddress>,
    /// The address of the owner's outlet.
    pub(super) outlet: String,
    /// The local port.
    pub(super) port: u16,
    /// The host name that requests of browsers are checked for; nothing if none are.
    pub(super) host: Option<String>,
}

/// What is known of a portal, for the page of its inlet; the same over all paths.
#[derive(Clone, Default)]
pub(super) struct SharedDescription(Arc<Mutex<InletDescription>>);

impl SharedDescription {
    pub(super) fn set(&self, description: InletDescription) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = description;
    }

    /// The check of browsers' requests for a host name, whose answers say what is known then.
    fn check(&self, host: String) -> RequestCheck {
        let shared = self.0.clone();
        RequestCheck::new(host).describe_unavailable(move |reason| {
            shared.lock().unwrap_or_else(PoisonError::into_inner).unavailable(reason)
        })
    }
}

/// A path that is open, or reconnecting. Everything closes when it is dropped.
pub(super) struct InletPath {
    /// Which of the owner's addresses it uses, as an index.
    pub(super) index: usize,
    pub(super) inlet: Inlet,
    pub(super) states: watch::Receiver<State<SecureChannel>>,
    /// Holds the session that carries the channel, unless it is one of our hubs': those end when the hub is removed.
    _shared: Option<Arc<HubSession>>,
    carrier: watch::Receiver<State<HubUp>>,
}

impl InletPath {
    /// Listens on the portal's port, with a channel over the address of this index; nothing if that is impossible now.
    pub(super) async fn open(
        dialer: &Dialer,
        spec: &InletSpec,
        index: usize,
        description: &SharedDescription,
    ) -> Option<Self> {
        let context = &dialer.context;
        let (session, is_shared, onward) = match spec.addresses.get(index)? {
            PeerAddress::Direct { address } => (context.shared_session(spec.owner, address), true, route![LISTENER]),
            PeerAddress::Hub { address, relay } => {
                let onward = route![relay.as_str(), LISTENER];
                match dialer.hubs.session(address).await {
                    Some(session) => (session, false, onward),
                    None => (context.shared_session(spec.owner, address), true, onward),
                }
            }
        };
        let options = SecureChannelOptions::trust_only([spec.owner]);
        let opened = context.node.keep_channel(&session, &context.identity, onward, options).await;
        let channel = opened
            .inspect_err(|error| tracing::error!(%error, "the channel of a portal cannot be opened; it is tried again"))
            .ok()?;
        let states = channel.watch();
        let route = InletRoute::Kept(channel, spec.outlet.as_str().into());
        // Both loopback addresses: the name is resolved to either.
        let address = format!("localhost:{}", spec.port);
        let options = InletOptions { request_check: spec.host.clone().map(|host| description.check(host)) };
        let inlet = context.node.create_inlet_with(address, route, options).await;
        let inlet = inlet
            .inspect_err(|error| tracing::debug!(%error, "a portal cannot listen on its port; it is tried again"))
            .ok()?;
        let carrier = session.watch();
        Some(Self { index, inlet, states, _shared: is_shared.then_some(session), carrier })
    }

    /// The state of the path, to be looked at by a search that runs beside it.
    pub(super) fn state(&self) -> PathState {
        PathState { index: self.index, states: self.states.clone(), carrier: self.carrier.clone() }
    }
}

/// The state of a path, without the path itself.
pub(super) struct PathState {
    pub(super) index: usize,
    states: watch::Receiver<State<SecureChannel>>,
    carrier: watch::Receiver<State<HubUp>>,
}

impl PathState {
    /// Why the channel is down, if it is. Waits until it is known whether what carries it answers.
    pub(super) async fn fault(&self, addresses: &[PeerAddress]) -> Option<Fault> {
        let State::Down(error) = self.states.borrow().clone() else { return None };
        let connection = self.carrier.borrow().up().map(|up| up.connection.clone());
        let carrier_answers = match &connection {
            Some(connection) => connection.verify().await,
            None => false,
        };
        let address = addresses.get(self.index)?;
        Some(match &*error {
            SessionError::Relay(RelayError::Disconnected) if carrier_answers => dialer::owner_offline(),
            SessionError::Channel(ChannelError::Timeout(_)) if !carrier_answers => dialer::carrier_silent(address),
            error => dialer::session_fault(address, error),
        })
    }
}
