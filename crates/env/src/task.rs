//! Spawning: tasks on the runtime, and work that blocks.

use std::future::Future;

pub use tokio::task::{JoinError, JoinHandle, JoinSet};

/// Runs a future as a task of its own. Dropping the handle leaves it running; aborting it drops the future.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future)
}

/// Lets other tasks run before this one goes on.
pub async fn yield_now() {
    tokio::task::yield_now().await;
}

/// How many threads run the runtime's tasks.
pub fn workers() -> usize {
    tokio::runtime::Handle::try_current().map_or(1, |runtime| runtime.metrics().num_workers())
}

/// Runs work that blocks on a thread for such work. It cannot be cancelled once it has begun.
pub fn spawn_blocking<F, R>(work: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    tokio::task::spawn_blocking(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_kinds_of_work_come_to_their_result() {
        assert_eq!(spawn(async { 1 }).await.unwrap() + spawn_blocking(|| 2).await.unwrap(), 3);
    }
}
