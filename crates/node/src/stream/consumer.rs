//! The consumer: reads the stream from where this client stopped, hands records to the deliverer, and saves its place.
//!
//! ```text
//! create ─► get the index ─► pull ─► reply ─► deliverer ─► receivers
//!                             ▲ next pull, while the last      │ handled
//!                             │ reply is being delivered       ▼
//!                             save the index ◄──────────── Progress
//! ```

use super::deliverer::Batch;
use super::direction::DirectionTask;
use super::error::StreamError;
use super::path::Link;
use super::producer::until;
use super::progress::Progress;
use super::protocol::{
    BATCH_BYTES_MAX, BATCH_RECORDS_MAX, Cursor, HOLD_MS_MAX, HeldPull, IndexReply, IndexRequest, Record, Status,
    StreamReply, StreamRequest,
};
use super::reply::{ANSWER_TIMEOUT, RemoteStream, Reply, ReplyPort, StreamSpec, answer, answer_timeout};
use super::report::{Direction, Notice, Report};
use crate::address::Address;
use crate::core::Core;
use crate::route::Route;
use postern_env::random;
use postern_env::time::{self, Duration, Instant};
use rand::Rng;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The place in the stream is saved at most this often. Chosen: after a restart, the messages of this time come again.
const SAVE_EVERY: Duration = Duration::from_millis(100);
/// A place that was saved has arrived after this, though there is no answer. Chosen; too short a time makes records come again.
const SAVE_ARRIVES: Duration = Duration::from_secs(1);
/// How often a stream without the extension is asked while it has nothing (`docs/wire.md` §15.2).
const POLL_EVERY: Duration = Duration::from_millis(250);
/// How many records it is asked for at once (`docs/wire.md` §15.2).
const POLL_RECORDS: u64 = 8;

/// The receiving direction of a stream.
pub(super) struct Consumer {
    core: Arc<Core>,
    spec: StreamSpec,
    index_service: Address,
    cursor: Cursor,
    report: Arc<Report>,
    progress: Arc<Progress>,
    batches: mpsc::Sender<Batch>,
    /// Cancelled when the stream is dropped: the place is saved a last time.
    stop: CancellationToken,
    /// Names this consumer to the stream, which holds one pull of it.
    id: [u8; 16],
    next_request: u64,
    /// Index of the next record to read; nothing before the first connection.
    next: Option<u64>,
    /// What was saved last in this process.
    saved: Option<u64>,
    /// The index service has told a place since the log began.
    told: bool,
    /// When a place was first saved since then.
    first_saved: Option<Instant>,
    /// How often the log has begun anew.
    log: u64,
}

/// What a consumer is made of.
pub(super) struct ConsumerParts {
    pub(super) core: Arc<Core>,
    pub(super) spec: StreamSpec,
    pub(super) index_service: Address,
    pub(super) client_id: String,
    pub(super) report: Arc<Report>,
    pub(super) progress: Arc<Progress>,
    pub(super) batches: mpsc::Sender<Batch>,
    pub(super) stop: CancellationToken,
}

/// The consumer at a stream, over one link.
struct Session<'a> {
    link: &'a Link,
    port: ReplyPort,
    stream: RemoteStream,
    index_route: Route,
    /// The pull that is not answered yet.
    pull: Option<Pull>,
    /// When to poll a stream that had nothing.
    poll_at: Instant,
    save_at: Option<Instant>,
    /// It has answered a pull: only then is it up.
    answered: bool,
}

struct Pull {
    request_id: u64,
    index: u64,
    /// An answer without records before this came too early.
    held_until: Instant,
    deadline: Instant,
}

/// An answer to a pull, of either kind.
struct Pulled {
    /// The oldest record that is kept; 0 if the stream does not tell.
    first: u64,
    /// Where the next pull begins; nothing if the stream does not tell.
    next: Option<u64>,
    records: Vec<Record>,
}

enum Event {
    Answer(Reply),
    /// The deliverer has room, or the time to poll has come.
    Pull,
    Moved,
    Save,
    Stop,
}

impl Consumer {
    pub(super) fn new(parts: ConsumerParts) -> Self {
        let ConsumerParts { core, spec, index_service, client_id, report, progress, batches, stop } = parts;
        let partition = spec.partition.map(|(_, which)| which);
        let cursor = Cursor { client_id, stream_name: spec.name.clone(), partition };
        let id = random::rng().random();
        Self {
            core,
            spec,
            index_service,
            cursor,
            report,
            progress,
            batches,
            stop,
            id,
            next_request: 1,
            next: None,
            saved: None,
            told: false,
            first_saved: None,
            log: 0,
        }
    }

