//! Services through a real hub, over TCP.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up has failed")]
#![allow(clippy::disallowed_methods, reason = "tests run on the real clock, sockets and files")]

mod mailbox;
mod routes;
mod streams;
