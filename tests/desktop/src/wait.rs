//! Waiting for a state.

use std::future::Future;
use std::time::{Duration, Instant};

/// How long anything may take that is no question of speed, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(40);
const PAUSE: Duration = Duration::from_millis(20);

/// Asks `probe` again and again until it has an answer.
///
/// # Panics
/// When there is none after [`PATIENCE`]; the message names `what` was waited for.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut probe: impl FnMut() -> F) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = probe().await {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for {what}");
        tokio::time::sleep(PAUSE).await;
    }
}
