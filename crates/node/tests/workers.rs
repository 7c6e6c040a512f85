//! What workers and processors do beside answering: forward, limit their senders, start and stop others, end with the node.

use bytes::Bytes;
use postern_node::identity::{Attributes, Identity, Timestamp, TrustPolicy};
use postern_node::policy::Policy;
use postern_node::{
    Address, BareMessage, Context, ContextError, Echoer, Error, Node, Processor, Routed, SecureChannel,
    SecureChannelOptions, Undeliverable, Worker, WorkerError, WorkerOptions, route,
};
use postern_testkit::{TIMEOUT, eventually_async};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

/// Reports what it hears.
pub(crate) struct Listener(mpsc::UnboundedSender<String>);

impl Worker for Listener {
    type Message = String;

    async fn handle_message(&mut self, _: &mut Context, message: Routed<String>) -> Result<(), WorkerError> {
        self.0.send(message.into_body())?;
        Ok(())
    }
}

pub(crate) fn listener() -> (Listener, mpsc::UnboundedReceiver<String>) {
    let (said, heard) = mpsc::unbounded_channel();
    (Listener(said), heard)
}

pub(crate) async fn next(heard: &mut mpsc::UnboundedReceiver<String>) -> String {
    tokio::time::timeout(TIMEOUT, heard.recv()).await.unwrap().unwrap()
}

pub(crate) async fn refusals(node: &Node, count: u64) {
    eventually_async("refusals", TIMEOUT, async || (node.stats().dropped.get() >= count).then_some(())).await;
}

/// Passes messages on, and remembers them.
pub(crate) struct Logger(pub(crate) Arc<Mutex<Vec<String>>>);

impl Worker for Logger {
    type Message = Bytes;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<Bytes>) -> Result<(), WorkerError> {
        let text: String = message.decode_as()?;
        self.0.lock().unwrap().push(format!("{} => {text}", message.remaining_route()));
        Ok(context.step_forward(message).await?)
    }
}

/// Forwards along a route, and has the answers sent to another worker.
struct Detour(Address);

impl Worker for Detour {
    type Message = Bytes;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<Bytes>) -> Result<(), WorkerError> {
        let mut onward = message.remaining_route();
        onward.push_front(&self.0);
        let mut back = message.return_route().clone();
        back.push_front("answers");
        Ok(context.forward(message, onward, back).await?)
    }
}

#[tokio::test]
async fn a_worker_in_the_middle_forwards_messages_and_their_answers() {
    let server = Node::new();
    let tcp = server.tcp_listen("127.0.0.1:0").await.unwrap();
    server.start_worker("echoer", Echoer).unwrap();
    server.expose("echoer", &tcp).unwrap();

    let middle = Node::new();
    let to_server = middle.tcp_connect(tcp.local_addr().to_string()).await.unwrap();
    let (passed, answers) = (Arc::default(), Arc::default());
    middle.start_worker("logger", Logger(Arc::clone(&passed))).unwrap();
    middle.start_worker("detour", Detour(Address::from(&to_server))).unwrap();
    middle.start_worker("answers", Logger(Arc::clone(&answers))).unwrap();
    middle.expose("answers", &to_server).unwrap();
    let tcp = middle.tcp_listen("127.0.0.1:0").await.unwrap();
    middle.expose("logger", &tcp).unwrap();

    let client = Node::new();
    let connection = client.tcp_connect(tcp.local_addr().to_string()).await.unwrap();
    let context = client.context().unwrap();
    let route = route![&connection, "logger", "detour", "echoer"];
    let answer = context.send_and_receive_within::<String>(TIMEOUT, route, "hello").await.unwrap();
    assert_eq!(answer.body(), "hello");
    // The answer came back by the other way, with the rest of the return route behind it.
    assert_eq!(passed.lock().unwrap()[0], "detour => echoer => hello");
    let answers = answers.lock().unwrap().clone();
    assert!(answers[0].starts_with("logger => ") && answers[0].ends_with(" => hello"), "{answers:?}");
}

#[tokio::test]
async fn an_address_may_be_exposed_before_its_worker_starts() {
    let server = Node::new();
    let tcp = server.tcp_listen("127.0.0.1:0").await.unwrap();
    server.expose("echoer", &tcp).unwrap();
    server.start_worker("echoer", Echoer).unwrap();
    let client = Node::new();
    let connection = client.tcp_connect(tcp.local_addr().to_string()).await.unwrap();
    let context = client.context().unwrap();
    let answer = context.send_and_receive_within::<String>(TIMEOUT, route![&connection, "echoer"], "hi").await.unwrap();
    assert_eq!(answer.body(), "hi");
    server.shutdown().await;
    assert!(matches!(server.expose("late", &tcp), Err(Error::Stopped)));
}

