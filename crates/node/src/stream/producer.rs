//! The producer: pushes what its queue holds to the stream, in order, until it is confirmed.

use super::direction::DirectionTask;
use super::error::StreamError;
use super::path::Link;
use super::protocol::{BATCH_BYTES_MAX, Status, StreamReply, StreamRequest, encode_push_batch};
use super::queue::Queue;
use super::reply::{ANSWER_TIMEOUT, RemoteStream, Reply, ReplyPort, StreamSpec, answer, answer_timeout};
use super::report::{Direction, Notice, Report};
use super::window::SendWindow;
use crate::core::Core;
use postern_env::random;
use postern_env::time;
use rand::Rng;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Bytes that a batch may have even when none was answered in time: a second of a connection of 128 kbit/s.
const BATCH_BYTES_MIN: usize = 16 * 1024;
/// Answers in a row that a batch is out of order, after which the stream is created again: the first is normal after one failed.
const OUT_OF_ORDER_MAX: u32 = 3;

/// The sending direction of a stream.
pub(super) struct Producer {
    pub(super) core: Arc<Core>,
    pub(super) spec: StreamSpec,
    pub(super) queue: Arc<Queue>,
    pub(super) report: Arc<Report>,
    /// Cancelled when it is to end.
    pub(super) stop: CancellationToken,
    /// Names this producer to the stream, which remembers how far it has come.
    id: [u8; 16],
    next_request: u64,
    /// Bytes of a batch: fewer after one was not answered in time.
    batch_bytes: usize,
}

/// What a producer waits for.
enum Event {
    Answer(Reply),
    Arrived,
    /// The oldest batch was not answered in time.
    Late,
}

