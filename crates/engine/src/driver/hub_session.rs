//! Keeping a hub connected: a session with it, our relay there, and our mailbox.
//!
//! ```text
//! keep ─► session with our identity ─► Up ─► HubUp    a hub that answers, but not the handshake, has no identity:
//!                │                                     then a session without, with a relay of the same name
//!                └─► Down ─► HubDown; the session goes on with exponential backoff
//! ```
//!
//! A hub that has ever shown an identity is not used without one: somebody between could have dropped the handshake.

use super::dialer;
use super::hubs::Hubs;
use super::mail_transport::MailTransport;
use super::node_context::{LISTENER, NodeContext};
use crate::api::{Code, Fault};
use crate::core::{Event, clock_skew};
use crate::peer::relay_name;
use postern_node::Error;
use postern_node::identity::{Error as IdentityError, TrustPolicy};
use postern_node::relay::RelayError;
use postern_node::secure_channel::ChannelError;
use postern_node::session::{HubOptions, HubSession, SessionError, State};
use postern_node::tcp::TcpError;
use tokio::sync::watch;

/// Connects to a hub and stays connected until it is removed from the table, unless it is in the table already.
///
/// `is_pinned`: the hub has shown an identity before.
pub(super) fn keep(context: &NodeContext, hubs: &Hubs, mail: &MailTransport, address: String, is_pinned: bool) {
    let stop = context.stop.child_token();
    if !hubs.add(&address, stop.clone()) {
        return;
    }
    let task = HubTask { context: context.clone(), hubs: hubs.clone(), mail: mail.clone(), address, is_pinned };
    context.spawn(async move {
        stop.run_until_cancelled(task.run()).await;
    });
}

struct HubTask {
    context: NodeContext,
    hubs: Hubs,
    mail: MailTransport,
    address: String,
    /// The hub has shown an identity before.
    is_pinned: bool,
}

/// Why a session is not followed any more.
#[derive(PartialEq)]
enum SessionEnd {
    /// The hub has said that it has no identity, and has never shown one.
    NoIdentity,
    /// The session is over, or the hub was removed.
    Over,
}

impl HubTask {
    async fn run(&self) {
        let context = &self.context;
        let relay = relay_name(&context.identity.identifier());
        let options = HubOptions { relay: Some(relay.clone()), trust: TrustPolicy::Anyone };
        match context.node.keep_connected_as(&context.identity, self.address.as_str(), options).await {
            Ok(session) => {
                if self.follow(session, true).await == SessionEnd::NoIdentity {
                    let session = context.node.keep_connected(self.address.as_str(), Some(relay));
                    self.follow(session, false).await;
                }
            }
            Err(error) => {
                let fault = match error {
                    Error::Channel(error) => self.fault(&error.into()),
                    _ => self.unreachable(),
                };
                context.emit(Event::HubDown(self.address.clone(), fault)).await;
            }
        }
    }

    /// Reports the states of a session, until it turns out that the hub has no identity.
    async fn follow(&self, session: HubSession, as_identity: bool) -> SessionEnd {
        let context = &self.context;
        if let Err(error) = context.node.expose(LISTENER, &session) {
            tracing::warn!(%error, "peers cannot reach this node through a hub; other hubs remain");
        }
        if as_identity {
            self.mail.collect(&session, &self.address);
        }
        let mut states = session.watch();
        if !self.hubs.set_session(&self.address, session) {
            return SessionEnd::Over;
        }
        let (mut was_up, mut reported) = (false, None);
        loop {
            let state = states.borrow_and_update().clone();
            let mut answers = state.up().and_then(|up| up.connection.answers());
            let down = match &state {
                State::Connecting => None,
                State::Up(up) => {
                    was_up = true;
                    let answers = answers.as_mut().is_none_or(|answers| *answers.borrow_and_update());
                    if answers {
                        reported = None;
                        context.emit(Event::HubUp(self.address.clone(), up.hub())).await;
                    }
                    (!answers).then(|| self.silent())
                }
                State::Down(error) if self.has_no_identity(error, was_up) => return SessionEnd::NoIdentity,
                State::Down(error) => Some(self.fault(error)),
            };
            if let Some(fault) = down.filter(|fault| reported.as_ref() != Some(fault)) {
                reported = Some(fault.clone());
                context.emit(Event::HubDown(self.address.clone(), fault)).await;
            }
            tokio::select! {
                changed = states.changed() => if changed.is_err() { return SessionEnd::Over },
                () = answers_otherwise(&mut answers) => {}
            }
        }
    }

    fn has_no_identity(&self, error: &SessionError, was_up: bool) -> bool {
        matches!(error, SessionError::Channel(ChannelError::NotOffered)) && !was_up && !self.is_pinned
    }

    fn fault(&self, error: &SessionError) -> Fault {
        let address = &self.address;
        match error {
            SessionError::Relay(RelayError::NameTaken(_)) => Fault::new(
                Code::RelayTaken,
                format!(
                    "The hub {address} reserves the name of our relay for another identity. Use another hub, or ask who runs it."
                ),
            ),
            SessionError::Relay(RelayError::Full) => Fault::new(
                Code::TooMany,
                format!("The hub {address} accepts no more relays. Use another hub, or ask who runs it."),
            ),
            SessionError::Relay(RelayError::NotConfirmed) => Fault::new(
                Code::HubUnreachable,
                format!(
                    "The hub {address} does not confirm our relay: it may be no Postern hub, or reserve the name for another identity."
                ),
            ),
            SessionError::Channel(ChannelError::NotOffered) => Fault::new(
                Code::HubChanged,
                format!(
                    "The hub {address} had an identity before and shows none now, so it is not used. Ask who runs it, or \
                     remove it and add it again."
                ),
            ),
            SessionError::Channel(ChannelError::Identity(IdentityError::FromTheFuture { created, now, .. })) => {
                clock_skew::fault(dialer::ahead_ms(*created, *now), &format!("that of the hub {address}"))
            }
            SessionError::Channel(ChannelError::Identity(_)) => {
                Fault::new(Code::NotTrusted, format!("The identity of the hub {address} has changed."))
            }
            SessionError::Tcp(TcpError::Silent { .. }) => Fault::new(
                Code::HubUnreachable,
                format!(
                    "The connection to the hub {address} stopped answering. Check the network; Postern connects again."
                ),
            ),
            _ => self.unreachable(),
        }
    }

    /// It is connected, and answers nothing.
    fn silent(&self) -> Fault {
        dialer::hub_silent(&self.address)
    }

    fn unreachable(&self) -> Fault {
        let address = &self.address;
        Fault::new(
            Code::HubUnreachable,
            format!("The hub {address} cannot be reached. Check the network and the address; Postern goes on trying."),
        )
    }
}

/// Waits until a connection's other end begins or ceases to answer; for ever, where that is not known.
async fn answers_otherwise(answers: &mut Option<watch::Receiver<bool>>) {
    if let Some(answers) = answers
        && answers.changed().await.is_ok()
    {
        return;
    }
    // The connection has ended, which the session reports.
    std::future::pending().await
}