#[tokio::test]
async fn a_message_of_another_type_is_not_lost() {
    let node = Node::new();
    let mut receiver = node.context_at("receiver").unwrap();
    node.context().unwrap().send(route!["receiver"], vec![0xffu8]).await.unwrap();
    let Err(ContextError::Decode(unexpected)) = receiver.receive::<String>().await else { panic!("not a text") };
    assert_eq!(&unexpected.message.body()[..], [0xff]);
    assert_eq!(unexpected.message.decode_as::<Vec<u8>>(), Ok(vec![0xff]));
    let waited = receiver.receive_within::<String>(Duration::from_millis(10)).await;
    assert!(matches!(waited, Err(ContextError::Timeout(_))));
    let sending = node.clone();
    let later = tokio::spawn(async move { sending.context().unwrap().send(route!["receiver"], "hello").await });
    assert_eq!(receiver.receive_within::<String>(None).await.unwrap().body(), "hello");
    later.await.unwrap().unwrap();
}

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Point {
    x: i8,
    y: i8,
}

impl BareMessage for Point {}

#[tokio::test]
async fn a_type_of_ones_own_is_a_message() {
    let node = Node::new();
    node.start_worker("echoer", Echoer).unwrap();
    let point =
        node.context().unwrap().send_and_receive::<Point>(route!["echoer"], Point { x: 1, y: -2 }).await.unwrap();
    assert_eq!(point.into_body(), Point { x: 1, y: -2 });
}

/// Starts a worker for each name it is told, stops it for a name it knows, and stops everything on `stop`.
struct Supervisor(mpsc::UnboundedSender<String>);

impl Worker for Supervisor {
    type Message = String;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<String>) -> Result<(), WorkerError> {
        match message.body().as_str() {
            "stop" => context.stop(),
            "shutdown" => context.node().shutdown_in_background(),
            name if context.node().stop(name) => {}
            name => context.node().start_worker(name, Listener(self.0.clone()))?,
        }
        context.send_at_once(message.return_route().clone(), "done")?;
        Ok(())
    }

    async fn shutdown(&mut self, _: &mut Context) {
        let _ = self.0.send("the supervisor has ended".into());
    }
}

#[tokio::test]
async fn a_worker_starts_and_stops_others_itself_and_the_node() {
    let (said, mut heard) = mpsc::unbounded_channel();
    let node = Node::new();
    node.start_worker("supervisor", Supervisor(said.clone())).unwrap();
    let mut context = node.context().unwrap();
    let tell = async |context: &Context, what: &str| {
        context.send_and_receive_within::<String>(TIMEOUT, route!["supervisor"], what.to_owned()).await.unwrap();
    };
    tell(&context, "child").await;
    context.send(route!["child"], "hello").await.unwrap();
    assert_eq!(next(&mut heard).await, "hello");
    tell(&context, "child").await;
    assert!(matches!(
        context.send(route!["child"], "hello").await,
        Err(ContextError::Undeliverable(Undeliverable::UnknownAddress))
    ));
    tell(&context, "stop").await;
    assert_eq!(next(&mut heard).await, "the supervisor has ended");
    node.start_worker("another", Supervisor(said)).unwrap();
    context.send(route!["another"], "shutdown").await.unwrap();
    tokio::time::timeout(TIMEOUT, node.stopped()).await.unwrap();
    assert_eq!(next(&mut heard).await, "the supervisor has ended");
}

/// Counts rounds, fails in the second, and waits for ever behind the third.
struct Rounds(mpsc::UnboundedSender<String>, u8);

impl Processor for Rounds {
    async fn process(&mut self, context: &mut Context) -> Result<bool, WorkerError> {
        self.1 += 1;
        self.0.send(format!("round {}", self.1))?;
        match self.1 {
            2 => Err("the second fails".into()),
            3 => context.receive_within::<String>(None).await.map(|_| true).map_err(WorkerError::from),
            _ => Ok(true),
        }
    }

    async fn shutdown(&mut self, _: &mut Context) {
        let _ = self.0.send("ended".into());
    }
}

#[tokio::test]
async fn a_processor_goes_on_after_an_error_and_ends_with_its_node() {
    let (said, mut heard) = mpsc::unbounded_channel();
    let node = Node::new();
    node.start_processor("rounds", Rounds(said, 0)).unwrap();
    for expected in ["round 1", "round 2", "round 3"] {
        assert_eq!(next(&mut heard).await, expected);
    }
    node.shutdown().await;
    assert_eq!(next(&mut heard).await, "ended");
    assert!(heard.recv().await.is_none());
}

/// A server with secure channels and a client that has one.
struct Pair {
    server: Node,
    client: Node,
    client_identity: Identity,
    channel: SecureChannel,
    channels: postern_node::SecureChannelListener,
}

