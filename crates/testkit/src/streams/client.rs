//! A client that speaks the protocol message by message.

use super::Services;
use crate::in_time;
use bytes::Bytes;
use postern_node::identity::{Identifier, Identity};
use postern_node::session::HUB_LISTENER;
use postern_node::stream::{
    Cursor, EXTENDED_PREFIX, HeldPull, IndexReply, IndexRequest, PushBatch, StreamReply, StreamRequest,
};
use postern_node::{Context, Node, Origin, Route, SecureChannel, SecureChannelOptions, TcpConnection, route};
use std::time::Duration;

/// How long to wait for what must not come.
const SILENCE: Duration = Duration::from_millis(300);

/// An answer, and where it came from.
#[derive(Debug)]
pub struct Reply {
    /// What it says.
    pub body: StreamReply,
    /// The way to where it came from.
    pub from: Route,
}

/// A client over a connection, or over a secure channel with the hub.
pub struct StreamClient {
    node: Node,
    connection: TcpConnection,
    channel: Option<SecureChannel>,
    identity: Option<Identity>,
    services: Services,
}

impl StreamClient {
    /// Connects to the hub.
    ///
    /// # Panics
    /// When that fails.
    pub async fn connect(services: &Services) -> Self {
        let node = Node::new();
        let connection = in_time(node.tcp_connect(services.hub.clone())).await.expect("a connection to the hub");
        Self { node, connection, channel: None, identity: None, services: services.clone() }
    }

    /// Connects to the hub and makes a secure channel with it, as a new identity.
    ///
    /// # Panics
    /// When that fails.
    pub async fn with_channel(services: &Services) -> Self {
        let mut client = Self::connect(services).await;
        let identity = client.node.create_identity().await.expect("an identity");
        let (route, anyone) = (route![&client.connection, HUB_LISTENER], SecureChannelOptions::trust_anyone());
        let channel = in_time(client.node.create_secure_channel(&identity, route, anyone)).await;
        client.channel = Some(channel.expect("a secure channel with the hub"));
        client.identity = Some(identity);
        client
    }

    /// Who it is.
    ///
    /// # Panics
    /// When it has no channel.
    pub fn identifier(&self) -> Identifier {
        self.identity.as_ref().expect("an identity").identifier()
    }

    /// A random name for a stream, or for a client of the index service.
    pub fn new_name(&self) -> String {
        format!("suite-{}", self.node.context().expect("an address").address())
    }

    /// The way to an address on the hub.
    pub fn route(&self, address: &str) -> Route {
        match &self.channel {
            Some(channel) => route![channel, address],
            None => route![&self.connection, address],
        }
    }

    /// A mailbox that the hub reaches.
    ///
    /// # Panics
    /// When the node was stopped.
    pub fn mailbox(&self) -> Context {
        let context = self.node.context().expect("a mailbox");
        let origin = match &self.channel {
            Some(channel) => channel.origin(),
            None => self.connection.origin(),
        };
        self.node.expose(context.address(), &origin).expect("the mailbox exists");
        context
    }

    /// Sends a request from a mailbox.
    ///
    /// # Panics
    /// When it cannot be sent.
    pub async fn send(&self, context: &mut Context, to: &Route, request: &StreamRequest) {
        in_time(context.send(to.clone(), request.encode())).await.expect("a request that is sent");
    }

    /// Waits for the next answer.
    ///
    /// # Panics
    /// When none comes, or not an answer.
    pub async fn receive(&self, context: &mut Context) -> Reply {
        let message = in_time(context.receive::<Bytes>()).await.expect("an answer");
        let body = StreamReply::decode(message.body()).expect("an answer of a stream");
        Reply { body, from: message.return_route().clone() }
    }

    /// Asks, and waits for the answer.
    ///
    /// # Panics
    /// When none comes.
    pub async fn ask(&self, to: &Route, request: &StreamRequest) -> StreamReply {
        let mut mailbox = self.mailbox();
        self.send(&mut mailbox, to, request).await;
        self.receive(&mut mailbox).await.body
    }

    /// Whether a request stays without an answer.
    pub async fn is_not_answered(&self, to: &Route, request: &StreamRequest) -> bool {
        let mut mailbox = self.mailbox();
        self.send(&mut mailbox, to, request).await;
        tokio::time::timeout(SILENCE, mailbox.receive::<Bytes>()).await.is_err()
    }

