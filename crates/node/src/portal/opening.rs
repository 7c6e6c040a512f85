//! Opening a stream from an inlet: on another channel when the first proves dead.

use super::flow_control::INITIAL_WINDOW;
use super::http::{self, AnswerForm, FirstRequest, InletAnswer, RequestCheck, RequestGuard};
use super::inlet_state::{InletInner, InletRoute, ResolvedPath};
use super::message::{EndReason, Offer, PortalMessage};
use super::meter::LiveStream;
use super::stream::{CONNECT_TIMEOUT, EARLY_DATA_MAX, Ending, Stream, StreamShutdown, reset};
use crate::address::Address;
use crate::core::Core;
use crate::route::Route;
use crate::secure_channel::SecureChannel;
use crate::session::State;
use crate::sync::lock;
use postern_env::net::TcpStream;
use postern_env::random;
use postern_env::time::{self, Duration, Instant};
use rand::Rng;
use std::sync::Arc;
use tokio::sync::watch;

/// A stream that is not answered for this long makes the inlet ask at once.
const SUSPECT_AFTER: Duration = Duration::from_millis(300);

/// Carries one accepted connection, from opening its stream to the end. Without a path it is answered, if it is of a web portal.
pub(super) async fn serve(inlet: Arc<InletInner>, _live: LiveStream, socket: TcpStream, path: Option<ResolvedPath>) {
    let mut client = WaitingClient { socket: Some(socket), guard: None, refused: None };
    let path = match &inlet.request_check {
        None => path,
        Some(check) => {
            let first = inlet.closed.run_until_cancelled(client.first_request(check, path.is_some())).await;
            if first != Some(true) {
                return;
            }
            inlet.resolve()
        }
    };
    let Some(path) = path else { return client.answer(None).await };
    let Err(reason) = connect_stream(&inlet, &mut client, path).await else { return inlet.record_refusal(None) };
    tracing::debug!(%reason, "a stream ended early");
    if reason.is_owners_decision() || reason.is_services_fault() {
        inlet.record_refusal(Some(reason));
    }
    if !inlet.closed.is_cancelled() {
        client.answer(Some(reason)).await;
    }
}

/// Opens streams for a connection, over a new channel when the one at hand proves dead, and runs the one that opens: the client is the
/// stream's from then on.
async fn connect_stream(
    inlet: &Arc<InletInner>,
    client: &mut WaitingClient,
    mut path: ResolvedPath,
) -> Result<(), EndReason> {
    let deadline = time::now() + CONNECT_TIMEOUT;
    loop {
        let known = lock(&inlet.extended).as_ref() == Some(&path.through);
        let ends = inlet.ends(&path);
        let mut stream = PendingStream::open(inlet, &path, known)?;
        if known {
            // What is sent at once cannot be sent again: from here on there is no second try.
            let guard = client.give_to(&stream);
            let ending = run_before_answer(inlet, &stream, &path.through, deadline, &ends, guard).await;
            return client.take_back(&stream.stream, ending);
        }
        let answered = tokio::select! {
            answered = stream.answered() => answered,
            reason = answer_overdue(inlet, &stream, &path.through, deadline) => Err(reason),
            reason = ends.triggered() => Err(reason),
        };
        match answered {
            Ok(()) => {
                stream.answered = true;
                if stream.is_extended() {
                    *lock(&inlet.extended) = Some(path.through.clone());
                    inlet.identified.notify_one();
                }
                inlet.record_refusal(None);
                let guard = client.give_to(&stream);
                return stream.run(&ends, guard).await.result;
            }
            Err(EndReason::Disconnected) => match inlet.resolve() {
                Some(next) if next.through != path.through => path = next,
                _ => return Err(EndReason::Disconnected),
            },
            Err(reason) => return Err(reason),
        }
    }
}

/// Runs a stream whose answer is still to come.
async fn run_before_answer(
    inlet: &InletInner,
    stream: &Stream,
    through: &Address,
    deadline: Instant,
    ends: &StreamShutdown,
    guard: Option<RequestGuard>,
) -> Ending {
    let running = stream.run(ends, guard);
    tokio::pin!(running);
    tokio::select! {
        result = &mut running => return result,
        () = stream.opened() => inlet.record_refusal(None),
        reason = answer_overdue(inlet, stream, through, deadline) => stream.end(reason),
    }
    running.await
}

/// Has the inlet ask when a stream is not answered soon. Ends when the way has changed, or nothing came in time.
async fn answer_overdue(inlet: &InletInner, stream: &Stream, through: &Address, deadline: Instant) -> EndReason {
    let mut states = match &inlet.route {
        InletRoute::Kept(session, _) => Some(session.watch()),
        InletRoute::Fixed(_) | InletRoute::Plain(..) => None,
    };
    let suspicion = time::sleep(SUSPECT_AFTER);
    tokio::pin!(suspicion);
    let mut suspected = false;
    loop {
        tokio::select! {
            () = &mut suspicion, if !suspected => {
                if stream.is_opened() {
                    std::future::pending::<()>().await;
                }
                suspected = true;
                inlet.suspicion.notify_one();
            }
            () = time::sleep_until(deadline), if suspected => {
                if stream.is_opened() {
                    std::future::pending::<()>().await;
                }
                // The owner's node is silent: that does not mean that the service beside it is down.
                return EndReason::Disconnected;
            }
            true = changed(&mut states), if suspected => {
                if !stream.is_opened() && inlet.resolve().is_none_or(|path| path.through != *through) {
                    return EndReason::Disconnected;
                }
            }
        }
    }
}

