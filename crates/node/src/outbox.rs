//! Writing to a connection: frames join one queue with a byte budget, and one of their senders writes it.
//!
//! A large frame that finds nothing before it is written at once, from where it lies; what the socket does not take of
//! it goes to the writer task. Everything else is copied into the queue.
//!
//! A sender that pushes into a queue which no task is writing gets a [`Flush`]; dropping that writes the queue, as far as the
//! socket takes it now. A sender pushes while it still holds whatever orders its messages (a channel's sealing
//! lock) and flushes after letting that go; a reader that forwards many frames flushes once. So the order on the
//! wire is the order of the pushes, and small messages need no other task.

use crate::address::Address;
use crate::sync::{BackpressureGate, lock};
use crate::undeliverable::Undeliverable;
use postern_env::time::{self, Duration};
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A connection that takes nothing for this long while something waits is closed: chosen, longer than a hub holds a sender for a
/// receiver that takes nothing (`HOLD_TIMEOUT`).
pub const STALL_TIMEOUT: Duration = Duration::from_secs(150);
/// Queued bytes above which senders wait (backpressure): as large as one portal message.
pub(crate) const BUDGET: usize = 256 * 1024;
/// Queued bytes above which connections are held for this one, although their ends keep to windows (`congestion`): several
/// senders together have exceeded it. Twice the window of one sender, and a frame. Nine frames of the largest size
/// (`MAX_FRAME_SENT`) fit between this and `MAX_QUEUED`: each sender is held only after it has pushed one.
const OVERFULL: usize = 7 * 1024 * 1024;
/// Bytes, queued and being written, above which the connection is ended: a sender ignores backpressure.
pub(crate) const MAX_QUEUED: usize = 16 * 1024 * 1024;
/// A frame of at least so many bytes is worth a system call of its own, rather than a copy.
const DIRECT_WRITE_MIN: usize = 16 * 1024;
/// An emptied buffer larger than this is given back.
const KEEP_CAPACITY: usize = 64 * 1024;
/// Batches that one sender writes for others before the writer task takes over.
const MAX_BATCHES: usize = 4;

pub(crate) struct Outbox {
    socket: Arc<TcpStream>,
    state: Mutex<State>,
    gate: Arc<BackpressureGate>,
    for_writer: Notify,
    idle: Notify,
    /// The connection: ended when it takes too little, so that everything on it ends instead of missing a part.
    ended: CancellationToken,
}

#[derive(Default)]
struct State {
    /// Whole frames that wait to be written.
    queue: Vec<u8>,
    /// Bytes that were taken out of the queue to be written, at most.
    in_writing: usize,
    /// The queue is being written: by a sender with a [`Flush`], or the writer task.
    writing: bool,
    /// What the socket did not take from a sender, for the writer task.
    for_writer: Vec<u8>,
    /// The queue's other buffer.
    spare: Option<Vec<u8>>,
    closed: bool,
}

/// The duty to write what is queued: done when it is dropped.
#[must_use]
pub(crate) struct Flush(Arc<Outbox>);

impl Outbox {
    pub(crate) fn new(socket: Arc<TcpStream>, address: Address, ended: CancellationToken) -> Self {
        Self {
            socket,
            state: Mutex::default(),
            gate: Arc::new(BackpressureGate::of_connection(address, ended.clone())),
            for_writer: Notify::new(),
            idle: Notify::new(),
            ended,
        }
    }

    /// Closed while more waits than the budget allows.
    pub(crate) fn gate(&self) -> &Arc<BackpressureGate> {
        &self.gate
    }

    /// Queues a frame, given in parts, or writes it. With a [`Flush`] it is the caller who must write.
    pub(crate) fn push(self: &Arc<Self>, parts: &[&[u8]]) -> Result<Option<Flush>, Undeliverable> {
        let mut state = lock(&self.state);
        if state.closed {
            return Err(Undeliverable::Closed);
        }
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        if bytes >= DIRECT_WRITE_MIN && !state.writing {
            state.writing = true;
            drop(state);
            return Ok(self.write_directly(parts, bytes));
        }
        if state.queue.len() + state.in_writing + bytes > MAX_QUEUED || self.gate.is_given_up() {
            self.ended.cancel();
            return Err(Undeliverable::Full);
        }
        parts.iter().for_each(|part| state.queue.extend_from_slice(part));
        if state.queue.len() > BUDGET {
            self.gate.close();
            if state.queue.len() + state.in_writing > OVERFULL {
                self.gate.set_overfull();
            }
        }
        Ok((!std::mem::replace(&mut state.writing, true)).then(|| Flush(self.clone())))
    }

    /// Writes a frame that nothing is before. Others queue behind it meanwhile: then the caller must write those.
    fn write_directly(self: &Arc<Self>, parts: &[&[u8]], bytes: usize) -> Option<Flush> {
        let slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let written = self.socket.try_write_vectored(&slices).unwrap_or(0);
        if written < bytes {
            self.leave_to_writer(rest(parts, written));
            return None;
        }
        let mut state = lock(&self.state);
        if state.queue.is_empty() {
            state.writing = false;
            self.idle.notify_waiters();
            return None;
        }
        Some(Flush(self.clone()))
    }

    /// Gives the writer task what the socket did not take. It also meets any error again, and ends the connection.
    fn leave_to_writer(&self, unwritten: Vec<u8>) {
        let mut state = lock(&self.state);
        if !state.closed {
            state.in_writing = unwritten.len();
            state.for_writer = unwritten;
            self.for_writer.notify_one();
        }
    }

