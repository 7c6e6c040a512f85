//! The conformance suite of stream services (`docs/wire.md` §15): what holds for each storage, told by the protocol alone.
//!
//! ```text
//! suite ── requests, over connections and secure channels ──► hub: a stream service, and its index service
//! ```
//!
//! [`run`] runs all of it against one pair of services. Each test uses streams of its own, with random names, so the suite can
//! run again against the same hub.

mod basic_protocol;
mod client;
mod extension;
mod ownership;

pub use client::{Reply, StreamClient};

/// The services that the suite runs against.
#[derive(Debug, Clone)]
pub struct Services {
    /// The hub, as `host:port`.
    pub hub: String,
    /// The address of the stream service: `stream`, or `stream_kafka`.
    pub stream: &'static str,
    /// The address of its index service.
    pub index: &'static str,
    /// Whether streams can be created without an identity.
    pub anonymous: bool,
}

/// Runs the suite.
///
/// # Panics
/// When something does not hold; the message says what.
pub async fn run(services: &Services) {
    if services.anonymous {
        basic_protocol::run(services, &StreamClient::connect(services).await).await;
        extension::run(&StreamClient::connect(services).await).await;
    } else {
        StreamClient::connect(services).await.is_refused_a_stream().await;
    }
    let owner = StreamClient::with_channel(services).await;
    basic_protocol::run(services, &owner).await;
    extension::run(&owner).await;
    ownership::run(services).await;
}
