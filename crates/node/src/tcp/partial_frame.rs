//! A frame of which only a part has come: how long the rest may take.

use super::admission::SlowFrame;
use postern_env::time::{Duration, Instant};
use std::io;

/// How long a frame may take to arrive, once it has begun: chosen, the largest one then takes 150 kbit/s.
pub const FRAME_TIMEOUT: Duration = Duration::from_secs(60);
/// Idle time after which a connection gives its large buffer back.
pub(super) const BUFFER_IDLE: Duration = Duration::from_secs(1);

/// A frame of which the rest has not come yet.
#[derive(Default)]
pub(super) struct PartialFrame {
    began: Option<Instant>,
    pub(super) slow: Option<SlowFrame>,
}

/// How long to wait for the rest of a frame before asking again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FrameWait {
    /// It takes longer than any that was sent as a whole.
    pub(super) is_slow: bool,
    pub(super) at_most: Duration,
}

impl PartialFrame {
    pub(super) fn wait(&mut self, now: Instant) -> io::Result<FrameWait> {
        let began = *self.began.get_or_insert(now);
        let age = now.saturating_duration_since(began);
        if age >= FRAME_TIMEOUT {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "a frame did not arrive in time"));
        }
        let is_slow = age >= BUFFER_IDLE;
        Ok(FrameWait { is_slow, at_most: if is_slow { FRAME_TIMEOUT - age } else { BUFFER_IDLE } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_env::time;

    #[test]
    fn a_frame_that_does_not_arrive_ends_its_connection() {
        let (mut partial, begun) = (PartialFrame::default(), time::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(partial.wait(begun).unwrap(), FrameWait { is_slow: false, at_most: BUFFER_IDLE });
        // More of it does not give it more time.
        let wait = partial.wait(at(20)).unwrap();
        assert_eq!(wait, FrameWait { is_slow: true, at_most: FRAME_TIMEOUT - Duration::from_secs(20) });
        assert_eq!(partial.wait(begun + FRAME_TIMEOUT).unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
