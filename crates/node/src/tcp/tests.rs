//! What a connection on which much arrives leaves to the other tasks of its thread.

use super::TcpListener;
use super::receiving::FRAMES_PER_TURN;
use crate::core::{Core, Limits};
use crate::delivery::Delivery;
use crate::local_message::BorrowedMessage;
use crate::route::Route;
use crate::router::Endpoint;
use crate::undeliverable::Undeliverable;
use crate::vault::MemoryVault;
use crate::wire::frame::{TAIL, VERSION, push_header};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Frames that are in the socket at once: more than a few reads take.
const FLOOD: usize = 50 * FRAMES_PER_TURN;

/// Counts what is delivered; the first message wakes a task, which notes how many had been delivered when it ran.
struct Counter {
    core: Arc<Core>,
    delivered: Arc<AtomicUsize>,
    when_run: Arc<AtomicUsize>,
}

impl Endpoint for Counter {
    fn deliver(&self, _: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        if self.delivered.fetch_add(1, Ordering::Relaxed) == 0 {
            let (delivered, when_run) = (self.delivered.clone(), self.when_run.clone());
            self.core.spawn(async move { when_run.store(delivered.load(Ordering::Relaxed), Ordering::Relaxed) });
        }
        Ok(Delivery::default())
    }
}

#[tokio::test]
async fn what_a_message_wakes_does_not_wait_for_the_end_of_a_flood() {
    let core = Arc::new(Core::new(Arc::new(MemoryVault::in_memory()), Limits::default()));
    let (delivered, when_run) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let counter = Counter { core: core.clone(), delivered: delivered.clone(), when_run: when_run.clone() };
    core.router.add_public_endpoint("counter".into(), Arc::new(counter)).unwrap();
    let listener = TcpListener::listen(&core, "127.0.0.1:0").await.unwrap();

    let mut frame = Vec::new();
    push_header(&mut frame, Route::from("counter").as_ref(), None, Route::new().as_ref(), 0);
    frame.extend_from_slice(&TAIL);
    let flood = [&[VERSION][..], &frame.repeat(FLOOD)].concat();
    // Nothing else runs on this thread until all of it is in the socket.
    let mut socket = std::net::TcpStream::connect(listener.local_addr()).unwrap();
    socket.write_all(&flood).unwrap();
    while delivered.load(Ordering::Relaxed) < FLOOD {
        tokio::task::yield_now().await;
    }
    let when_run = when_run.load(Ordering::Relaxed);
    assert!((1..=2 * FRAMES_PER_TURN).contains(&when_run), "{when_run} of {FLOOD} were delivered before it ran");
}