    /// Refuses everything from now on and forgets what waits.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        *state = State { closed: true, ..State::default() };
        self.gate.open();
        self.idle.notify_waiters();
    }

    /// Waits until everything sent so far is with the system, or the outbox is closed.
    pub(crate) async fn flushed(&self) {
        loop {
            let idle = self.idle.notified();
            if !lock(&self.state).writing {
                return;
            }
            idle.await;
        }
    }

    /// The writer task: writes what senders could not. Ends with the error that ends the connection.
    pub(crate) async fn run(&self) -> io::Error {
        let mut batch = Vec::new();
        loop {
            self.for_writer.notified().await;
            std::mem::swap(&mut batch, &mut lock(&self.state).for_writer);
            loop {
                if let Err(error) = self.write_waiting(&batch).await {
                    return error;
                }
                batch.clear();
                self.next_batch(&mut batch);
                if batch.is_empty() {
                    break;
                }
            }
        }
    }

    async fn write_waiting(&self, mut batch: &[u8]) -> io::Result<()> {
        while !batch.is_empty() {
            match self.socket.try_write(batch) {
                Ok(written) => {
                    batch = &batch[written..];
                    self.gate.note_taken();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let writable = time::timeout(STALL_TIMEOUT, self.socket.writable()).await;
                    writable.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Swaps what is queued into the empty `batch`; with nothing queued the writing ends.
    fn next_batch(&self, batch: &mut Vec<u8>) {
        let mut state = lock(&self.state);
        if state.queue.is_empty() {
            state.writing = false;
            if batch.capacity() > KEEP_CAPACITY {
                *batch = Vec::new();
            }
            if state.queue.capacity() > KEEP_CAPACITY {
                state.queue = Vec::new();
            }
            self.idle.notify_waiters();
        }
        std::mem::swap(batch, &mut state.queue);
        state.in_writing = batch.len();
        self.gate.open();
    }

    /// Writes as far as the socket takes it now.
    fn flush(&self) {
        let mut batch = lock(&self.state).spare.take().unwrap_or_default();
        for _ in 0..MAX_BATCHES {
            self.next_batch(&mut batch);
            if batch.is_empty() {
                lock(&self.state).spare = Some(batch);
                return;
            }
            let written = self.socket.try_write(&batch).unwrap_or(0);
            if written < batch.len() {
                batch.drain(..written);
                break;
            }
            batch.clear();
        }
        self.leave_to_writer(batch);
    }
}

/// What comes behind the first `skip` bytes.
fn rest(parts: &[&[u8]], mut skip: usize) -> Vec<u8> {
    let mut rest = Vec::new();
    for part in parts {
        let (written, unwritten) = part.split_at(skip.min(part.len()));
        skip -= written.len();
        rest.extend_from_slice(unwritten);
    }
    rest
}

impl Drop for Flush {
    fn drop(&mut self) {
        self.0.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    async fn pair() -> (Arc<TcpStream>, TcpStream) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Arc::new(near), listener.accept().await.unwrap().0)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_senders_and_a_slow_reader_lose_and_mix_nothing() {
        // Copied into the queue; written from where it lies; and either, as it comes.
        for sizes in [[DIRECT_WRITE_MIN / 2; 2], [DIRECT_WRITE_MIN; 2], [DIRECT_WRITE_MIN / 2, 5 * DIRECT_WRITE_MIN]] {
            send_and_compare(sizes).await;
        }
    }

    /// Frames of the one and the other size, in turn.
    async fn send_and_compare(sizes: [usize; 2]) {
        let (near, mut far) = pair().await;
        let outbox = Arc::new(Outbox::new(near, "near".into(), CancellationToken::new()));
        let writer = tokio::spawn({
            let outbox = outbox.clone();
            async move { outbox.run().await }
        });
        const SENDERS: usize = 8;
        const FRAMES: usize = 400;
        for sender in 0..SENDERS {
            let outbox = outbox.clone();
            tokio::spawn(async move {
                for frame in 0..FRAMES {
                    let head = [sender as u8, (frame >> 8) as u8, frame as u8];
                    let body = vec![frame as u8; sizes[frame % 2] - head.len()];
                    drop(outbox.push(&[&head, &body]).unwrap());
                    outbox.gate().opened().await;
                }
            });
        }
        let mut next = [0; SENDERS];
        for _ in 0..SENDERS * FRAMES {
            let mut head = [0; 3];
            far.read_exact(&mut head).await.unwrap();
            let (sender, number) = (usize::from(head[0]), usize::from(head[1]) << 8 | usize::from(head[2]));
            assert_eq!(number, next[sender]);
            let mut body = vec![0; sizes[number % 2] - head.len()];
            far.read_exact(&mut body).await.unwrap();
            assert!(body.iter().all(|&byte| byte == number as u8));
            next[sender] += 1;
        }
        outbox.flushed().await;
        assert!(!writer.is_finished());
    }

    #[tokio::test]
    async fn a_full_outbox_closes_its_gate_and_then_refuses() {
        let (near, _far) = pair().await;
        let outbox = Arc::new(Outbox::new(near, "near".into(), CancellationToken::new()));
        let frame = vec![0; 1024 * 1024];
        let refused = (0..64).find_map(|_| outbox.push(&[&frame]).err());
        assert_eq!(refused, Some(Undeliverable::Full));
        assert!(outbox.gate().is_closed());
        // What was taken out of the queue to be written counts too.
        let state = lock(&outbox.state);
        let held = state.queue.len() + state.in_writing;
        drop(state);
        assert!((MAX_QUEUED - frame.len()..=MAX_QUEUED).contains(&held), "{held}");
        outbox.close();
        assert!(!outbox.gate().is_closed());
        assert_eq!(outbox.push(&[&frame]).err(), Some(Undeliverable::Closed));
    }
}
