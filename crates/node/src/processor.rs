//! A [`Processor`] is a loop with an address that ends with its node: for what does not wait for messages.

use crate::backoff::Backoff;
use crate::context::Context;
use crate::worker::WorkerError;
use postern_env::{random, time};
use rand::Rng;
use std::future::Future;
use std::time::Duration;

/// Pauses behind rounds that failed, so that a fault that stays does not become a busy loop. Chosen: the first too short to be
/// noticed, the longest short enough for a person who waits.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_LONGEST: Duration = Duration::from_secs(5);

/// Does something over and over: reads a device, accepts connections, polls.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> postern_node::Result<()> {
/// use postern_node::{Context, Node, Processor, WorkerError, route};
///
/// struct Countdown(u8);
///
/// impl Processor for Countdown {
///     async fn process(&mut self, context: &mut Context) -> Result<bool, WorkerError> {
///         self.0 -= 1;
///         context.send(route!["app"], vec![self.0]).await?;
///         Ok(self.0 > 0)
///     }
/// }
///
/// let node = Node::new();
/// let mut app = node.context_at("app")?;
/// node.start_processor("countdown", Countdown(2))?;
/// assert_eq!(app.receive::<Vec<u8>>().await?.body(), &[1]);
/// assert_eq!(app.receive::<Vec<u8>>().await?.body(), &[0]);
/// # Ok(())
/// # }
/// ```
pub trait Processor: Send + 'static {
    /// Runs before the first round. An error ends the processor.
    fn initialize(&mut self, _context: &mut Context) -> impl Future<Output = Result<(), WorkerError>> + Send {
        async { Ok(()) }
    }

    /// One round. The next follows on `true`, none on `false`. An error is logged, and the next round follows after a pause: 50 ms,
    /// twice as long after each further error, at most 5 s.
    ///
    /// The future is dropped where it waits when the processor or its node is stopped.
    fn process(&mut self, context: &mut Context) -> impl Future<Output = Result<bool, WorkerError>> + Send;

    /// Runs when it has ended, whatever ended it.
    fn shutdown(&mut self, _context: &mut Context) -> impl Future<Output = ()> + Send {
        async {}
    }
}

pub(crate) async fn run<P: Processor>(mut processor: P, mut context: Context) {
    let (address, stop) = (context.address().clone(), context.stop_token());
    match processor.initialize(&mut context).await {
        Ok(()) => {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = rounds(&mut processor, &mut context) => {}
            }
        }
        Err(error) => tracing::error!(%address, %error, "the processor could not start"),
    }
    processor.shutdown(&mut context).await;
}

async fn rounds<P: Processor>(processor: &mut P, context: &mut Context) {
    let mut backoff = Backoff::new(PAUSE_FIRST, PAUSE_LONGEST);
    loop {
        match processor.process(context).await {
            Ok(true) => backoff.reset(),
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(address = %context.address(), %error, "a round of a processor failed");
                let pause = backoff.next(random::rng().random());
                time::sleep(pause).await;
            }
        }
        tokio::task::consume_budget().await;
    }
}
