//! Windows for the many peers behind one connection (`docs/wire.md` §8.4), so that one slow peer holds up nobody else.
//!
//! ```text
//! sender ══ connection ══ hub ── connection ── receiver      `Mark` behind what goes to it, `Confirmed` once it is passed on
//! receiver ══ connection ══ hub ── connection ── sender      `Congested`: wait with what comes from it; `Cleared`
//! ```
//!
//! Without them the node in the middle can only stop reading a connection (backpressure), which holds up everything on it. A
//! node asks for them at [`CONGESTION_SERVICE`]; a hub without that service says nothing, and all stays as it was.
//!
//! Of what goes to each next hop behind the connection, a sender has at most [`SEND_WINDOW`] unconfirmed, so the hub can take
//! all that is on the way without holding the connection. The other way the receiver itself takes what is on the way.

mod notice;
mod receive;
mod send;
mod service;
mod state;
mod window;

pub use notice::CONGESTION_SERVICE;
pub(crate) use receive::spare_connection;
pub(crate) use service::{start, subscribe};
pub use state::HOPS_MAX;
pub(crate) use state::HopWindows;
pub use window::SEND_WINDOW;
