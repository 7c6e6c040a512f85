//! A [`CredentialSession`] keeps a credential valid: it asks its issuer for another before it expires.
//!
//! ```text
//! channel with the issuer ─► POST / ─► Up ─ until shortly before it expires ─► channel …
//!                               └─ refused, or no answer ─ backoff ─► channel …    Down when none is valid any more
//! ```

use super::error::SessionError;
use super::state::{State, first_outcome};
use crate::address::Address;
use crate::backoff::Backoff;
use crate::context::Context;
use crate::core::Core;
use crate::identity::{Identifier, Identity, Timestamp};
use crate::request::{CredentialClient, ObtainedCredential, RequestError};
use crate::route::Route;
use crate::secure_channel::{self, ChannelError, SecureChannel, SecureChannelOptions};
use crate::tcp;
use postern_env::random;
use postern_env::time::{self, Duration};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// First wait before an issuer that refused, or did not answer, is asked again. Chosen: it may just be starting.
const FIRST_RETRY: Duration = Duration::from_millis(500);
/// Longest wait. Chosen: half of what is left when a renewal begins (`CREDENTIAL_RENEWAL`), so that it is tried more than once.
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// How often the clock is looked at while a credential is valid: a timer alone stands still while the machine sleeps. Chosen.
const CLOCK_CHECK: Duration = Duration::from_secs(30);

/// Who issues a credential, and where.
#[derive(Debug, Clone)]
pub struct CredentialSource {
    /// Only this identity's credential counts, and only it is asked.
    pub issuer: Identifier,
    /// The route to its listener for secure channels; it may begin with a transport hop (`Address::tcp`).
    pub listener: Route,
    /// Its worker behind the channel: `credential_issuer` on nodes of `ockam`.
    pub service: Address,
}

/// Keeps a credential valid until it is dropped or its node stops.
pub struct CredentialSession {
    core: Arc<Core>,
    identity: Identity,
    state: watch::Receiver<State<ObtainedCredential>>,
    stop: CancellationToken,
}

impl CredentialSession {
    /// How it is doing now: up with the last credential, or down because of the last attempt. One that could not be renewed stays
    /// until the first attempt that fails after it has expired, a minute later at most.
    pub fn state(&self) -> State<ObtainedCredential> {
        self.state.borrow().clone()
    }

    /// Follows how it is doing: every credential is reported.
    pub fn watch(&self) -> watch::Receiver<State<ObtainedCredential>> {
        self.state.clone()
    }

    /// Waits until there is a credential.
    ///
    /// # Errors
    /// Why there is none, when the first attempt fails; it goes on trying.
    pub async fn up(&self) -> Result<ObtainedCredential, Arc<SessionError>> {
        first_outcome(self.state.clone()).await
    }

    /// Presents the credential, and each that follows, to the other end of an open channel, until that or this ends.
    pub fn present_over(&self, channel: &SecureChannel) {
        let (identity, channel, mut state) = (self.identity.clone(), channel.clone(), self.state.clone());
        let stop = self.stop.clone();
        self.core.spawn(async move {
            let presenting = async {
                loop {
                    let credential = state.borrow_and_update().up().map(|it| it.credential.clone());
                    if let Some(Err(error)) = credential.map(|it| channel.refresh(&identity, vec![it])) {
                        tracing::debug!(%error, "a credential could not be presented");
                    }
                    if state.changed().await.is_err() {
                        return;
                    }
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = channel.closed() => {}
                () = presenting => {}
            }
        });
    }
}

impl Drop for CredentialSession {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Keeps a credential of `identity`.
pub(crate) fn keep(core: &Arc<Core>, identity: &Identity, source: CredentialSource) -> CredentialSession {
    let (report, state) = watch::channel(State::Connecting);
    let stop = core.stopping.child_token();
    let renewing = Renewal { core: core.clone(), identity: identity.clone(), source, report };
    let stopped = stop.clone();
    core.spawn(async move {
        stopped.run_until_cancelled(renewing.run()).await;
    });
    CredentialSession { core: core.clone(), identity: identity.clone(), state, stop }
}

struct Renewal {
    core: Arc<Core>,
    identity: Identity,
    source: CredentialSource,
    report: watch::Sender<State<ObtainedCredential>>,
}

impl Renewal {
    async fn run(self) {
        let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
        loop {
            match self.obtain().await {
                Ok(obtained) => {
                    backoff.reset();
                    let now = Timestamp::now();
                    let renew_at = now.plus(obtained.renew_in(now));
                    self.report.send_replace(State::Up(obtained));
                    until(renew_at).await;
                }
                Err(error) => {
                    if is_unanswered(&error) {
                        // Its path may be dead, which TCP finds out after many minutes.
                        tcp::close_hop(&self.core, &self.source.listener);
                    }
                    let issuer = &self.source.issuer;
                    tracing::debug!(%issuer, %error, "no credential was obtained");
                    let now = Timestamp::now();
                    let is_valid = self.report.borrow().up().is_some_and(|held| held.expires_at >= now);
                    if !is_valid {
                        self.report.send_replace(State::Down(Arc::new(error)));
                    }
                    time::sleep(backoff.next(random::fraction())).await;
                }
            }
        }
    }

    async fn obtain(&self) -> Result<ObtainedCredential, SessionError> {
        let CredentialSource { issuer, listener, service } = &self.source;
        let route = tcp::connect_hop(&self.core, listener.clone()).await?;
        let options = SecureChannelOptions::trust_only([*issuer]);
        let channel = ClosedWhenDropped(secure_channel::open(&self.core, &self.identity, route, options).await?);
        let context = Context::open(&self.core, Address::random(), self.core.stopping.child_token())?;
        let client = CredentialClient::new(*issuer, Route::from(&channel.0).then(service));
        let obtained = client.obtain(&context, &self.core.known, self.identity.identifier()).await;
        Ok(obtained?)
    }
}

/// Whether nothing came from the issuer.
fn is_unanswered(error: &SessionError) -> bool {
    matches!(error, SessionError::Channel(ChannelError::Timeout(_)) | SessionError::Request(RequestError::Context(_)))
}

/// A channel that is of no use afterwards, also if the task ends.
struct ClosedWhenDropped(SecureChannel);

impl Drop for ClosedWhenDropped {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Waits until the clock shows a time.
async fn until(when: Timestamp) {
    loop {
        let left = Duration::from_secs(when.0.saturating_sub(Timestamp::now().0));
        if left.is_zero() {
            return;
        }
        time::sleep(left.min(CLOCK_CHECK)).await;
    }
}
