//! Why a message is not delivered.

/// Why a message was not delivered. It is dropped and counted; the sender is not notified (`docs/wire.md` §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undeliverable {
    /// The onward route is empty.
    #[error("the message has no onward route")]
    NoRoute,
    /// No such address in this node.
    #[error("no worker, connection or channel has that address")]
    UnknownAddress,
    /// The address was not exposed to where the message came from.
    #[error("the address is not exposed to where the message came from")]
    Denied,
    /// What has the address is closed or closing.
    #[error("the worker, connection or channel is closed")]
    Closed,
    /// The message is not one that its taker understands or accepts now.
    #[error("the message is malformed or came at the wrong time")]
    Malformed,
    /// The message is larger than what takes it allows.
    #[error("the message is too large")]
    TooLarge,
    /// A limit on what may wait or be open at once is reached.
    #[error("too much is waiting or open there")]
    Full,
    /// The message passes too many local hops.
    #[error("the route passes too many local hops")]
    TooDeep,
}
