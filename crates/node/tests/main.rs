//! Nodes in one process, over real sockets on loopback, and over links that delay, cut, lose, repeat and reorder frames.
//!
//! One program for all of them, because linking costs more than compiling.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up has failed")]
#![allow(clippy::disallowed_methods, reason = "tests run on the real clock, sockets and files")]

mod congestion;
mod credentials;
mod deliveries;
mod examples;
mod messages;
mod portals;
mod ported;
mod presence;
mod raw;
mod streams;
mod transport_hops;
mod workers;
