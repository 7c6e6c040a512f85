//! Two people's engines and what happens between them.

mod direct;
mod hubs;
mod once;
mod world;
