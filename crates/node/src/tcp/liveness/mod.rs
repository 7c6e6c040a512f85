//! Whether the other end of a connection is there (`docs/wire.md` §3.1): for connections that a session keeps.
//!
//! ```text
//! sent, and nothing received ─ 300 ms ─► ping ─ pong, or any byte ─► alive
//!                                          └─ silent, and the system gets no acknowledgement, for 2 s ─► dead: the connection ends
//!                                          └─ silent, but the system gets acknowledgements, for 5 s   ─► it does not answer: reported
//! nothing sent or received ─ 2 s while it is used, else the keep-alive interval ─► ping
//! ```
//!
//! | part | owns |
//! |---|---|
//! | `state` | the decision, from what was observed and the time |
//! | `monitor` | what is observed of one connection, and its pings |
//! | `keep_alive` | the interval of one session's pings while nothing else is sent |

mod keep_alive;
mod monitor;
mod state;

pub(crate) use keep_alive::KeepAlive;
pub(super) use monitor::{Monitor, Observed, USED_FROM};
