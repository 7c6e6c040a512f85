//! What is observed of one connection, and its pings.

use super::keep_alive::KeepAlive;
use super::state::{Liveness, Seen, TICK, Verdict};
use crate::address::Address;
use crate::core::Core;
use crate::delivery::Delivery;
use crate::local_message::{BorrowedMessage, PayloadBuf};
use crate::origin::OriginId;
use crate::route::Route;
use crate::router::Endpoint;
use crate::sync::lock;
use crate::undeliverable::Undeliverable;
use crate::wire::bare;
use postern_env::net::{SendQueue, send_queue};
use postern_env::task::spawn_blocking;
use postern_env::time::{self, Duration, Instant};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, watch};

/// The address that every hub echoes at.
const ECHO: &str = "echo";
/// Bytes of a frame, or of a read, from which on a connection counts as used: the probes of an idle portal, pings and answers are
/// smaller.
pub(in super::super) const USED_FROM: usize = 256;
const NOTHING: u8 = 0;
const HEARD: u8 = 1;
const SENT: u8 = 2;

/// What is known of the other end of a connection that a session keeps.
pub(in super::super) struct Monitor {
    /// Where pings are answered to.
    address: Address,
    keep_alive: Arc<KeepAlive>,
    /// What happened last on the connection, and what has happened since it was last looked at.
    last: AtomicU8,
    /// Milliseconds from `started` to the last byte that arrived, and one more.
    heard: AtomicU64,
    used: AtomicBool,
    is_reading: AtomicBool,
    asked: AtomicBool,
    /// The last ping that was answered, and when.
    answered: Mutex<Option<(u64, Instant)>>,
    pong: Notify,
    /// It has answered a ping.
    echoes: AtomicBool,
    /// Milliseconds that an answer may take for somebody who asks.
    answer_within: AtomicU64,
    /// How long nothing had passed when what is outstanding was sent, if something is.
    idle_before: Mutex<Option<Duration>>,
    /// Something was sent, or somebody asks.
    wake: Notify,
    /// Whether the other end answers.
    answers: watch::Sender<bool>,
    is_dead: AtomicBool,
    started: Instant,
}

/// The connection that is observed.
pub(in super::super) struct Observed<'a> {
    pub(in super::super) core: &'a Arc<Core>,
    pub(in super::super) connection: &'a Address,
    pub(in super::super) origin: OriginId,
    /// The socket's own address and that of the other end.
    pub(in super::super) ends: Option<(SocketAddr, SocketAddr)>,
    /// Whether more waits to be sent than should.
    pub(in super::super) is_congested: &'a (dyn Fn() -> bool + Send + Sync),
}

impl Monitor {
    pub(in super::super) fn new(keep_alive: Arc<KeepAlive>) -> Arc<Self> {
        Arc::new(Self {
            address: Address::random(),
            keep_alive,
            last: AtomicU8::new(NOTHING),
            heard: AtomicU64::default(),
            used: AtomicBool::default(),
            is_reading: AtomicBool::default(),
            // Whether it answers pings at all is known before that matters.
            asked: AtomicBool::new(true),
            answered: Mutex::default(),
            pong: Notify::new(),
            echoes: AtomicBool::default(),
            answer_within: AtomicU64::default(),
            idle_before: Mutex::default(),
            wake: Notify::new(),
            answers: watch::Sender::new(true),
            is_dead: AtomicBool::default(),
            started: time::now(),
        })
    }

    /// Says that a frame was queued.
    pub(in super::super) fn note_sent(&self, bytes: usize) {
        if bytes >= USED_FROM {
            self.used.store(true, Ordering::Relaxed);
        }
        if self.last.load(Ordering::Relaxed) != SENT {
            self.last.store(SENT, Ordering::Relaxed);
            self.wake.notify_one();
        }
    }

    /// Says that bytes arrived.
    pub(in super::super) fn note_heard(&self, bytes: usize) {
        if bytes >= USED_FROM {
            self.used.store(true, Ordering::Relaxed);
        }
        self.last.store(HEARD, Ordering::Relaxed);
        self.heard.store(time::since(self.started).as_millis() as u64 + 1, Ordering::Relaxed);
    }

    /// Says whether this end waits for bytes.
    pub(in super::super) fn set_reading(&self, is_reading: bool) {
        self.is_reading.store(is_reading, Ordering::Relaxed);
    }

