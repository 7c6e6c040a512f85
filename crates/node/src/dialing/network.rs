//! Noticing that the network changed: what failed may work now.

use crate::sync::lock;
use postern_env::net::{NetworkState, network_state};
use postern_env::time::{self, Duration, Instant};
use std::sync::Mutex;
use tokio::sync::watch;

/// How often the state of the network is compared while somebody waits for its next attempt. Chosen: as long as a hub may be
/// away unnoticed by its users, and a fraction of a millisecond of computation.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Counts changes of the network, for everything in a node that waits for its next attempt.
///
/// Nothing is watched while nobody waits. A change before the first look of a wait is not noticed as one; an attempt begins
/// such a wait.
#[derive(Default)]
pub(crate) struct NetworkMonitor {
    last: Mutex<Option<(Instant, NetworkState)>>,
    changes: watch::Sender<u64>,
}

impl NetworkMonitor {
    /// How many changes there were. What is known of the network of an earlier number may be wrong.
    pub(crate) fn changes(&self) -> u64 {
        *self.changes.borrow()
    }

    /// Says that the network changed, or that somebody asks for everything to be tried at once.
    pub(crate) fn announce(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Waits for a change beyond the number `seen`, and sets that to the number now.
    pub(crate) async fn changed(&self, seen: &mut u64) {
        let mut changes = self.changes.subscribe();
        loop {
            self.look(time::now(), network_state);
            let now = *changes.borrow_and_update();
            if now != *seen {
                *seen = now;
                return;
            }
            // The sender is this monitor's own.
            let _ = time::timeout(LOOK_EVERY, changes.changed()).await;
        }
    }

    /// Compares the state with that of the last look, unless that was just now.
    fn look(&self, now: Instant, state: impl FnOnce() -> NetworkState) {
        let has_changed = {
            let mut last = lock(&self.last);
            if last.as_ref().is_some_and(|(looked, _)| now.saturating_duration_since(*looked) < LOOK_EVERY) {
                return;
            }
            let state = state();
            let has_changed = last.as_ref().is_some_and(|(_, before)| *before != state);
            *last = Some((now, state));
            has_changed
        };
        if has_changed {
            tracing::info!("the network changed; everything that waits is tried again");
            self.announce();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn an_announced_change_ends_every_wait() {
        let monitor = Arc::new(NetworkMonitor::default());
        let waits: Vec<_> = (0..2)
            .map(|_| {
                let monitor = monitor.clone();
                tokio::spawn(async move {
                    let mut seen = 0;
                    monitor.changed(&mut seen).await;
                    seen
                })
            })
            .collect();
        tokio::task::yield_now().await;
        monitor.announce();
        for wait in waits {
            assert_eq!(wait.await.unwrap(), 1);
        }
        // What was seen is not waited for again.
        let mut seen = 0;
        monitor.changed(&mut seen).await;
        assert!(time::timeout(Duration::from_millis(5), monitor.changed(&mut seen)).await.is_err());
    }

    #[test]
    fn the_state_is_compared_at_intervals() {
        let monitor = NetworkMonitor::default();
        let (here, begun, looked) = (network_state(), time::now(), std::cell::Cell::new(0));
        let look_at = |now| {
            monitor.look(now, || {
                looked.set(looked.get() + 1);
                here.clone()
            });
        };
        look_at(begun);
        look_at(begun + LOOK_EVERY / 2);
        assert_eq!(looked.get(), 1);
        look_at(begun + LOOK_EVERY);
        assert_eq!((looked.get(), monitor.changes()), (2, 0));
    }
}