    async fn prepare<'a>(&mut self, link: &'a Link) -> Result<Session<'a>, StreamError> {
        let mut port = ReplyPort::open(&self.core, link, self.cursor.partition)?;
        let stream = self.spec.create(link, &mut port).await?;
        self.spec.share(link, &mut port, &stream).await?;
        let index_route = link.to(&self.index_service);
        self.find_place(link, &mut port, &index_route).await?;
        let (poll_at, save_at) = (time::now(), None);
        Ok(Session { link, port, stream, index_route, pull: None, poll_at, save_at, answered: false })
    }

    /// Asks where this client stopped, and decides where to read.
    async fn find_place(&mut self, link: &Link, port: &mut ReplyPort, index_route: &Route) -> Result<(), StreamError> {
        link.send(index_route, port, IndexRequest::Get(self.cursor.clone()).encode()).await?;
        let service = self.index_service.to_string();
        let index = answer(link, port, (&service, ANSWER_TIMEOUT), |reply| match reply {
            Reply::Index(IndexReply { cursor, index }) if cursor == self.cursor => Some(Ok(index)),
            Reply::Stream(StreamReply::Error { reason }, _) => Some(Err(self.refused(None, &reason))),
            _ => None,
        })
        .await?;
        let knew = self.told || self.first_saved.is_some_and(|saved| time::since(saved) > SAVE_ARRIVES);
        if index.is_none() && knew {
            // It has forgotten the stream too (a service that keeps it in memory and was restarted), or only the place (Kafka,
            // after a week): then records come again, which is allowed.
            self.restart(0);
        } else if self.next.is_none() {
            self.next = Some(index.unwrap_or(0));
        }
        self.told |= index.is_some();
        // What was saved over another link may not have arrived.
        self.saved = None;
        Ok(())
    }

    fn restart(&mut self, from: u64) {
        self.report.notices.push(Notice::Restarted { from });
        self.log = self.progress.restart();
        (self.next, self.saved) = (Some(from), None);
        (self.told, self.first_saved) = (false, None);
    }

    fn refused(&self, status: Option<Status>, reason: &str) -> StreamError {
        StreamError::refused("read", &self.spec.name, status, reason)
    }

    async fn read(&mut self, session: &mut Session<'_>) -> StreamError {
        loop {
            if session.save_at.is_none() && self.progress.reached().is_some_and(|it| Some(it) != self.saved) {
                session.save_at = Some(time::now() + SAVE_EVERY);
            }
            let (waiting, poll_at) = (session.pull.is_none(), session.poll_at);
            let may_pull = async {
                time::sleep_until(poll_at).await;
                // Two replies at most: the one that is being delivered, and the one that waits.
                let _ = self.batches.reserve().await;
            };
            let event = tokio::select! {
                () = session.link.ended() => Err(StreamError::Disconnected),
                () = self.stop.cancelled() => Ok(Event::Stop),
                reply = session.port.next() => reply.map(Event::Answer),
                () = until(session.save_at) => Ok(Event::Save),
                () = self.progress.moved(), if session.save_at.is_none() => Ok(Event::Moved),
                () = may_pull, if waiting => Ok(Event::Pull),
                () = until(session.pull.as_ref().map(|pull| pull.deadline)) => Err(self.no_answer()),
            };
            let done = match event {
                Ok(Event::Answer(Reply::Stream(reply, _))) => self.answered(session, reply).await,
                Ok(Event::Pull) => self.pull(session).await,
                Ok(Event::Save) => self.save(session).await,
                Ok(Event::Stop) => self.save(session).await.and(Err(StreamError::Stopped)),
                Ok(Event::Moved | Event::Answer(Reply::Index(_))) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                return error;
            }
        }
    }

    fn no_answer(&self) -> StreamError {
        StreamError::NoAnswer { service: self.spec.name.clone(), waited: ANSWER_TIMEOUT }
    }

    async fn pull(&mut self, session: &mut Session<'_>) -> Result<(), StreamError> {
        let (index, request_id) = (self.next.unwrap_or(0), self.next_request);
        self.next_request += 1;
        // The first is answered at once: it shows whether the stream can be read.
        let wait_ms = if session.answered { HOLD_MS_MAX } else { 0 };
        let (request, hold) = match session.stream.extended {
            false => (StreamRequest::Pull { request_id, index, limit: POLL_RECORDS }, Duration::ZERO),
            true => {
                let (limit, max_bytes) = (BATCH_RECORDS_MAX as u64, BATCH_BYTES_MAX as u64);
                let pull = HeldPull { request_id, consumer: self.id, index, limit, max_bytes, wait_ms };
                (StreamRequest::HeldPull(pull), Duration::from_millis(wait_ms))
            }
        };
        let now = time::now();
        let held_until = if session.stream.extended { now + hold / 2 } else { now + POLL_EVERY };
        let deadline = now + hold + answer_timeout(BATCH_BYTES_MAX);
        session.pull = Some(Pull { request_id, index, held_until, deadline });
        session.link.send(&session.stream.route, &session.port, request.encode()).await
    }

    async fn answered(&mut self, session: &mut Session<'_>, reply: StreamReply) -> Result<(), StreamError> {
        let (id, pulled) = match reply {
            StreamReply::Pulled { request_id, records } => (request_id, Ok(records_only(records))),
            StreamReply::HeldPulled { request_id, status: Status::Done, first, next, records, .. } => {
                (request_id, Ok(Pulled { first, next: Some(next), records }))
            }
            StreamReply::HeldPulled { request_id, status, reason, .. } => {
                (request_id, Err(self.refused(Some(status), &reason)))
            }
            StreamReply::Error { reason } => return Err(self.refused(None, &reason)),
            _ => return Ok(()),
        };
        let Some(pull) = session.pull.take_if(|pull| pull.request_id == id) else { return Ok(()) };
        let pulled = pulled?;
        if !session.answered {
            session.answered = true;
            self.report.up(Direction::Receiving);
        }
        // A stream without the extension does not hold pulls; one that should and does not must not keep us busy.
        if pulled.records.is_empty() && time::now() < pull.held_until {
            session.poll_at = time::now() + POLL_EVERY;
        }
        self.take(pull.index, pulled).await
    }

    /// Hands on what was read, and moves on behind it.
    async fn take(&mut self, asked: u64, pulled: Pulled) -> Result<(), StreamError> {
        let Pulled { first, next, records } = pulled;
        if next.is_some_and(|next| next < asked) {
            // The log ends before our place.
            self.restart(first);
            return Ok(());
        }
        if first > asked {
            self.report.notices.push(Notice::Gap { from: asked, to: first });
            self.report.stats.lost.add(first - asked);
        }
        let mut reached = asked.max(first);
        let mut ordered = Vec::with_capacity(records.len());
        for record in records {
            if record.index < reached {
                self.report.stats.duplicates.add(1);
                continue;
            }
            reached = record.index.saturating_add(1);
            ordered.push(record);
        }
        let next = next.map_or(reached, |next| next.max(reached));
        self.next = Some(next);
        self.report.stats.read.add(ordered.len() as u64);
        if next > asked {
            // There is room: a pull is sent only then.
            let sent = self.batches.send(Batch { log: self.log, records: ordered, next }).await;
            sent.map_err(|_| StreamError::Stopped)?;
        }
        Ok(())
    }

    /// Saves the place, if it has moved. There is no answer.
    async fn save(&mut self, session: &mut Session<'_>) -> Result<(), StreamError> {
        session.save_at = None;
        let Some(reached) = self.progress.reached().filter(|reached| Some(*reached) != self.saved) else {
            return Ok(());
        };
        let request = IndexRequest::Save(self.cursor.clone(), reached);
        session.link.send(&session.index_route, &session.port, request.encode()).await?;
        self.saved = Some(reached);
        self.first_saved.get_or_insert_with(time::now);
        Ok(())
    }
}

/// The answer of a stream without the extension: it tells nothing about gaps.
fn records_only(records: Vec<Record>) -> Pulled {
    Pulled { first: 0, next: None, records }
}

impl DirectionTask for Consumer {
    const DIRECTION: Direction = Direction::Receiving;

    async fn serve(&mut self, link: &Link) -> StreamError {
        let stop = self.stop.clone();
        let prepared = stop.run_until_cancelled(self.prepare(link)).await;
        match prepared {
            Some(Ok(mut session)) => self.read(&mut session).await,
            Some(Err(error)) => error,
            None => StreamError::Stopped,
        }
    }

    fn moved(&self) -> u64 {
        self.report.stats.read.get()
    }

    fn report(&self) -> &Report {
        &self.report
    }
}
