//! Waiting for a state that nobody announces: polls until it holds or a deadline has passed.
//!
//! [`eventually`] blocks, [`eventually_async`] yields to the runtime. Both poll by the same [`Attempts`].

use std::future::Future;
use std::time::{Duration, Instant};

use crate::TIMEOUT;

/// Between two looks: short beside what is waited for (processes, handshakes), long enough to cost no processor time.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Polls `probe` until it gives a value.
///
/// # Panics
/// When it gave none within `timeout`; the message names `what` was waited for.
#[track_caller]
pub fn eventually<T>(what: &str, timeout: Duration, probe: impl FnMut() -> Option<T>) -> T {
    within(timeout, probe).unwrap_or_else(|| panic!("timed out after {timeout:?}, waiting for {what}"))
}

/// Polls `probe` until it gives a value or `timeout` has passed. It is called at least once.
pub fn within<T>(timeout: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let attempts = Attempts::until(timeout);
    loop {
        let last = attempts.is_last();
        match probe() {
            None if !last => pause(),
            answer => return answer,
        }
    }
}

/// As [`eventually`] does, for a probe that has to wait itself. Dropping the future stops polling.
///
/// # Panics
/// When it gave no value within `timeout`; the message names `what` was waited for.
pub async fn eventually_async<T, F>(what: &str, timeout: Duration, mut probe: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let attempts = Attempts::until(timeout);
    loop {
        let last = attempts.is_last();
        match probe().await {
            Some(answer) => return answer,
            None if last => panic!("timed out after {timeout:?}, waiting for {what}"),
            None => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }
}

/// Waits for a future whose speed is not tested.
///
/// # Panics
/// When it is not ready within [`TIMEOUT`].
pub async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(TIMEOUT, work).await.expect("ready in time")
}

/// The attempts before a deadline, and one after it.
struct Attempts {
    deadline: Instant,
}

impl Attempts {
    fn until(timeout: Duration) -> Self {
        Self { deadline: Instant::now() + timeout }
    }

    /// Whether the attempt that begins now is the last. Asked before the probe runs, so that the last answer describes
    /// a state after the deadline: a machine that was busy with other things does not fail a test.
    fn is_last(&self) -> bool {
        Instant::now() >= self.deadline
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that sleeps: between two looks at a state nobody announces"
)]
fn pause() {
    std::thread::sleep(POLL_INTERVAL);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_runs_once_even_without_time() {
        assert_eq!(within(Duration::ZERO, || Some(1)), Some(1));
        let mut probes = 0;
        let found: Option<()> = within(Duration::ZERO, || {
            probes += 1;
            None
        });
        assert_eq!((found, probes), (None, 1));
    }

    #[tokio::test]
    async fn both_variants_wait_for_the_third_answer() {
        let mut probes = 0;
        let mut third = move || {
            probes += 1;
            (probes == 3).then_some(probes)
        };
        assert_eq!(eventually("the third probe", Duration::from_secs(60), &mut third), 3);
        let mut probes = 0;
        let third = || {
            probes += 1;
            std::future::ready((probes == 3).then_some(probes))
        };
        assert_eq!(eventually_async("the third probe", Duration::from_secs(60), third).await, 3);
    }
}
