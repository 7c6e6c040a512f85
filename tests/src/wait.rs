//! Waiting for a state.

use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(5);

/// Asks `probe` again and again until it has an answer.
///
/// # Panics
/// When there is none after `timeout`; the message names `what` was waited for.
#[track_caller]
pub fn eventually<T>(what: &str, timeout: Duration, probe: impl FnMut() -> Option<T>) -> T {
    within(timeout, probe).unwrap_or_else(|| panic!("waited {timeout:?} in vain for {what}"))
}

/// Asks `probe` again and again until it has an answer or `timeout` is over. It is asked once at least.
pub fn within<T>(timeout: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + timeout;
    loop {
        // Before asking, so that the last answer is one from after the deadline.
        let late = Instant::now() >= deadline;
        if let Some(answer) = probe() {
            return Some(answer);
        }
        if late {
            return None;
        }
        pause();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that sleeps: between two looks at a state nobody announces"
)]
fn pause() {
    std::thread::sleep(PAUSE);
}
