//! The hubs that this person uses, and the session with each.
//!
//! A shared table: [`hub_session`](super::hub_session) enters sessions, the dialer, mail and portals look them up. It opens
//! and follows no session itself.

use super::node_context::NodeContext;
use postern_env::time::Duration;
use postern_node::session::{HubSession, HubUp};
use postern_node::{TcpConnection, route};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A hub that does not echo for this long after the machine woke up is reconnected. Chosen: far above any round-trip time,
/// and short enough that portals work again soon after the lid is opened.
const ECHO_WITHIN: Duration = Duration::from_secs(3);

/// The hubs by address; clones share the table.
#[derive(Clone, Default)]
pub(super) struct Hubs(Arc<Mutex<HashMap<String, HubEntry>>>);

struct HubEntry {
    stop: CancellationToken,
    /// Nothing until there is a session, and a different one once it turned out that the hub has no identity.
    session: watch::Sender<Option<Arc<HubSession>>>,
}

impl Drop for HubEntry {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Hubs {
    /// Adds a hub, whose task `stop` ends; false if it is in the table already.
    pub(super) fn add(&self, address: &str, stop: CancellationToken) -> bool {
        let mut entries = self.entries();
        if entries.contains_key(address) {
            return false;
        }
        entries.insert(address.to_owned(), HubEntry { stop, session: watch::Sender::new(None) });
        true
    }

    /// Whether this is one of the hubs that the user has chosen. Names of hosts are the same in either case.
    pub(super) fn contains(&self, address: &str) -> bool {
        self.entries().keys().any(|it| it.eq_ignore_ascii_case(address))
    }

    /// Removes a hub, which ends its session.
    pub(super) fn remove(&self, address: &str) {
        self.entries().remove(address);
    }

    /// Removes all hubs.
    pub(super) fn clear(&self) {
        self.entries().clear();
    }

    /// Sets a hub's session; false if the hub was removed meanwhile.
    pub(super) fn set_session(&self, address: &str, session: HubSession) -> bool {
        let entries = self.entries();
        let entry = entries.get(address);
        entry.is_some_and(|entry| {
            entry.session.send_replace(Some(Arc::new(session)));
            true
        })
    }

    /// The connection to a hub that is up.
    pub(super) fn connection(&self, address: &str) -> Option<TcpConnection> {
        let session = self.entries().get(address)?.session.borrow().clone()?;
        session.state().up().map(|up| up.connection.clone()).filter(|connection| !connection.is_closed())
    }

    /// The session with one of our hubs; waits until there is one. Holding it keeps the hub connected.
    pub(super) async fn session(&self, address: &str) -> Option<Arc<HubSession>> {
        let mut session = self.entries().get(address)?.session.subscribe();
        session.wait_for(Option::is_some).await.ok()?.clone()
    }

    /// The hubs that are up now.
    pub(super) fn up(&self) -> Vec<(String, HubUp)> {
        let entries = self.entries();
        let up = |(address, it): (&String, &HubEntry)| {
            let session = it.session.borrow().clone()?;
            Some((address.clone(), session.state().up()?.clone()))
        };
        entries.iter().filter_map(up).collect()
    }

    /// Checks every hub that seems to be up, and closes connections that do not answer: one that was cut during a sleep
    /// looks alive for minutes.
    pub(super) fn probe(&self, context: &NodeContext) {
        for (address, up) in self.up() {
            let node = context.node.clone();
            context.spawn(async move {
                let Ok(sender) = node.context() else { return };
                let echo = route![&up.connection, "echo"];
                let answer = sender.send_and_receive_within::<String>(ECHO_WITHIN, echo, "postern".to_owned()).await;
                if answer.is_err() {
                    tracing::debug!(%address, "a hub does not answer; its connection is closed and opened again");
                    up.connection.close();
                }
            });
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, HubEntry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
