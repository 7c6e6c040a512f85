//! The liveness probe of an inlet: asks the outlet's node whether it is there, and measures the round-trip time.

use super::inlet_state::{InletInner, InletRoute, through};
use super::message::PortalMessage;
use super::probe_state::{ChannelState, ProbeOutcome};
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
use std::sync::atomic::Ordering;

/// How often an inlet asks whether the other end is there.
pub const PROBE_EVERY: Duration = Duration::from_secs(5);
/// How long an answer may take, and longer on a path that is slow (`ProbeState`).
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// The same when a stream is not answered either.
const SUSPICIOUS_PROBE_TIMEOUT: Duration = Duration::from_secs(1);
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
        loop {
            let is_doubtful = lock(&inlet.probe).is_doubtful();
            let suspicious = tokio::select! {
                () = inlet.closed.cancelled() => break,
                () = inlet.suspicion.notified() => true,
                () = inlet.identified.notified() => false,
                _ = every.tick(), if !is_doubtful => false,
                () = std::future::ready(()), if is_doubtful => false,
            };
            let extended = lock(&inlet.extended).clone();
            let channel = match session.state() {
                State::Up(channel) if suspicious || extended.as_ref() == Some(channel.address()) => channel,
                _ => {
                    // Or this would ask again at once, and again, without ever waiting.
                    lock(&inlet.probe).reset();
                    continue;
                }
            };
            let outcome = self.probe(&channel, if suspicious { SUSPICIOUS_PROBE_TIMEOUT } else { PROBE_TIMEOUT }).await;
            match lock(&inlet.probe).conclude(outcome, suspicious) {
                ChannelState::Alive | ChannelState::Doubtful => {}
                ChannelState::Suspect => session.suspect(channel.address()),
                ChannelState::Dead => {
                    session.suspect(channel.address());
                    // Streams on it would wait for ever: they learn now that it is over.
                    channel.close();
                }
            }
        }
        inlet.core.router.remove(&self.address);
    }

    /// Asks once. Whatever else comes over the channel meanwhile is an answer too.
    async fn probe(&self, channel: &SecureChannel, shortest: Duration) -> ProbeOutcome {
        let inlet = &self.inlet;
        let InletRoute::Kept(_, outlet) = &inlet.route else { return ProbeOutcome::Alive };
        inlet.core.router.expose(&self.address, channel.origin());
        let asked_at = time::now();
        let (number, timeout) = {
            let mut probe = lock(&inlet.probe);
            (probe.ask(asked_at), probe.timeout(shortest))
        };
        let round_trip =
            inlet.core.router.source_of(channel.address().as_ref()).map(|source| source.round_trip.clone());
        let known = round_trip.as_ref().map(|it| u64::try_from(it.get().as_micros()).unwrap_or(u64::MAX));
        let before = self.reads_below(channel);
        let sent = inlet.core.router.dispatch(BorrowedMessage {
            onward: through(channel, outlet).as_ref(),
            return_route: Route::from(&self.address).as_ref(),
            body: PayloadBuf::exactly(&mut PortalMessage::Probe(number, known).encode()),
            source: None,
            depth: 0,
            completion: None,
        });
        if sent.map(drop).is_err() {
            return ProbeOutcome::Silent;
        }
        let answered = async {
            while !lock(&inlet.probe).is_answered(number) {
                inlet.answered.notified().await;
            }
            let (took, moved) = (time::since(asked_at), inlet.pool.moved());
            let is_idle = moved - std::mem::replace(&mut lock(&inlet.probe).moved, moved) <= IDLE_MAX;
            round_trip.inspect(|it| it.measured(took, is_idle));
        };
        let in_time = tokio::select! {
            answered = time::timeout(timeout, answered) => answered.is_ok(),
            () = inlet.closed.cancelled() => true,
        };
        if in_time || channel.silence() < time::since(asked_at) {
            ProbeOutcome::Alive
        } else if self.reads_below(channel) != before {
            ProbeOutcome::Arriving
        } else {
            ProbeOutcome::Silent
        }
    }

    /// How often more than pings and answers was read from the connection under a channel.
    fn reads_below(&self, channel: &SecureChannel) -> Option<u32> {
        let router = &self.inlet.core.router;
        let channel = router.source_of(channel.address().as_ref())?;
        let connection = router.source_of(channel.carrier_address.as_ref()?.as_ref())?;
        Some(connection.large_reads.load(Ordering::Relaxed))
    }
}

impl Endpoint for LivenessProbe {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let Some(PortalMessage::Alive(number)) = PortalMessage::read(message.body.payload()) else {
            return Err(Undeliverable::Malformed);
        };
        lock(&self.inlet.probe).answer(number, time::now());
        self.inlet.answered.notify_one();
        Ok(Delivery::default())
    }
}