impl Producer {
    pub(super) fn new(
        core: Arc<Core>,
        spec: StreamSpec,
        queue: Arc<Queue>,
        report: Arc<Report>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            core,
            spec,
            queue,
            report,
            stop,
            id: random::rng().random(),
            next_request: 1,
            batch_bytes: BATCH_BYTES_MAX,
        }
    }

    async fn push(&mut self, link: &Link) -> StreamError {
        let prepared = async {
            let mut port = ReplyPort::open(&self.core, link, self.spec.partition.map(|(_, which)| which))?;
            let stream = self.spec.create(link, &mut port).await?;
            self.spec.share(link, &mut port, &stream).await?;
            Ok((port, stream))
        };
        let (port, stream) = match prepared.await {
            Ok(prepared) => prepared,
            Err(error) => return error,
        };
        // Otherwise it is up when the hub takes what waits.
        if self.queue.base() == self.queue.end() {
            self.report.up(Direction::Sending);
        }
        match stream.extended {
            true => self.push_batches(link, port, &stream).await,
            false => self.push_one_by_one(link, port, &stream).await,
        }
    }

    fn request_id(&mut self) -> u64 {
        self.next_request += 1;
        self.next_request
    }

    fn no_answer(&mut self) -> StreamError {
        self.batch_bytes = (self.batch_bytes / 4).max(BATCH_BYTES_MIN);
        if let Some(since) = self.queue.unconfirmed_since() {
            let notice = Notice::Unconfirmed { waited: time::since(since), messages: self.queue.unconfirmed().0 };
            self.report.notices.push(notice);
        }
        StreamError::NoAnswer { service: self.spec.name.clone(), waited: ANSWER_TIMEOUT }
    }

    fn refused(&self, status: Option<Status>, reason: &str) -> StreamError {
        StreamError::refused("write", &self.spec.name, status, reason)
    }

    /// With the extension: batches, some of them on the way at once.
    async fn push_batches(&mut self, link: &Link, mut port: ReplyPort, stream: &RemoteStream) -> StreamError {
        let mut window = SendWindow::from(self.queue.base());
        let mut out_of_order = 0;
        loop {
            if let Err(error) = self.send_batches(link, &port, stream, &mut window).await {
                return error;
            }
            let event = tokio::select! {
                () = link.ended() => Err(StreamError::Disconnected),
                reply = port.next() => reply.map(Event::Answer),
                () = self.queue.arrived() => Ok(Event::Arrived),
                () = until(window.deadline()) => Ok(Event::Late),
            };
            let reply = match event {
                Ok(Event::Answer(Reply::Stream(reply, _))) => reply,
                Ok(Event::Late) => return self.no_answer(),
                Ok(Event::Arrived | Event::Answer(Reply::Index(_))) => continue,
                Err(error) => return error,
            };
            match self.answered(&mut window, reply) {
                Ok(true) => out_of_order = 0,
                Ok(false) if out_of_order < OUT_OF_ORDER_MAX => out_of_order += 1,
                Ok(false) => return self.refused(Some(Status::OutOfOrder), "it lost track of what was sent"),
                Err(error) => return error,
            }
        }
    }

    async fn send_batches(
        &mut self,
        link: &Link,
        port: &ReplyPort,
        stream: &RemoteStream,
        window: &mut SendWindow,
    ) -> Result<(), StreamError> {
        while let Some(records) = window.allowance(self.queue.end(), self.queue.unconfirmed().1) {
            let batch = self.queue.batch(window.next(), records, self.batch_bytes);
            let (request_id, first) = (self.request_id(), window.next());
            let bytes = batch.iter().map(bytes::Bytes::len).sum();
            window.sent(request_id, batch.len(), bytes, time::now());
            self.report.stats.pushed.add(batch.len() as u64);
            let payload = encode_push_batch(request_id, &self.id, first, &batch);
            link.send(&stream.route, port, payload).await?;
        }
        Ok(())
    }

    /// Acts on an answer; false if the records on the way have to be sent again at once.
    fn answered(&mut self, window: &mut SendWindow, reply: StreamReply) -> Result<bool, StreamError> {
        let (request_id, status, next_sequence, reason) = match reply {
            StreamReply::BatchPushed { request_id, status, next_sequence, reason } => {
                (request_id, status, next_sequence, reason)
            }
            StreamReply::Error { reason } => return Err(self.refused(None, &reason)),
            _ => return Ok(true),
        };
        // Of those that were given up nothing is known, except that they will be sent again.
        if !window.expects(request_id) {
            return Ok(true);
        }
        let expected = (self.queue.base()..=window.next()).contains(&next_sequence).then_some(next_sequence);
        expected.inspect(|expected| self.queue.confirm(*expected));
        match status {
            Status::Done => {
                window.stored(request_id, self.queue.base());
                self.batch_bytes = (2 * self.batch_bytes).min(BATCH_BYTES_MAX);
                self.report.up(Direction::Sending);
                // A stream that says otherwise would be sent the same again and again.
                expected.map(|_| true).ok_or_else(|| self.refused(Some(status), "it confirmed what was not sent"))
            }
            Status::OutOfOrder => {
                if expected.is_none() {
                    // It knows another past of this producer.
                    self.id = random::rng().random();
                }
                window.restart(self.queue.base());
                Ok(false)
            }
            Status::TooLarge => {
                if window.too_large(request_id, self.queue.base()) {
                    self.drop_front(&reason);
                }
                Ok(true)
            }
            Status::Unavailable | Status::Full | Status::Denied => Err(self.refused(Some(status), &reason)),
        }
    }

    fn drop_front(&self, reason: &str) {
        if let Some(bytes) = self.queue.drop_front() {
            tracing::warn!(bytes, "a message was dropped: it is larger than the hub's storage takes");
            let reason = self.refused(Some(Status::TooLarge), reason).to_string();
            self.report.notices.push(Notice::TooLarge { bytes, reason });
        }
    }

    /// Without the extension: one record, then its answer.
    async fn push_one_by_one(&mut self, link: &Link, mut port: ReplyPort, stream: &RemoteStream) -> StreamError {
        loop {
            while self.queue.base() == self.queue.end() {
                tokio::select! {
                    () = link.ended() => return StreamError::Disconnected,
                    () = self.queue.arrived() => {}
                }
            }
            if let Err(error) = self.push_one(link, &mut port, stream).await {
                return error;
            }
        }
    }

    async fn push_one(&mut self, link: &Link, port: &mut ReplyPort, stream: &RemoteStream) -> Result<(), StreamError> {
        let (base, number) = (self.queue.base(), self.request_id());
        let Some(record) = self.queue.batch(base, 1, BATCH_BYTES_MAX).pop() else { return Ok(()) };
        self.report.stats.pushed.add(1);
        let request = StreamRequest::Push { request_id: number, data: record.to_vec() };
        link.send(&stream.route, port, request.encode()).await?;
        let timeout = answer_timeout(record.len());
        let answered = answer(link, port, (&self.spec.name, timeout), |reply| match reply {
            Reply::Stream(StreamReply::Pushed { request_id, stored, .. }, _) if request_id == number => {
                Some(if stored { Ok(()) } else { Err(self.refused(None, "")) })
            }
            Reply::Stream(StreamReply::Error { reason }, _) => Some(Err(self.refused(None, &reason))),
            _ => None,
        });
        match answered.await {
            Ok(()) => {
                self.queue.confirm(base + 1);
                self.report.up(Direction::Sending);
                Ok(())
            }
            Err(StreamError::NoAnswer { .. }) => Err(self.no_answer()),
            Err(error) => Err(error),
        }
    }
}

/// Waits until an instant, if there is one.
pub(super) async fn until(deadline: Option<time::Instant>) {
    match deadline {
        Some(deadline) => time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

impl DirectionTask for Producer {
    const DIRECTION: Direction = Direction::Sending;

    async fn serve(&mut self, link: &Link) -> StreamError {
        let stop = self.stop.clone();
        stop.run_until_cancelled(self.push(link)).await.unwrap_or(StreamError::Stopped)
    }

    fn moved(&self) -> u64 {
        self.report.stats.confirmed.get()
    }

    fn report(&self) -> &Report {
        &self.report
    }
}
