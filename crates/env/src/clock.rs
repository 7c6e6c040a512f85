//! The wall clock: the time of day, which jumps when somebody sets it or the machine sleeps. Never used for waiting.

use std::time::{Duration, SystemTime};

/// The time of day.
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// Time since 1 January 1970 UTC; zero while the clock is set to before that.
pub fn since_unix_epoch() -> Duration {
    now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Milliseconds since 1 January 1970 UTC; zero while the clock is set to before that.
pub fn unix_millis() -> u64 {
    u64::try_from(since_unix_epoch().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_those_of_the_wall_clock() {
        let before = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        let read = u128::from(unix_millis());
        let after = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        assert!(before <= read && read <= after);
    }
}
