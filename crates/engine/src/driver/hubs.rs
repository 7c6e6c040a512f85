//! The hubs that this person is at: a connection to each, with their relay.
//!
//! ```text
//! KeepHub ─► as our identity ─► Up ─► HubUp        a hub without an identity does not answer:
//!                │                                  then plainly, with the relay of the same name
//!                └─► Down ─► HubDown, and on it goes
//! ```

use super::{NodeContext, dialer};
use crate::api::{Code, Fault};
use crate::core::Event;
use crate::peer::relay_name;
use postern_node::identity::TrustPolicy;
use postern_node::relay::RelayError;
use postern_node::secure_channel::ChannelError;
use postern_node::session::{HubOptions, HubSession, HubUp, SessionError, State};
use postern_node::{Error, TcpConnection, route};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A hub that does not echo for this long after a wake is connected to anew.
const ECHO_WITHIN: Duration = Duration::from_secs(3);

/// The hubs that are kept; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Hubs(Arc<Mutex<HashMap<String, Slot>>>);

struct Slot {
    stop: CancellationToken,
    /// Nothing until the session is begun, and another one once it turned out that the hub has no identity.
    session: watch::Sender<Option<Arc<HubSession>>>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Hubs {
    /// Keeps a hub, if it is not kept already.
    pub(crate) fn keep(&self, net: &NodeContext, address: String) {
        let stop = net.stop.child_token();
        let mut kept = self.kept();
        if kept.contains_key(&address) {
            return;
        }
        kept.insert(address.clone(), Slot { stop: stop.clone(), session: watch::Sender::new(None) });
        let (net, hubs) = (net.clone(), self.clone());
        net.clone().spawn(async move {
            stop.run_until_cancelled(hubs.run(&net, &address)).await;
        });
    }

    /// Leaves a hub.
    pub(crate) fn drop_hub(&self, address: &str) {
        self.kept().remove(address);
    }

    /// Leaves all of them.
    pub(crate) fn clear(&self) {
        self.kept().clear();
    }

    /// The connection to a hub that is up.
    pub(crate) fn connection(&self, address: &str) -> Option<TcpConnection> {
        let session = self.kept().get(address)?.session.borrow().clone()?;
        session.state().up().map(|up| up.connection.clone()).filter(|connection| !connection.is_closed())
    }

    /// The session with a hub that is kept. Whoever holds on to it holds the hub.
    pub(crate) async fn session(&self, address: &str) -> Option<Arc<HubSession>> {
        let mut session = self.kept().get(address)?.session.subscribe();
        session.wait_for(Option::is_some).await.ok()?.clone()
    }

    /// The hubs that are up now.
    pub(crate) fn up(&self) -> Vec<(String, HubUp)> {
        let kept = self.kept();
        let up = |(address, it): (&String, &Slot)| {
            let session = it.session.borrow().clone()?;
            Some((address.clone(), session.state().up()?.clone()))
        };
        kept.iter().filter_map(up).collect()
    }

    /// Asks every hub that seems to be there whether it is. A connection that a sleep has cut looks alive for minutes.
    pub(crate) fn doubt(&self, net: &NodeContext) {
        for (_, up) in self.up() {
            let node = net.node.clone();
            net.spawn(async move {
                let Ok(context) = node.context() else { return };
                let asked = context
                    .send_and_receive_within::<String>(
                        ECHO_WITHIN,
                        route![&up.connection, "echo"],
                        "postern".to_owned(),
                    )
                    .await;
                if asked.is_err() {
                    up.connection.close();
                }
            });
        }
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<String, Slot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(&self, net: &NodeContext, address: &str) {
        let relay = relay_name(&net.identity.identifier());
        let options = HubOptions { relay: Some(relay.clone()), trust: TrustPolicy::Anyone };
        match net.node.keep_connected_as(&net.identity, address, options).await {
            Ok(session) => {
                if self.follow(net, address, session, true).await.is_plain() {
                    let session = net.node.keep_connected(address, Some(relay));
                    self.follow(net, address, session, false).await;
                }
            }
            Err(error) => {
                let fault = match error {
                    Error::Channel(error) => fault(address, &error.into()),
                    _ => unreachable_hub(address),
                };
                net.tell(Event::HubDown(address.to_owned(), fault)).await;
            }
        }
    }

    /// Tells how a session is doing, until it turns out that the hub has no identity.
    async fn follow(&self, net: &NodeContext, address: &str, session: HubSession, as_identity: bool) -> FollowEnd {
        if let Err(error) = net.node.expose(dialer::LISTENER, &session) {
            tracing::warn!(%error, "nobody can reach us through the hub");
        }
        if as_identity {
            net.post.collect(net, &session);
        }
        let mut states = session.watch();
        match self.kept().get(address) {
            Some(kept) => drop(kept.session.send_replace(Some(Arc::new(session)))),
            None => return FollowEnd::Over,
        }
        let (mut was_up, mut told) = (false, None);
        loop {
            let state = states.borrow_and_update().clone();
            match state {
                State::Connecting => {}
                State::Up(up) => {
                    (was_up, told) = (true, None);
                    net.tell(Event::HubUp(address.to_owned(), up.hub())).await;
                }
                State::Down(error) => {
                    let unanswered = matches!(
                        &*error,
                        SessionError::Channel(ChannelError::Timeout(_) | ChannelError::Unreachable(_))
                    );
                    if as_identity && !was_up && unanswered {
                        return FollowEnd::Plain;
                    }
                    let fault = fault(address, &error);
                    if told.as_ref() != Some(&fault) {
                        told = Some(fault.clone());
                        net.tell(Event::HubDown(address.to_owned(), fault)).await;
                    }
                }
            }
            if states.changed().await.is_err() {
                return FollowEnd::Over;
            }
        }
    }
}

#[derive(PartialEq)]
enum FollowEnd {
    Plain,
    Over,
}

impl FollowEnd {
    fn is_plain(&self) -> bool {
        *self == Self::Plain
    }
}

fn fault(address: &str, error: &SessionError) -> Fault {
    match error {
        SessionError::Relay(RelayError::NameTaken(_)) => Fault::new(
            Code::RelayTaken,
            format!("The hub {address} keeps our place for somebody else. Use another hub, or ask who runs it."),
        ),
        SessionError::Relay(RelayError::Full) => {
            Fault::new(Code::TooMany, format!("The hub {address} has no room. Use another hub, or ask who runs it."))
        }
        SessionError::Relay(RelayError::NotConfirmed) => Fault::new(
            Code::HubUnreachable,
            format!(
                "The hub {address} does not take us in: it may be no Postern hub, or keep our place for somebody else."
            ),
        ),
        SessionError::Channel(ChannelError::Identity(_)) => {
            Fault::new(Code::NotTrusted, format!("The hub {address} is not the one it was."))
        }
        _ => unreachable_hub(address),
    }
}

fn unreachable_hub(address: &str) -> Fault {
    Fault::new(
        Code::HubUnreachable,
        format!("The hub {address} cannot be reached. Check the network and the address; Postern goes on trying."),
    )
}
