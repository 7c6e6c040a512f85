//! Tests of the core: what users do and see, and the invariants under random scenarios.

mod authorization;
mod clock;
mod friends;
mod identities;
mod invariants;
mod limits;
mod model;
mod owners;
mod people;
mod portal_states;
mod simulation;
mod web;
mod web_links;
