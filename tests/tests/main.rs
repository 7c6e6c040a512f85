//! Black-box tests: the real `postern` and the real programs of other people, observed from outside.
//!
//! One program for all of them, because linking costs more than compiling. What must not run beside other tests is in
//! `alone`, the other program of this package.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

mod allow;
mod audit_log;
mod command_line;
mod connections;
mod dead_paths;
mod demo;
mod descriptors;
mod dialing;
mod examples;
mod exit;
mod full_disk;
mod hang_up;
mod harness;
mod hostile_hub;
mod hostile_links;
mod http;
mod hub;
mod identity;
mod names;
mod people;
mod postgres;
mod readme_commands;
mod reconnect;
mod secrets;
mod sharing;
mod single_instance;
mod ssh;
mod web;
mod websocket;
