//! Messages through Apache Kafka: the real broker, the real hub and programs as processes, observed from outside.
//!
//! One program for all tests, because linking costs more than compiling.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

mod conformance;
mod delivery;
mod deputy;
mod document;
mod faults;
mod full;
mod harness;
mod hostile;
mod peer;
mod random;
mod story;
