//! A secure channel that is replaced when it fails, through a kept connection: further handshakes begin with exponential
//! backoff until one is answered.

use super::error::SessionError;
use super::hub::{HubSession, HubUp};
use super::state::{State, first_outcome};
use crate::address::Address;
use crate::backoff::Backoff;
use crate::core::Core;
use crate::identity::Identity;
use crate::relay::RelayError;
use crate::route::Route;
use crate::secure_channel::{ChannelError, ChannelKey, SecureChannel, SecureChannelOptions, open_with};
use crate::tcp::TcpConnection;
use postern_env::random;
use postern_env::task::JoinSet;
use postern_env::time::{self, Duration};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// First wait before a handshake that is not answered is joined by another one. The waits double too.
pub const FIRST_HANDSHAKE_RETRY: Duration = Duration::from_millis(250);
/// Longest wait before another handshake.
pub const LONGEST_HANDSHAKE_RETRY: Duration = Duration::from_secs(1);
/// A channel that was replaced is closed when nothing was heard over it for this long.
pub const RETIRE_AFTER: Duration = Duration::from_secs(60);
/// A session whose handshakes were not answered for so long reports that it is down, and goes on.
const REPORT_UNANSWERED_AFTER: Duration = Duration::from_secs(1);
/// Handshakes of one session that wait for an answer at once.
const MAX_HANDSHAKES: usize = 10;

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
    pub async fn up(&self) -> Result<SecureChannel, Arc<SessionError>> {
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

/// Keeps a channel, as `identity`, to the listener that `route` ends at behind the hub's connection.
pub(crate) async fn keep(
    core: &Arc<Core>,
    hub: &HubSession,
    identity: &Identity,
    route: Route,
    options: SecureChannelOptions,
) -> Result<ChannelSession, ChannelError> {
    let (report, state) = watch::channel(State::Connecting);
    let core = core.clone();
    let (suspect, suspected) = watch::channel(None);
    let session = ChannelSession { state, suspect, stop: core.stopping.child_token() };
    let channel = ChannelLoop {
        key: Arc::new(ChannelKey::create(identity, options.credentials.clone()).await?),
        hub: hub.watch(),
        route,
        options: Arc::new(options),
        suspect: suspected,
        report,
        core: core.clone(),
    };
    let stop = session.stop.clone();
    core.spawn(async move {
        stop.run_until_cancelled(channel.run()).await;
    });
    Ok(session)
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
                self.core.spawn(close_when_idle(old, self.core.stopping.clone()));
            }
            tokio::select! {
                () = channel.cut() => {
                    channel.close();
                    self.report.send_replace(State::Down(Arc::new(RelayError::Disconnected.into())));
                }
                () = self.suspected(channel.address()) => {
                    tracing::info!("the channel seems dead; making another");
                    // Over another connection, if this one is dead too.
                    connection.check();
                }
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
        let begun = time::now();
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
                () = time::sleep_until(next), if handshakes.len() < MAX_HANDSHAKES => {
                    next = time::now() + backoff.next(random::fraction());
                    if time::since(begun) > REPORT_UNANSWERED_AFTER && !matches!(&*self.report.borrow(), State::Down(_)) {
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
    fn failed(&self, error: SessionError) {
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
            () = time::sleep(RETIRE_AFTER) => {}
        }
    }
    channel.close();
}
