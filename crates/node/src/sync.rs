//! Locks that survive a panic, and the [`BackpressureGate`] that makes fast senders wait for slow receivers.

use crate::address::Address;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Locks; a panic elsewhere does not spread, as no lock here is held over code that leaves a half-made state.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// Backpressure: closed while a queue is over its budget; senders wait until it opens.
#[derive(Default)]
pub(crate) struct BackpressureGate {
    closed: AtomicBool,
    /// One sender has waited too long: no other waits until the gate opens.
    given_up: AtomicBool,
    opened: Notify,
    /// Counts how often something was taken from the queue, whether or not that opened the gate.
    taken: AtomicU32,
    /// So much is queued that senders are held whose windows should keep them from it.
    overfull: AtomicBool,
    connection: Option<GatedConnection>,
}

/// The connection whose queue a gate is before.
struct GatedConnection {
    address: Address,
    ended: CancellationToken,
    /// It is one of many peers behind the connection, which giving it up does not end.
    is_shared: bool,
}

impl BackpressureGate {
    /// The gate before a connection's queue: giving up ends the connection, so that everything on it ends instead of missing a
    /// part.
    pub(crate) fn of_connection(address: Address, ended: CancellationToken) -> Self {
        Self { connection: Some(GatedConnection { address, ended, is_shared: false }), ..Self::default() }
    }

    /// The gate before one of the peers that are behind a connection.
    pub(crate) fn of_peer(address: Address, ended: CancellationToken) -> Self {
        Self { connection: Some(GatedConnection { address, ended, is_shared: true }), ..Self::default() }
    }

    /// The address of the connection, or of the peer behind one.
    pub(crate) fn connection(&self) -> Option<&Address> {
        self.connection.as_ref().map(|connection| &connection.address)
    }

    /// Whether the connection has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.ended.is_cancelled())
    }

    /// Says that something was taken from the queue.
    pub(crate) fn note_taken(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// How often something was taken; wraps around.
    pub(crate) fn taken(&self) -> u32 {
        self.taken.load(Ordering::Relaxed)
    }

    pub(crate) fn set_overfull(&self) {
        self.overfull.store(true, Ordering::Release);
    }

    /// Whether far more is queued than the budget allows.
    pub(crate) fn is_overfull(&self) -> bool {
        self.overfull.load(Ordering::Acquire)
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(crate) fn open(&self) {
        if self.closed.swap(false, Ordering::AcqRel) {
            self.overfull.store(false, Ordering::Release);
            self.given_up.store(false, Ordering::Release);
            self.opened.notify_waiters();
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Ordering::Release);
        if let Some(connection) = self.connection.as_ref().filter(|connection| !connection.is_shared) {
            connection.ended.cancel();
        }
    }

    /// Whether it is closed and has been for longer than anybody should wait.
    pub(crate) fn is_given_up(&self) -> bool {
        self.is_closed() && self.given_up.load(Ordering::Acquire)
    }

    /// Waits until the gate is open, or has been: another sender may have closed it again.
    pub(crate) async fn opened(&self) {
        let opened = self.opened.notified();
        tokio::pin!(opened);
        opened.as_mut().enable();
        if self.is_closed() {
            opened.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn a_closed_gate_holds_and_an_open_one_does_not() {
        let gate = Arc::new(BackpressureGate::default());
        gate.opened().await;
        gate.close();
        let waiting = tokio::spawn({
            let gate = gate.clone();
            async move { gate.opened().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        gate.open();
        waiting.await.unwrap();
    }
}
