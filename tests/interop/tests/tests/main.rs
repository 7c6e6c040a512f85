//! Nodes of ours against nodes on the `ockam` crate, in both roles, and against peers that break the protocol.
//!
//! One program for all of them, because linking costs more than compiling.

mod channels;
mod endings;
mod formats;
mod hostile;
mod identities;
mod policies;
mod portals;
mod programs;
mod relays;
mod slow;
