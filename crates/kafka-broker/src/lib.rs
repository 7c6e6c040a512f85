//! A real Apache Kafka for tests, demonstrations and measurements: one node (KRaft), in a directory of its own, on free ports of
//! 127.0.0.1, started and stopped as often as needed.
//!
//! ```no_run
//! let mut broker = postern_kafka_broker::Broker::start()?;
//! broker.create_topic("letters", 1)?;
//! println!("kafka-console-consumer --bootstrap-server {} --topic letters", broker.bootstrap());
//! broker.kill()?; // SIGKILL: as a power failure of the process
//! broker.restart()?; // the same ports, the same records
//! # Ok::<(), postern_kafka_broker::Error>(())
//! ```
//!
//! | way in | address | who |
//! |---|---|---|
//! | plaintext | [`Broker::bootstrap`] | anybody, with all rights |
//! | SASL over TLS | [`Broker::sasl_bootstrap`] | [`USER`] with [`PLAIN_PASSWORD`] (PLAIN) or [`SCRAM_PASSWORD`] (SCRAM-SHA-256 and -512) has all rights; [`STRANGER`] (PLAIN) has none |
//! | TLS with a client certificate | [`Broker::tls_bootstrap`] | `User:CN=client`, with the rights it is [granted](Broker::grant) |
//!
//! Maven, a Java runtime 17 and `openssl` come from Debian's packages (`cargo xtask test` installs them), Kafka from Maven Central,
//! once, into `target/kafka/`. Where that cannot be reached, [`unavailable`] says why. Uses the standard library alone, because
//! `cargo xtask` contains it, which is built before everything else. Unix only.
//!
//! A [`Broker`] that is dropped is killed and its directory removed; so it is when the process that started it ends in any way.
#![cfg(unix)]

mod artifacts;
mod broker;
mod certificates;
mod configuration;
mod error;
mod ports;
mod process;
mod readiness;
mod tools;

pub use broker::{Broker, Options};
pub use error::Error;
pub use tools::Tools;

/// The user with all rights.
pub const USER: &str = "hub";
/// Its password for SASL PLAIN. It opens a broker that lives as long as a test and listens on 127.0.0.1.
pub const PLAIN_PASSWORD: &str = "plain-secret";
/// Its password for SASL SCRAM-SHA-256 and SCRAM-SHA-512.
pub const SCRAM_PASSWORD: &str = "scram-secret";
/// The user without rights; SASL PLAIN only.
pub const STRANGER: &str = "stranger";
/// Its password.
pub const STRANGER_PASSWORD: &str = "stranger-secret";

/// Why no broker can be started on this machine: Kafka was not downloaded yet, and Maven Central cannot be reached. Downloads it
/// otherwise, which takes up to ten minutes.
///
/// # Errors
/// Everything that is no reason to go without: Maven is not installed, or fails for another reason.
pub fn unavailable() -> Result<Option<String>, Error> {
    match artifacts::class_path() {
        Ok(_) => Ok(None),
        Err(Error::Unavailable(why)) => Ok(Some(why)),
        Err(error) => Err(error),
    }
}

/// The address of a running broker that the environment names (`KAFKA_BOOTSTRAP`), if it does.
pub fn selected() -> Option<String> {
    std::env::var("KAFKA_BOOTSTRAP").ok().filter(|address| !address.is_empty())
}

/// Says that a test is skipped, and why, past the capture of the test's output: `cargo xtask` counts such lines. The caller returns.
pub fn skipped(why: &str) {
    use std::io::Write;
    let test = std::thread::current();
    // A line of its own: with one test thread, the name of the test is already printed. A closed output is nobody's problem.
    let _ = writeln!(std::io::stdout(), "\nskipped: {}: {}", test.name().unwrap_or("?"), why.replace('\n', " "));
}
