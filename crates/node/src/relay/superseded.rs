//! Connections whose relay their owner has registered again over another connection.
//!
//! The sessions of the command line of `ockam` replace a relay that does not answer, and keep the connection of the old one open
//! for as long as they run. What is still in use goes on; what is not would count against the hub's limit for ever.

use crate::origin::Source;
use postern_env::time::{self, Duration};
use std::sync::atomic::Ordering;

/// Idle time after which such a connection is ended. Chosen: four times the 30 s after which those sessions replace a relay.
pub(super) const UNUSED_AFTER: Duration = Duration::from_secs(120);

/// Ends the connection as soon as no frame has passed in either direction for `unused_after`. Returns early when it ends by
/// itself, or a relay is bound to it again.
pub(super) async fn end_when_unused(connection: &Source, unused_after: Duration, mut is_bound: impl FnMut() -> bool) {
    connection.used.store(false, Ordering::Relaxed);
    while connection.ended.run_until_cancelled(time::sleep(unused_after)).await.is_some() && !is_bound() {
        if !connection.used.swap(false, Ordering::Relaxed) {
            tracing::debug!("connection closed: its relay was registered again over another");
            return connection.ended.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::service::start_with;
    use super::super::{RelayServiceOptions, STATIC_FORWARDING_SERVICE};
    use super::*;
    use crate::core::{Core, Limits};
    use crate::delivery::Delivery;
    use crate::local_message::{BorrowedMessage, PayloadBuf};
    use crate::message::Message;
    use crate::origin::OriginId;
    use crate::route;
    use crate::router::Endpoint;
    use crate::undeliverable::Undeliverable;
    use crate::vault::MemoryVault;
    use std::sync::Arc;

    /// A connection that takes everything.
    struct Connection(Arc<Source>);

    impl Endpoint for Connection {
        fn deliver(&self, _: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
            Ok(Delivery::default())
        }

        fn source(&self) -> Option<Arc<Source>> {
            Some(self.0.clone())
        }
    }

    fn connect(core: &Arc<Core>, listener: OriginId, name: &'static str) -> Arc<Source> {
        let source = Arc::new(Source::of_connection(name.into(), Some(listener)));
        core.router.add_endpoint(name.into(), Arc::new(Connection(source.clone()))).unwrap();
        source
    }

    /// Registers `bob`, to be confirmed to `done`.
    fn register(core: &Arc<Core>, over: &Arc<Source>) {
        let (onward, back) = (route![STATIC_FORWARDING_SERVICE], route!["done"]);
        let mut name = Vec::from("bob".encode());
        let registered = core.router.dispatch(BorrowedMessage {
            onward: onward.as_ref(),
            return_route: back.as_ref(),
            body: PayloadBuf::exactly(&mut name),
            source: Some(over),
            depth: 0,
            completion: None,
        });
        registered.map(drop).unwrap();
    }

    fn core() -> Arc<Core> {
        Arc::new(Core::new(Arc::new(MemoryVault::in_memory()), Limits::default()))
    }

    #[tokio::test]
    async fn a_connection_is_ended_behind_the_first_pause_in_which_nothing_passes() {
        let connection = connect(&core(), OriginId::fresh(), "first");
        let mut rounds = 0;
        end_when_unused(&connection, Duration::from_millis(1), || {
            rounds += 1;
            connection.used.store(rounds < 4, Ordering::Relaxed);
            false
        })
        .await;
        assert!(rounds == 4 && connection.ended.is_cancelled());
    }

    #[tokio::test]
    async fn a_connection_whose_relay_moved_away_is_ended_and_one_that_has_it_is_not() {
        let (core, listener) = (core(), OriginId::fresh());
        start_with(&core, RelayServiceOptions::default(), &[listener], Duration::from_millis(1)).unwrap();
        let [first, second, third] = ["first", "second", "third"].map(|name| connect(&core, listener, name));
        register(&core, &first);
        register(&core, &second);
        // Its owner comes back before it is ended.
        register(&core, &first);
        second.ended.cancelled().await;
        assert!(!first.ended.is_cancelled());
        register(&core, &third);
        first.ended.cancelled().await;
        assert!(!third.ended.is_cancelled());
    }
}
