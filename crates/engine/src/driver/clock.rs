//! What time it is, and whether the clock jumped.

use crate::api::UnixMillis;
use crate::core::Now;
use postern_node::identity::Timestamp;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A difference between the two clocks that is a jump: the machine slept, or somebody set the clock.
const JUMP: Duration = Duration::from_secs(5);

/// What the wall says.
pub(crate) fn wall() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// What the wall says, in the node's terms.
pub(crate) fn timestamp() -> Timestamp {
    Timestamp(wall().0 / 1_000)
}

/// Both clocks, read together.
pub(crate) struct Clock {
    started: Instant,
    last: Now,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), last: Now { wall: wall(), ticks: 0 } }
    }

    /// What time it is, and whether the wall clock has jumped since it was looked at last.
    pub(crate) fn look(&mut self) -> (Now, bool) {
        let now = self.now();
        let expected = self.last.wall.plus(now.ticks - self.last.ticks);
        let jumped = u128::from(expected.0.abs_diff(now.wall.0)) > JUMP.as_millis();
        self.last = now;
        (now, jumped)
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Now {
        Now { wall: wall(), ticks: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX) }
    }

    /// When these ticks have come.
    pub(crate) fn instant(&self, ticks: u64) -> Option<Instant> {
        self.started.checked_add(Duration::from_millis(ticks))
    }
}
