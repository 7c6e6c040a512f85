//! Two engines and what happens between them, in one process.

mod direct;
mod hubs;
mod identities;
mod single;
mod test_engine;
