//! The two clocks of the engine, and clock jumps.
//!
//! Owns the start of the monotonic clock and the last reading. The core gets both clocks as [`Now`]: the wall clock
//! decides about expiry, the monotonic clock about waits. Nothing here waits.

use crate::api::UnixMillis;
use crate::core::Now;
use postern_env::time::{self, Duration, Instant};

/// A difference between the two clocks that counts as a jump: the machine slept, or somebody set the clock. Chosen:
/// longer than any delay of a busy machine, shorter than any sleep that ends connections.
const JUMP: Duration = Duration::from_secs(5);

/// The wall clock.
pub(super) fn wall() -> UnixMillis {
    UnixMillis(postern_env::clock::unix_millis())
}

/// Both clocks, read together.
pub(super) struct Clock {
    started: Instant,
    last: Now,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { started: time::now(), last: Now { wall: wall(), ticks: 0 } }
    }

    /// The current time, and whether the wall clock has jumped since the last call.
    pub(super) fn read(&mut self) -> (Now, bool) {
        let now = self.now();
        let expected = self.last.wall.plus(now.ticks - self.last.ticks);
        let jumped = u128::from(expected.0.abs_diff(now.wall.0)) > JUMP.as_millis();
        self.last = now;
        (now, jumped)
    }

    /// The current time.
    pub(super) fn now(&self) -> Now {
        Now { wall: wall(), ticks: u64::try_from(time::since(self.started).as_millis()).unwrap_or(u64::MAX) }
    }

    /// The instant of a number of ticks; nothing if it is too far away to be represented.
    pub(super) fn instant(&self, ticks: u64) -> Option<Instant> {
        self.started.checked_add(Duration::from_millis(ticks))
    }
}