async fn changed(states: &mut Option<watch::Receiver<State<SecureChannel>>>) -> bool {
    match states {
        Some(states) => states.changed().await.is_ok(),
        None => std::future::pending().await,
    }
}

/// A client that no stream has taken yet: its socket is reset if it is dropped.
struct WaitingClient {
    socket: Option<TcpStream>,
    /// Holds its first request; only at a web portal.
    guard: Option<RequestGuard>,
    /// The stream that had taken it and was not opened, and what it is still to be told.
    refused: Option<(Arc<Stream>, (InletAnswer, AnswerForm))>,
}

impl WaitingClient {
    /// Waits for the first request, and checks it. False if the client was answered, is gone, or cannot be answered.
    async fn first_request(&mut self, check: &RequestCheck, has_path: bool) -> bool {
        let Some(socket) = &self.socket else { return false };
        let first = match has_path {
            true => http::first_request(check, socket).await,
            false => http::first_request_without_path(check, socket).await,
        };
        match first {
            FirstRequest::Accepted(guard) => self.guard = Some(*guard),
            // What was to be said was said: what remains is to close it.
            FirstRequest::Done => self.socket = None,
            FirstRequest::Unanswerable => {}
        }
        self.guard.is_some()
    }

    /// Gives the socket to a stream, and what was read from it.
    fn give_to(&mut self, stream: &Stream) -> Option<RequestGuard> {
        if let Some(socket) = self.socket.take() {
            stream.attach(socket);
        }
        self.guard.take()
    }

    /// Takes the client back from a stream that was not opened.
    fn take_back(&mut self, stream: &Arc<Stream>, ending: Ending) -> Result<(), EndReason> {
        self.refused = ending.answer.map(|answer| (stream.clone(), answer));
        ending.result
    }

    /// Answers its request with the reason why no stream was opened, if it is of a web portal, and no stream that was opened has taken
    /// it.
    async fn answer(mut self, reason: Option<EndReason>) {
        if let Some((stream, answer)) = &self.refused {
            return stream.answer(answer).await;
        }
        let Some(guard) = &self.guard else { return };
        let (answer, form) = (guard.unavailable(reason), guard.form());
        if let Some(answer) = answer
            && let Some(socket) = self.socket.take()
        {
            http::give(&answer, form, &socket).await;
        }
    }
}

impl Drop for WaitingClient {
    fn drop(&mut self) {
        if let Some(socket) = &self.socket {
            reset(socket);
        }
    }
}

/// A stream that has sent its Ping. When it is dropped without an answer, the outlet is told to end it.
struct PendingStream {
    stream: Arc<Stream>,
    core: Arc<Core>,
    /// Where the outlet's end may be.
    there: Route,
    answered: bool,
}

impl PendingStream {
    fn open(inlet: &InletInner, path: &ResolvedPath, known: bool) -> Result<Self, EndReason> {
        let core = &inlet.core;
        let stream = Stream::new(core, &inlet.pool, Address::random(), path.source.as_deref(), known, &inlet.meter);
        let offer = Offer { window: INITIAL_WINDOW, address: random_hex() };
        let there = Address::new(Address::LOCAL, offer.address);
        let there = path.outlet.iter().take(path.outlet.len() - 1).collect::<Route>().then(there);
        core.router.add_endpoint(stream.address().clone(), stream.clone()).map_err(|_| EndReason::Disconnected)?;
        let opened = Self { stream, core: core.clone(), there, answered: known };
        if let Some(source) = &path.source {
            core.router.expose(opened.address(), source.origin);
        }
        // Before the Ping: its answer sets both anew, and may come before this goes on.
        opened.set_remote(opened.there.clone(), if known { EARLY_DATA_MAX } else { 0 });
        drop(
            opened
                .send_control_to(&path.outlet, &PortalMessage::Ping(Some(offer)))
                .map_err(|_| EndReason::Disconnected)?,
        );
        Ok(opened)
    }
}

impl std::ops::Deref for PendingStream {
    type Target = Stream;

    fn deref(&self) -> &Stream {
        &self.stream
    }
}

impl Drop for PendingStream {
    fn drop(&mut self) {
        self.core.router.remove(self.stream.address());
        if !self.answered {
            drop(self.stream.send_control_to(&self.there, &PortalMessage::Disconnect(EndReason::Stopping)));
        }
    }
}

fn random_hex() -> [u8; 32] {
    let mut rng = random::rng();
    std::array::from_fn(|_| b"0123456789abcdef"[rng.random_range(0..16)])
}