    /// Asks the service to create a stream, or to find it.
    pub async fn ask_to_create(&self, name: Option<&str>) -> Reply {
        let mut mailbox = self.mailbox();
        let request = StreamRequest::Create { name: name.map(str::to_owned) };
        self.send(&mut mailbox, &self.route(self.services.stream), &request).await;
        self.receive(&mut mailbox).await
    }

    /// Creates a stream, or finds it; the way to it.
    ///
    /// # Panics
    /// When it is refused, or does not have the extension.
    pub async fn create(&self, name: &str) -> Route {
        let reply = self.ask_to_create(Some(name)).await;
        assert_eq!(reply.body, StreamReply::Created { name: name.into() });
        let address = reply.from.back().expect("the stream's address");
        assert!(address.as_str().is_some_and(|it| it.starts_with(EXTENDED_PREFIX)), "{address}");
        reply.from
    }

    /// A stream with a name of its own.
    pub async fn new_stream(&self) -> Route {
        self.create(&self.new_name()).await
    }

    /// Asks for a stream with partitions, and returns the answers to as many as are `expected`.
    pub async fn ask_for_partitions(&self, name: &str, partitions: u64, expected: usize) -> Vec<Reply> {
        let mut mailbox = self.mailbox();
        let request = StreamRequest::CreatePartitioned { name: Some(name.into()), partitions };
        self.send(&mut mailbox, &self.route(self.services.stream), &request).await;
        let mut replies = Vec::new();
        for _ in 0..expected {
            replies.push(self.receive(&mut mailbox).await);
        }
        replies
    }

    /// What the index service has for a cursor.
    ///
    /// # Panics
    /// When it refuses.
    pub async fn saved(&self, cursor: &Cursor) -> Option<u64> {
        let route = self.route(self.services.index);
        let mut mailbox = self.mailbox();
        in_time(mailbox.send(route, IndexRequest::Get(cursor.clone()).encode())).await.expect("a request");
        let message = in_time(mailbox.receive::<Bytes>()).await.expect("an answer");
        let reply = IndexReply::decode(message.body()).expect("an answer of an index service");
        assert_eq!(&reply.cursor, cursor);
        reply.index
    }

    /// Saves an index.
    ///
    /// # Panics
    /// When it cannot be sent.
    pub async fn save(&self, cursor: &Cursor, index: u64) {
        let route = self.route(self.services.index);
        let request = IndexRequest::Save(cursor.clone(), index).encode();
        in_time(self.mailbox().send(route, request)).await.expect("a request");
    }

    /// Pushes a batch.
    pub async fn push(&self, to: &Route, producer: u8, sequence: u64, records: &[&[u8]]) -> StreamReply {
        let records = records.iter().map(|record| record.to_vec()).collect();
        let batch = PushBatch { request_id: sequence, producer: [producer; 16], sequence, records };
        self.ask(to, &StreamRequest::PushBatch(batch)).await
    }

    /// Reads from an index, for as many records as there are now or at most `wait_ms` later.
    pub async fn pull(&self, from: &Route, index: u64, wait_ms: u64) -> StreamReply {
        self.ask(from, &StreamRequest::HeldPull(held_pull(index, wait_ms))).await
    }

    /// Reads records until there are `count`; their data.
    ///
    /// # Panics
    /// When a pull is refused.
    pub async fn read(&self, from: &Route, mut index: u64, count: usize) -> Vec<Vec<u8>> {
        let mut read = Vec::new();
        in_time(async {
            while read.len() < count {
                match self.pull(from, index, 10_000).await {
                    StreamReply::HeldPulled { next, records, reason, .. } if reason.is_empty() => {
                        index = next;
                        read.extend(records.into_iter().map(|record| record.data));
                    }
                    other => panic!("{other:?}"),
                }
            }
        })
        .await;
        read
    }

    /// Checks that this client gets no stream, and is told why.
    ///
    /// # Panics
    /// When it does get one.
    pub async fn is_refused_a_stream(&self) {
        let StreamReply::Error { reason } = self.ask_to_create(Some(&self.new_name())).await.body else {
            panic!("a stream without an identity");
        };
        assert!(reason.contains("secure channel"), "{reason}");
    }
}

/// A pull of the suite's consumer.
pub(super) fn held_pull(index: u64, wait_ms: u64) -> HeldPull {
    HeldPull { request_id: 7, consumer: [7; 16], index, limit: 1_000, max_bytes: u64::MAX, wait_ms }
}
