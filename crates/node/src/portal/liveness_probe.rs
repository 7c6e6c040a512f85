//! The liveness probe of an inlet: asks the outlet's node whether it is there, and measures the round-trip time.

use super::inlet_state::{InletInner, InletRoute, through};
use super::message::PortalMessage;
use crate::address::Address;
use crate::delivery::Delivery;
use crate::local_message::{BorrowedMessage, PayloadBuf};
use crate::origin::Origin;
use crate::route::Route;
use crate::router::Endpoint;
use crate::secure_channel::SecureChannel;
use crate::session::State;
use crate::sync::lock;
use crate::undeliverable::Undeliverable;
use postern_env::time::{self, Duration};
use std::sync::Arc;

/// How often an inlet asks whether the other end is there.
pub const PROBE_EVERY: Duration = Duration::from_secs(5);
/// How long an answer may take.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// The same when a stream is not answered either.
const SUSPICIOUS_PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// Unanswered questions after which the channel is taken for dead. One is enough when a stream is not answered either.
const PROBES_LOST: u32 = 3;

/// Bytes that the node's streams move between two probes at most for the second to show the round-trip time of the way alone.
/// Chosen: half a second of a line of 256 kbit/s.
const IDLE_MAX: u64 = 16 * 1024;

/// What the last answered probe said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProbeReport {
    /// Time to the outlet's node and back.
    pub round_trip: Option<Duration>,
}

/// Probes the outlet's node regularly, once it is known to support the extension, and whenever a stream is
/// not answered.
pub(super) struct LivenessProbe {
    pub(super) inlet: Arc<InletInner>,
    pub(super) address: Address,
}

impl LivenessProbe {
    pub(super) async fn run(self: Arc<Self>) {
        let inlet = &self.inlet;
        let InletRoute::Kept(session, _) = &inlet.route else { return };
        if inlet.core.router.add_endpoint(self.address.clone(), self.clone()).is_err() {
            return;
        }
        let mut every = time::interval(PROBE_EVERY);
        let mut lost = 0;
        loop {
            let suspicious = tokio::select! {
                () = inlet.closed.cancelled() => break,
                () = inlet.suspicion.notified() => true,
                () = inlet.identified.notified() => false,
                _ = every.tick(), if lost == 0 => false,
                () = std::future::ready(()), if lost > 0 => false,
            };
            let State::Up(channel) = session.state() else {
                lost = 0;
                continue;
            };
            let extended = lock(&inlet.extended).as_ref() == Some(channel.address());
            if !extended && !suspicious {
                // Or this would ask again at once, and again, without ever waiting.
                lost = 0;
                continue;
            }
            let timeout = if suspicious { SUSPICIOUS_PROBE_TIMEOUT } else { PROBE_TIMEOUT };
            lost = if self.is_answered(&channel, timeout).await { 0 } else { lost + 1 };
            if lost >= PROBES_LOST || (suspicious && lost > 0) {
                session.suspect(channel.address());
            }
            if lost >= PROBES_LOST {
                // Streams on it would wait for ever: they learn now that it is over.
                channel.close();
                lost = 0;
            }
        }
        inlet.core.router.remove(&self.address);
    }

    /// Asks once. Whatever else comes over the channel meanwhile is an answer too.
    async fn is_answered(&self, channel: &SecureChannel, timeout: Duration) -> bool {
        let inlet = &self.inlet;
        let InletRoute::Kept(_, outlet) = &inlet.route else { return true };
        inlet.core.router.expose(&self.address, channel.origin());
        let (number, asked_at) = {
            let mut probe = lock(&inlet.probe);
            probe.asked += 1;
            (probe.asked, time::now())
        };
        let round_trip =
            inlet.core.router.source_of(channel.address().as_ref()).map(|source| source.round_trip.clone());
        let known = round_trip.as_ref().map(|it| u64::try_from(it.get().as_micros()).unwrap_or(u64::MAX));
        let sent = inlet.core.router.dispatch(BorrowedMessage {
            onward: through(channel, outlet).as_ref(),
            return_route: Route::from(&self.address).as_ref(),
            body: PayloadBuf::exactly(&mut PortalMessage::Probe(number, known).encode()),
            source: None,
            depth: 0,
            completion: None,
        });
        if sent.map(drop).is_err() {
            return false;
        }
        let answered = async {
            while lock(&inlet.probe).answered < number {
                inlet.answered.notified().await;
            }
            let (took, moved) = (time::since(asked_at), inlet.pool.moved());
            let mut probe = lock(&inlet.probe);
            let is_idle = moved - std::mem::replace(&mut probe.moved, moved) <= IDLE_MAX;
            probe.round_trip = Some(took);
            round_trip.inspect(|it| it.measured(took, is_idle));
        };
        let in_time = tokio::select! {
            answered = time::timeout(timeout, answered) => answered.is_ok(),
            () = inlet.closed.cancelled() => true,
        };
        in_time || channel.silence() < time::since(asked_at)
    }
}

impl Endpoint for LivenessProbe {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let Some(PortalMessage::Alive(number)) = PortalMessage::read(message.body.payload()) else {
            return Err(Undeliverable::Malformed);
        };
        let mut probe = lock(&self.inlet.probe);
        probe.answered = probe.answered.max(number.min(probe.asked));
        self.inlet.answered.notify_one();
        Ok(Delivery::default())
    }
}
