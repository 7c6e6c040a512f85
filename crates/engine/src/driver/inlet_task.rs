//! Keeping one portal open: a local port, and a channel to its owner.
//!
//! ```text
//! run ─► is the port free? ─► listen, with a channel over one address ─► InletUp
//!            │ no: who holds it                  │ down for longer than a reconnect takes
//!            ▼ and again                         ▼
//!        InletListening(Err)      search: another address works ─► listen again, over that one
//!                                         none works            ─► InletDown, and why; again with exponential backoff
//! ```
//!
//! The port stays open whether the owner can be reached or not, so that it remains the same and no other program takes it.

use super::dialer::{self, Dialer};
use super::inlet_path::{InletPath, InletSpec, PathState, SharedDescription};
use super::portal_metrics::PortalMetrics;
use crate::api::Fault;
use crate::core::Event;
use crate::listening_ports;
use postern_env::time::{self, Duration};
use postern_env::{net, task};
use postern_node::backoff::{Backoff, Jitter};
use postern_node::portal::EndReason;
use postern_node::session::State;
use postern_node::{Address, SecureChannel};
use std::pin::Pin;
use std::sync::Arc;

/// A channel that is back within this time was not down. Chosen: longer than a reconnect takes.
const GRACE: Duration = Duration::from_millis(1_500);
/// Longest wait of the backoff between two searches; the first is [`GRACE`]. Chosen: a portal works again within this time
/// even if nothing reports that the network changed.
const MAX_SEARCH_DELAY: Duration = Duration::from_secs(15);
/// The waits before each search. Without jitter: a search loads only the few nodes of one owner.
const SEARCH_BACKOFF: Backoff = Backoff::new(GRACE, MAX_SEARCH_DELAY).with_jitter(Jitter::None);
/// A port that another program holds is tried again this often. Chosen.
const PORT_EVERY: Duration = Duration::from_secs(2);
/// How long a port that we have just closed may take to be free again, and how often it is tried meanwhile. Chosen: the
/// system needs milliseconds, a busy machine more.
const CLOSING_WITHIN: Duration = Duration::from_secs(2);
const CLOSING_EVERY: Duration = Duration::from_millis(20);

/// The task of one portal.
pub(super) struct InletTask {
    pub(super) dialer: Dialer,
    pub(super) spec: InletSpec,
    pub(super) metrics: Arc<PortalMetrics>,
    pub(super) description: SharedDescription,
}

/// What was reported last of the channel.
#[derive(PartialEq)]
enum ReportedState {
    Nothing,
    Up,
    Down(Fault),
}

/// What a search has found.
enum SearchResult {
    /// The address of this index works.
    Other(usize),
    /// The address in use works, or is about to.
    Same,
    /// None works.
    Failed(Fault),
}

type Search<'a> = Pin<Box<dyn Future<Output = SearchResult> + Send + 'a>>;

impl InletTask {
    /// Keeps the portal open until the future is dropped.
    pub(super) async fn run(&self) {
        let mut index = 0;
        loop {
            self.wait_for_port().await;
            let Some(path) = InletPath::open(&self.dialer, &self.spec, index, &self.description).await else {
                time::sleep(GRACE).await;
                continue;
            };
            let port = path.inlet.local_addr().port();
            self.emit(Event::InletListening(self.spec.inlet, Ok(port))).await;
            self.metrics.set_inlet(Some(path.inlet.clone()));
            index = self.follow(path).await;
            self.metrics.set_inlet(None);
        }
    }

    async fn emit(&self, event: Event) {
        self.dialer.context.emit(event).await;
    }