async fn pair(role: Option<&str>) -> Pair {
    let (server, client) = (Node::new(), Node::new());
    let authority = Node::new().create_identity().await.unwrap();
    let (us, client_identity) = (server.create_identity().await.unwrap(), client.create_identity().await.unwrap());
    server.known_identities().pin(authority.history().clone()).unwrap();
    let mut options = SecureChannelOptions::trust(TrustPolicy::Anyone);
    options.authorities.insert(authority.identifier());
    let channels = server.create_secure_channel_listener(&us, "listener", options).await.unwrap();
    let tcp = server.tcp_listen("127.0.0.1:0").await.unwrap();
    server.expose("listener", &tcp).unwrap();
    let mut options = SecureChannelOptions::trust_only([us.identifier()]);
    if let Some(role) = role {
        let attributes = Attributes::new(1).with("role", role);
        let day = Duration::from_secs(24 * 3600);
        let subject = client_identity.identifier();
        options.credentials.push(authority.issue_credential(subject, attributes, day, Timestamp::now()).await.unwrap());
    }
    let route = route![Address::tcp(tcp.local_addr().to_string()), "listener"];
    let channel = client.create_secure_channel(&client_identity, route, options).await.unwrap();
    Pair { server, client, client_identity, channel, channels }
}

impl Pair {
    /// Whether a worker with these options takes the client's message.
    async fn is_taken(&self, options: WorkerOptions) -> bool {
        let (worker, mut heard) = listener();
        let before = self.server.stats().dropped.get();
        self.server.start_worker_with("limited", worker, options).unwrap();
        self.server.expose("limited", &self.channels).unwrap();
        self.client.context().unwrap().send(route![&self.channel, "limited"], "hello").await.unwrap();
        let taken = tokio::select! {
            _ = heard.recv() => true,
            () = refusals(&self.server, before + 1) => false,
        };
        // This node's own workers are never limited.
        self.server.context().unwrap().send(route!["limited"], "local").await.unwrap();
        assert_eq!(next(&mut heard).await, "local");
        self.server.stop("limited");
        taken
    }
}

#[tokio::test]
async fn a_worker_takes_messages_only_from_whom_it_is_for() {
    let pair_with_role = pair(Some("editor")).await;
    let (us, other) = (pair_with_role.client_identity.identifier(), Node::new().create_identity().await.unwrap());
    let accept = |policy: TrustPolicy| WorkerOptions::new().accept_from(policy);
    assert!(pair_with_role.is_taken(WorkerOptions::new()).await);
    assert!(pair_with_role.is_taken(accept(TrustPolicy::only([us]))).await);
    assert!(!pair_with_role.is_taken(accept(TrustPolicy::only([other.identifier()]))).await);
    let policy = |text: &str| TrustPolicy::from(text.parse::<Policy>().unwrap());
    assert!(pair_with_role.is_taken(accept(policy("role=editor"))).await);
    assert!(!pair_with_role.is_taken(accept(policy("role=reader"))).await);
    assert!(!pair(None).await.is_taken(accept(policy("role=editor"))).await);
}

/// What comes over a bare connection has proven nothing.
#[tokio::test]
async fn a_limited_worker_takes_nothing_from_a_bare_connection() {
    let server = Node::new();
    let (worker, mut heard) = listener();
    server.start_worker_with("limited", worker, WorkerOptions::new().accept_from(TrustPolicy::Anyone)).unwrap();
    let tcp = server.tcp_listen("127.0.0.1:0").await.unwrap();
    server.expose("limited", &tcp).unwrap();
    let client = Node::new();
    let to = route![Address::tcp(tcp.local_addr().to_string()), "limited"];
    client.context().unwrap().send(to, "hello").await.unwrap();
    refusals(&server, 1).await;
    assert!(heard.try_recv().is_err());
}

/// Sends what it is told along a route.
struct Sender(postern_node::Route);

impl Worker for Sender {
    type Message = String;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<String>) -> Result<(), WorkerError> {
        let sent = context.send(self.0.clone(), message.body().clone()).await;
        let answer = sent.map_or_else(|error| error.to_string(), |()| "sent".to_owned());
        Ok(context.send(message.return_route().clone(), answer).await?)
    }
}

#[tokio::test]
async fn a_worker_sends_only_to_whom_it_may() {
    let Pair { server, client, channel, channels, .. } = pair(None).await;
    let (worker, mut heard) = listener();
    server.start_worker("worker", worker).unwrap();
    server.expose("worker", &channels).unwrap();
    let context = client.context().unwrap();
    let to_nobody = WorkerOptions::new().send_to(TrustPolicy::only([]));
    let to_peer = WorkerOptions::new().send_to(TrustPolicy::only([channel.peer().identifier]));
    for (options, expected) in [(to_nobody, false), (to_peer, true)] {
        client.start_worker_with("sender", Sender(route![&channel, "worker"]), options).unwrap();
        let answer = context.send_and_receive_within::<String>(TIMEOUT, route!["sender"], "hello").await.unwrap();
        assert_eq!(answer.body() == "sent", expected, "{}", answer.body());
        client.stop("sender");
    }
    assert_eq!(next(&mut heard).await, "hello");
    assert!(heard.try_recv().is_err());
}
