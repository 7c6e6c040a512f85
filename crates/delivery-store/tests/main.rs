//! The stores of deliveries: what both must do, what only the file can show, and deliveries over it with restarts.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up has failed")]
#![allow(clippy::disallowed_methods, reason = "tests run on the real clock, sockets and files")]

mod conformance;
mod deliveries;
mod file;