    /// Waits until the port is free on both loopback addresses, and reports who holds it meanwhile.
    async fn wait_for_port(&self) {
        let port = self.spec.port;
        let is_free = || port == 0 || net::taken_address(port).is_none();
        let closing = async {
            while !is_free() {
                time::sleep(CLOSING_EVERY).await;
            }
        };
        if time::timeout(CLOSING_WITHIN, closing).await.is_ok() {
            return;
        }
        let mut reported = None;
        while !is_free() {
            let fault = task::spawn_blocking(move || listening_ports::taken(port)).await.ok();
            if fault != reported
                && let Some(fault) = fault
            {
                reported = Some(fault.clone());
                self.emit(Event::InletListening(self.spec.inlet, Err(fault))).await;
            }
            tokio::select! {
                () = time::sleep(PORT_EVERY) => {}
                () = self.dialer.context.retry_requested() => {}
            }
        }
    }

    /// Reports the states of a path. Ends with the index of the address to use instead.
    async fn follow(&self, mut path: InletPath) -> usize {
        let inlet = self.spec.inlet;
        let mut refusals = path.inlet.refused();
        let mut reported = ReportedState::Nothing;
        let mut current: Option<Address> = None;
        let mut backoff = SEARCH_BACKOFF;
        let mut search: Option<Search<'_>> = None;
        loop {
            let state = path.states.borrow_and_update().clone();
            match state {
                State::Up(channel) => {
                    search = None;
                    backoff.reset();
                    // A channel that replaced another one must be set up anew.
                    if current.as_ref() != Some(channel.address()) {
                        current = Some(channel.address().clone());
                        self.set_up(&channel).await;
                        reported = ReportedState::Nothing;
                    }
                    if reported != ReportedState::Up {
                        reported = ReportedState::Up;
                        let used = dialer::path_of(&self.spec.addresses[path.index]);
                        self.emit(Event::InletUp(inlet, used)).await;
                    }
                }
                State::Connecting if self.spec.addresses.len() < 2 => {}
                State::Connecting | State::Down(_) if search.is_none() => {
                    search = Some(Box::pin(self.search(path.state(), backoff.next(0.0))));
                }
                State::Connecting | State::Down(_) => {}
            }
            if reported == ReportedState::Up && path.states.borrow().up().is_none() {
                reported = ReportedState::Nothing;
                self.emit(Event::InletConnecting(inlet)).await;
            }
            tokio::select! {
                // The session is over: our hub was removed, or has turned out to have no identity.
                changed = path.states.changed() => if changed.is_err() { return path.index },
                Ok(()) = refusals.changed() => {
                    let reason: Option<EndReason> = *refusals.borrow_and_update();
                    self.emit(Event::InletRefused(inlet, reason)).await;
                }
                found = next(&mut search) => {
                    search = None;
                    match found {
                        SearchResult::Other(index) => return index,
                        SearchResult::Same => {}
                        SearchResult::Failed(fault) if reported == ReportedState::Down(fault.clone()) => {}
                        SearchResult::Failed(fault) => {
                            reported = ReportedState::Down(fault.clone());
                            self.emit(Event::InletDown(inlet, fault)).await;
                        }
                    }
                }
            }
        }
    }

    async fn set_up(&self, channel: &SecureChannel) {
        self.dialer.context.report_history(&self.spec.owner).await;
        self.dialer.context.accept_notifications(channel);
        self.metrics.set_channel(Some(channel.clone()));
    }

    /// Searches for an address that works once the channel has been down for a while, or for the reason why none does.
    async fn search(&self, path: PathState, delay: Duration) -> SearchResult {
        tokio::select! {
            () = time::sleep(delay) => {}
            () = self.dialer.context.retry_requested() => {}
        }
        let addresses = &self.spec.addresses;
        if addresses.len() < 2 {
            return path.fault(addresses).await.map_or(SearchResult::Same, SearchResult::Failed);
        }
        match self.dialer.dial(self.spec.owner, addresses).await {
            Err(fault) => SearchResult::Failed(fault),
            Ok(connection) => match addresses.iter().position(|it| dialer::path_of(it) == connection.path) {
                Some(index) if index != path.index => SearchResult::Other(index),
                _ => SearchResult::Same,
            },
        }
    }
}

/// The result of a search that runs; never, if none does.
async fn next(search: &mut Option<Search<'_>>) -> SearchResult {
    match search {
        Some(search) => search.await,
        None => std::future::pending().await,
    }
}