    /// Asks the other end now.
    pub(in super::super) fn check(&self) {
        self.asked.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// Asks the other end now; whether it answers within the time that it may take. True where that is not known.
    pub(in super::super) async fn verify(&self) -> bool {
        let answered = self.pong.notified();
        self.check();
        let within = Duration::from_millis(self.answer_within.load(Ordering::Relaxed));
        time::timeout(within, answered).await.is_ok() || !self.echoes.load(Ordering::Relaxed)
    }

    /// Whether the other end answers.
    pub(in super::super) fn answers(&self) -> watch::Receiver<bool> {
        self.answers.subscribe()
    }

    /// Whether the connection was ended because the other end is dead.
    pub(in super::super) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Relaxed)
    }

    /// Observes the connection until the other end is dead.
    pub(in super::super) async fn run(self: &Arc<Self>, connection: &Observed<'_>) -> io::Error {
        let core = connection.core;
        if core.router.add_endpoint(self.address.clone(), self.clone()).is_err() {
            return std::future::pending().await;
        }
        core.router.expose(&self.address, connection.origin);
        let mut liveness = Liveness::new(time::now());
        let mut heard = None;
        loop {
            let queue = match connection.ends.filter(|_| liveness.needs_queue(time::now())) {
                Some(ends) => system_queue(ends).await,
                None => None,
            };
            let now = time::now();
            let seen = self.seen(heard, queue, (connection.is_congested)());
            heard = seen.heard.or(heard);
            let step = liveness.step(now, seen, self.keep_alive.interval());
            self.answer_within.store(liveness.answer_within().as_millis() as u64, Ordering::Relaxed);
            *lock(&self.idle_before) = liveness.idle_before();
            if seen.answered.is_some() {
                self.keep_alive.held(now);
            }
            if step.is_settled {
                let _ = self.last.compare_exchange(SENT, NOTHING, Ordering::Relaxed, Ordering::Relaxed);
            }
            if step.verdict == Verdict::Dead {
                self.is_dead.store(true, Ordering::Relaxed);
                return io::Error::new(io::ErrorKind::TimedOut, "the other end stopped answering");
            }
            let answers = step.verdict == Verdict::Alive;
            self.answers.send_if_modified(|reported| std::mem::replace(reported, answers) != answers);
            if let Some(number) = step.ping {
                self.ping(connection, number);
            }
            // What is outstanding is looked at regularly; until then nothing more has to be noticed.
            let wake = async {
                if step.wait > TICK {
                    self.wake.notified().await;
                } else {
                    std::future::pending().await
                }
            };
            let _ = time::timeout(step.wait, wake).await;
        }
    }

    /// The connection has ended; by the other end or the network if it `was_cut`.
    pub(in super::super) fn end(&self, core: &Core, was_cut: bool) {
        core.router.remove(&self.address);
        if was_cut {
            let idle = *lock(&self.idle_before);
            self.keep_alive.cut(idle.unwrap_or_else(|| time::since(self.heard_at().unwrap_or(self.started))));
        }
    }

    fn heard_at(&self) -> Option<Instant> {
        let after = self.heard.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.started + Duration::from_millis(after))
    }

    fn seen(&self, before: Option<Instant>, queue: Option<SendQueue>, is_congested: bool) -> Seen {
        Seen {
            heard: self.heard_at().filter(|at| Some(*at) != before),
            has_sent: self.last.load(Ordering::Relaxed) == SENT,
            used: self.used.swap(false, Ordering::Relaxed),
            answered: lock(&self.answered).take(),
            queue,
            is_reading: self.is_reading.load(Ordering::Relaxed),
            is_congested,
            asked: self.asked.swap(false, Ordering::Relaxed),
        }
    }

    fn ping(&self, connection: &Observed<'_>, number: u64) {
        let mut payload = Vec::new();
        bare::push_data(&mut payload, number.to_string().as_bytes());
        let sent = connection.core.router.dispatch(BorrowedMessage {
            onward: Route::from(connection.connection).then(ECHO).as_ref(),
            return_route: Route::from(&self.address).as_ref(),
            body: PayloadBuf::exactly(&mut payload),
            source: None,
            depth: 1,
            completion: None,
        });
        // If it was not queued the connection has ended.
        drop(sent.map(Delivery::ignoring_backpressure));
    }
}

impl Endpoint for Monitor {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let number = bare::read_only_string(message.body.payload()).and_then(|text| text.parse().ok());
        *lock(&self.answered) = Some((number.ok_or(Undeliverable::Malformed)?, time::now()));
        self.echoes.store(true, Ordering::Relaxed);
        self.pong.notify_waiters();
        Ok(Delivery::default())
    }
}

/// Asks the system on a thread where that may take long: the list is as long as there are connections.
async fn system_queue((local, peer): (SocketAddr, SocketAddr)) -> Option<SendQueue> {
    spawn_blocking(move || send_queue(local, peer)).await.ok().flatten()
}
