//! Two people's engines and what happens between them.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

mod direct;
mod hubs;
mod once;
mod world;
