//! Black-box tests that run one at a time, and so in a program of their own: cargo runs test programs one after the other.
//!
//! `outage` and `revocation` measure times that README and ARCHITECTURE promise; `power_failure` starts so many programs that
//! it would distort such a measurement.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

use std::sync::{Mutex, MutexGuard, PoisonError};

mod outage;
mod power_failure;
mod revocation;

static RUNNING: Mutex<()> = Mutex::new(());

/// Waits until no other test of this program runs, and keeps the others waiting while the guard lives.
fn alone() -> MutexGuard<'static, ()> {
    // A test that failed has left nothing behind.
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}
