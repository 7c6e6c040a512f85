//! Monotonic time: instants that never run backwards, and waiting.

use std::future::Future;

pub use std::time::Duration;
pub use tokio::time::{Instant, Interval, MissedTickBehavior, Sleep, Timeout, error::Elapsed};

/// The current instant.
#[inline]
pub fn now() -> Instant {
    Instant::now()
}

/// How long ago an instant was; zero if it lies ahead.
#[inline]
pub fn since(instant: Instant) -> Duration {
    now().saturating_duration_since(instant)
}

/// Waits for a duration. Dropping the future cancels the wait.
#[inline]
pub fn sleep(duration: Duration) -> Sleep {
    tokio::time::sleep(duration)
}

/// Waits until an instant. Dropping the future cancels the wait.
#[inline]
pub fn sleep_until(deadline: Instant) -> Sleep {
    tokio::time::sleep_until(deadline)
}

/// Runs a future for at most a duration. Dropping the timeout drops the future.
///
/// # Errors
/// [`Elapsed`] when the future did not finish in time.
#[inline]
pub fn timeout<F: Future>(duration: Duration, future: F) -> Timeout<F> {
    tokio::time::timeout(duration, future)
}

/// Runs a future until an instant at the latest. Dropping the timeout drops the future.
///
/// # Errors
/// [`Elapsed`] when the future did not finish in time.
#[inline]
pub fn timeout_at<F: Future>(deadline: Instant, future: F) -> Timeout<F> {
    tokio::time::timeout_at(deadline, future)
}

/// Ticks at once, and then once per period.
///
/// # Panics
/// When the period is zero.
pub fn interval(period: Duration) -> Interval {
    tokio::time::interval(period)
}

/// Ticks at an instant, and then once per period.
///
/// # Panics
/// When the period is zero.
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    tokio::time::interval_at(start, period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiting_ends_with_its_deadline() {
        let begun = now();
        sleep(Duration::from_millis(2)).await;
        assert!(since(begun) >= Duration::from_millis(2));
        assert!(timeout(Duration::from_millis(1), std::future::pending::<()>()).await.is_err());
        assert_eq!(since(begun + Duration::from_secs(3_600)), Duration::ZERO);
    }
}
