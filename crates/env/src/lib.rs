//! The seams between Postern and its surroundings.
//!
//! `node`, `hub` and `engine` reach the operating system only through this crate; their `clippy.toml` disallows the
//! direct calls. To run the system on a simulated clock and network from one seed, these modules are what has to be
//! replaced, and nothing else.
//!
//! | module | owns |
//! |---|---|
//! | [`clock`] | the wall clock, which may jump |
//! | [`time`] | monotonic time: instants, sleeping, timeouts, intervals |
//! | [`random`] | randomness, for secrets and for jitter |
//! | [`net`] | connecting, listening and resolving |
//! | [`descriptors`] | how many file descriptors there may be |
//! | [`fs`] | files and directories |
//! | [`task`] | spawning tasks and blocking work |
//!
//! The functions are thin on purpose: each names one call and adds no policy. Types (`TcpStream`, `File`, `Instant`) are
//! those of tokio and the standard library. SQLite opens its own files: a store chooses the path and SQLite does the rest.
//! Key generation draws from the cryptographic library, in `postern_node::crypto`.

pub mod clock;
pub mod descriptors;
pub mod fs;
pub mod net;
pub mod random;
pub mod task;
pub mod time;
