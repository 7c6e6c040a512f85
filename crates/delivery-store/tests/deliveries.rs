//! Deliveries over files, between two programs that end at any await point.

use postern_delivery_store::SqliteDeliveryStore;
use postern_node::identity::{Identity, Timestamp};
use postern_node::reliable::{DeliveryOptions, DeliveryPath, Handler, Received, ReliableDelivery, StorageKey};
use postern_node::session::HubSession;
use postern_node::vault::{MemoryStore, MemoryVault};
use postern_node::{Limits, Node, SecureChannelOptions, WorkerError, route};
use postern_testkit::Capture;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const TIMEOUT: Duration = Duration::from_secs(20);

/// Writes what comes into a table, and answers what asks for it.
#[derive(Clone)]
struct Ledger(Arc<AtomicU64>);

impl Handler<SqliteDeliveryStore> for Ledger {
    async fn handle(&mut self, message: &mut Received<'_, SqliteDeliveryStore>) -> Result<(), WorkerError> {
        let text = String::from_utf8(message.body().to_vec())?;
        let insert = sqlx::query("INSERT INTO ledger (text) VALUES (?)").bind(text.clone());
        insert.execute(message.transaction().await?.connection()).await?;
        if let Some(number) = text.strip_prefix("ask ") {
            message.reply(format!("answer {number}"))?;
        }
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// What outlives a program.
struct Program {
    vault: Arc<MemoryVault>,
    identity: Identity,
    secrets: MemoryStore,
    directory: TempDir,
    handled: Arc<AtomicU64>,
}

struct Process {
    runtime: Option<Runtime>,
    delivery: ReliableDelivery,
    store: SqliteDeliveryStore,
    node: Node,
    _hub: Option<HubSession>,
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(TIMEOUT);
        }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

impl Program {
    fn new() -> Self {
        let vault = Arc::new(MemoryVault::in_memory());
        let identity = runtime().block_on(Identity::create(vault.clone(), Timestamp::now())).unwrap();
        let (directory, handled) = (tempfile::tempdir().unwrap(), Arc::default());
        Self { vault, identity, secrets: MemoryStore::new(), directory, handled }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("delivery.db")
    }

    /// Starts it: the one that listens behind the network, or the one that connects through it.
    fn start(&self, peer: &Program, network: &Capture, listens: bool) -> Process {
        let runtime = runtime();
        let node = Node::with(self.vault.clone(), Limits::default());
        let ms = Duration::from_millis;
        let options = DeliveryOptions {
            first_probe: ms(100),
            longest_probe: ms(500),
            first_handshake_retry: ms(50),
            longest_handshake_retry: ms(200),
            ..DeliveryOptions::default()
        };
        let started = async {
            let mut connection = None;
            let store = SqliteDeliveryStore::open(self.file()).await.unwrap();
            let mut setup = store.transaction().await.unwrap();
            let table = "CREATE TABLE IF NOT EXISTS ledger (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT";
            sqlx::query(table).execute(setup.connection()).await.unwrap();
            setup.commit().await.unwrap();
            let key = StorageKey::open(&self.identity, &self.secrets).await.unwrap();
            let (with, handler) = ((store.clone(), key), Ledger(self.handled.clone()));
            let delivery = ReliableDelivery::start_with(&node, &self.identity, with, handler, options).await.unwrap();
            let peer = peer.identity.identifier();
            if listens {
                let only = SecureChannelOptions::trust_only([peer]);
                let listener = node.create_secure_channel_listener(&self.identity, "listener", only).await.unwrap();
                delivery.accept(&listener);
                let tcp = node.tcp_listen("127.0.0.1:0").await.unwrap();
                node.expose("listener", &tcp).unwrap();
                network.retarget(tcp.local_addr());
            } else {
                let hub = node.keep_connected(network.address().to_string(), None);
                delivery.connect(&peer, DeliveryPath::through(&hub, route!["listener"])).unwrap();
                connection = Some(hub);
            }
            (delivery, store, connection)
        };
        let (delivery, store, hub) = runtime.block_on(started);
        Process { runtime: Some(runtime), delivery, store, node, _hub: hub }
    }
}

impl Process {
    fn send(&self, to: &Program, texts: Vec<String>) {
        let bodies = texts.into_iter().map(bytes::Bytes::from).collect();
        let to = to.identity.identifier();
        let sent = self.delivery.send_all(&to, bodies);
        self.runtime.as_ref().unwrap().block_on(sent).unwrap();
    }

    fn ledger(&self) -> Vec<String> {
        self.runtime.as_ref().unwrap().block_on(async {
            let mut transaction = self.store.transaction().await.unwrap();
            let rows = sqlx::query_as("SELECT text FROM ledger ORDER BY id").fetch_all(transaction.connection()).await;
            let rows: Vec<(String,)> = rows.unwrap();
            rows.into_iter().map(|(text,)| text).collect()
        })
    }
}

#[test]
fn every_message_takes_effect_exactly_once_in_order_wherever_programs_end() {
    const ALL: usize = 200;
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (alice, bob) = (Program::new(), Program::new());
    let network = Capture::counting(postern_testkit::port::loopback(0));
    let start = |side: usize| match side {
        0 => alice.start(&bob, &network, false),
        _ => bob.start(&alice, &network, true),
    };
    let mut processes = [Some(start(0)), Some(start(1))];
    let mut sent = 0;
    while sent < ALL {
        let until = (sent + random.random_range(1..30)).min(ALL);
        let asks = (sent..until).map(|number| format!("ask {number}")).collect();
        processes[0].as_ref().unwrap().send(&bob, asks);
        sent = until;
        if random.random_bool(0.5) {
            let side = random.random_range(0..2);
            let program = [&alice, &bob][side];
            let enough = program.handled.load(Ordering::Relaxed) + random.random_range(0..20);
            let _ = postern_testkit::within(Duration::from_millis(100), || {
                (program.handled.load(Ordering::Relaxed) >= enough).then_some(())
            });
            processes[side] = None;
            // The sockets of a process end with it.
            network.cut();
            processes[side] = Some(start(side));
        }
    }
    for (side, prefix) in [(1, "ask"), (0, "answer")] {
        let expected: Vec<String> = (0..ALL).map(|number| format!("{prefix} {number}")).collect();
        let process = processes[side].as_ref().unwrap();
        let arrived = postern_testkit::within(TIMEOUT, || (process.ledger().len() >= ALL).then_some(()));
        if arrived.is_none() {
            let states: Vec<_> = processes
                .iter()
                .flatten()
                .zip([&bob, &alice])
                .map(|(process, peer)| {
                    let state = process.delivery.state(&peer.identity.identifier());
                    let hub = process._hub.as_ref().map(|hub| hub.state().up().map(|up| up.connection.is_closed()));
                    let stats = process.node.stats();
                    let at = format!(
                        "{hub:?} {} {} {}",
                        stats.channels.get(),
                        stats.failed_handshakes.get(),
                        stats.dropped.get()
                    );
                    format!("{} in the ledger, {at} {state:?}", process.ledger().len())
                })
                .collect();
            panic!("seed {seed}: waiting for each {prefix}: {states:#?}");
        }
        assert_eq!(process.ledger(), expected, "seed {seed}");
    }
}
