//! The attack: what one stranger with a few addresses does to a hub, and to an owner behind it.
//!
//! All at once: 20,000 secure channels that do nothing, 1,000 handshakes per second that nobody goes on with, 17,000 relay
//! names, 256 identities that deposit mail, 4,096 streams that are refused.

use crate::source_address;
use postern_node::identity::{Identifier, Identity};
use postern_node::session::HUB_LISTENER;
use postern_node::{Node, SecureChannel, SecureChannelOptions, TcpConnection, route};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Addresses that the attacker has.
const ADDRESSES: u8 = 4;
/// Connections of the attacker's for channels, handshakes and deposits.
const CONNECTIONS: usize = 16;
const SILENT_CHANNELS: usize = 20_000;
/// Channels, and other handshakes, that are begun per millisecond.
const PER_MILLISECOND: usize = 1;
const RELAY_NAMES: usize = 17_000;
/// As many as one connection may have, so that the names need several hundred connections.
const NAMES_PER_CONNECTION: usize = 64;
const DEPOSITORS: usize = 256;
const DEPOSITS_EACH: u8 = 16;
const REFUSALS: usize = 4_096;
/// Operations of one kind that wait for answers at once.
const AT_ONCE: usize = 128;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Whom the attack is aimed at.
pub(crate) struct Victim {
    hub: SocketAddr,
    owner: Identifier,
    /// The address of an outlet of the owner's.
    outlet: String,
}

impl Victim {
    /// # Errors
    /// What cannot be read.
    pub(crate) fn parse(hub: &str, owner: &str, service: &str) -> std::result::Result<Self, String> {
        let hub = hub.parse().map_err(|_| format!("`{hub}` is no address"))?;
        let owner = owner.parse().map_err(|_| format!("`{owner}` is no identifier"))?;
        Ok(Self { hub, owner, outlet: format!("outlet-{service}") })
    }
}

/// What was tried, and what came of it.
#[derive(Default)]
struct Counts {
    channels: AtomicU64,
    channels_refused: AtomicU64,
    handshakes: AtomicU64,
    names: AtomicU64,
    deposits: AtomicU64,
    deposits_refused: AtomicU64,
    refusals: AtomicU64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        write!(f, "{} channels opened, {} not; ", of(&self.channels), of(&self.channels_refused))?;
        write!(f, "{} other handshakes begun; {} names asked for; ", of(&self.handshakes), of(&self.names))?;
        write!(f, "{} deposits taken, {} refused; ", of(&self.deposits), of(&self.deposits_refused))?;
        write!(f, "{} streams refused", of(&self.refusals))
    }
}

struct Attack {
    node: Node,
    victim: Victim,
    /// Where connections to the hub are made: each comes from another address.
    doors: Vec<SocketAddr>,
    connections: Vec<TcpConnection>,
    identity: Identity,
    /// What must stay open.
    held: Mutex<Vec<SecureChannel>>,
    counts: Counts,
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Attacks for so long, prints what came of it, and ends with everything still open.
pub(crate) fn run(victim: Victim, duration: Duration) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    runtime.block_on(async {
        let attack = match Attack::prepare(victim).await {
            Ok(attack) => Arc::new(attack),
            Err(error) => return failed(&*error),
        };
        let _ = timeout(duration, attack.clone().everything()).await;
        println!("{}", attack.counts);
        ExitCode::SUCCESS
    })
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("the attack cannot begin: {error}");
    ExitCode::FAILURE
}

impl Attack {
    async fn prepare(victim: Victim) -> Result<Self> {
        let node = Node::new();
        let mut doors = Vec::new();
        for number in 0..ADDRESSES {
            doors.push(source_address::forward_from(Ipv4Addr::new(127, 0, 1, 1 + number), victim.hub).await?);
        }
        let mut connections = Vec::new();
        for door in doors.iter().cycle().take(CONNECTIONS) {
            connections.push(node.tcp_connect(door.to_string()).await?);
        }
        let identity = node.create_identity().await?;
        Ok(Self { node, victim, doors, connections, identity, held: Mutex::default(), counts: Counts::default() })
    }

    /// Goes on with handshakes when all else is done.
    async fn everything(self: Arc<Self>) {
        tokio::join!(
            self.clone().handshakes(),
            self.clone().silent_channels(),
            self.clone().relay_names(),
            self.clone().depositors(),
            self.clone().refusals(),
        );
    }

    fn connection(&self, number: usize) -> &TcpConnection {
        &self.connections[number % self.connections.len()]
    }

    async fn handshakes(self: Arc<Self>) {
        let Ok(context) = self.node.context() else { return };
        let (mut every, owner) = (interval(Duration::from_millis(1)), self.victim.owner.to_string());
        every.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for number in 0_u64.. {
            every.tick().await;
            for _ in 0..PER_MILLISECOND {
                // Any 32 bytes are a key, so this costs the attacker nothing.
                let mut first = [0x55; 32];
                first[..8].copy_from_slice(&number.to_le_bytes());
                let route = route![self.connection(number as usize), owner.as_str(), HUB_LISTENER];
                let sent = context.send_at_once(route, first.to_vec());
                self.counts.handshakes.fetch_add(u64::from(sent.is_ok()), Ordering::Relaxed);
            }
        }
    }

    async fn silent_channels(self: Arc<Self>) {
        let (mut every, permits) = (interval(Duration::from_millis(1)), Arc::new(Semaphore::new(AT_ONCE)));
        every.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut tasks = JoinSet::new();
        for number in 0..SILENT_CHANNELS / PER_MILLISECOND {
            every.tick().await;
            for _ in 0..PER_MILLISECOND {
                let Ok(permit) = permits.clone().acquire_owned().await else { return };
                let attack = self.clone();
                tasks.spawn(async move {
                    let (opened, _permit) =
                        (attack.open_channel(number, Some(attack.victim.owner), &attack.identity).await, permit);
                    attack.count(opened.is_ok(), (&attack.counts.channels, &attack.counts.channels_refused));
                    attack.held.lock().unwrap_or_else(PoisonError::into_inner).extend(opened);
                });
            }
            while tasks.try_join_next().is_some() {}
        }
        tasks.join_all().await;
    }

    /// A channel with the owner, or with the hub.
    async fn open_channel(
        &self,
        number: usize,
        owner: Option<Identifier>,
        identity: &Identity,
    ) -> Result<SecureChannel> {
        let connection = self.connection(number);
        let route = match owner {
            Some(owner) => route![connection, owner.to_string().as_str(), HUB_LISTENER],
            None => route![connection, HUB_LISTENER],
        };
        Ok(self.node.create_secure_channel(identity, route, SecureChannelOptions::trust_anyone()).await?)
    }

    fn count(&self, ok: bool, (yes, no): (&AtomicU64, &AtomicU64)) {
        if ok { yes } else { no }.fetch_add(1, Ordering::Relaxed);
    }

    /// Asks for names, half of which are identifiers of others. Refusals are silent here, so nothing is waited for.
    async fn relay_names(self: Arc<Self>) {
        let Ok(context) = self.node.context() else { return };
        let mut connections = Vec::new();
        for first in (0..RELAY_NAMES).step_by(NAMES_PER_CONNECTION) {
            let door = self.doors[connections.len() % self.doors.len()];
            let Ok(connection) = self.node.tcp_connect(door.to_string()).await else { continue };
            for number in first..(first + NAMES_PER_CONNECTION).min(RELAY_NAMES) {
                let name = if number % 2 == 0 { format!("flood-{number}") } else { format!("I{number:064x}") };
                let Ok(length) = u8::try_from(name.len()) else { continue };
                let asked = [&[length], name.as_bytes()].concat();
                let sent = context.send_at_once(route![&connection, "static_forwarding_service"], asked);
                self.counts.names.fetch_add(u64::from(sent.is_ok()), Ordering::Relaxed);
            }
            connections.push(connection);
            tokio::task::yield_now().await;
        }
        // The relays last as long as their connections.
        std::future::pending::<()>().await;
    }

    async fn depositors(self: Arc<Self>) {
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        let mut tasks = JoinSet::new();
        for number in 0..DEPOSITORS {
            let Ok(permit) = permits.clone().acquire_owned().await else { return };
            let attack = self.clone();
            tasks.spawn(async move {
                let _permit = permit;
                if let Err(error) = attack.deposit_all(number).await {
                    eprintln!("depositor {number}: {error}");
                }
            });
        }
        tasks.join_all().await;
    }

    /// Deposits as a fresh identity, for the owner and for people that nobody is.
    async fn deposit_all(&self, number: usize) -> Result<()> {
        let identity = self.node.create_identity().await?;
        let channel = self.open_channel(number, None, &identity).await?;
        for turn in 0..DEPOSITS_EACH {
            let to = if turn % 2 == 0 { self.victim.owner } else { Identifier::from_bytes([turn; 32]) };
            let mut sealed = vec![turn; 16 * 1024];
            sealed[..8].copy_from_slice(&number.to_le_bytes());
            let deposited = self.node.deposit_mail(&channel, to, &sealed).await;
            self.count(deposited.is_ok(), (&self.counts.deposits, &self.counts.deposits_refused));
        }
        Ok(())
    }

    /// Opens streams with a service that does not let this identity in.
    async fn refusals(self: Arc<Self>) {
        let (Ok(identity), permits) = (self.node.create_identity().await, Arc::new(Semaphore::new(AT_ONCE))) else {
            return;
        };
        let Ok(channel) = self.open_channel(0, Some(self.victim.owner), &identity).await else {
            return eprintln!("no channel for refusals");
        };
        let inlet = self.node.create_inlet("127.0.0.1:0", route![&channel, self.victim.outlet.as_str()]).await;
        let Ok(inlet) = inlet else { return eprintln!("no inlet for refusals") };
        let mut tasks = JoinSet::new();
        for _ in 0..REFUSALS {
            let Ok(permit) = permits.clone().acquire_owned().await else { return };
            let (attack, address) = (self.clone(), inlet.local_addr());
            tasks.spawn(async move {
                let _permit = permit;
                let Ok(mut stream) = TcpStream::connect(address).await else { return };
                let ended = timeout(ANSWER_TIMEOUT, stream.read_u8()).await;
                attack.counts.refusals.fetch_add(u64::from(matches!(ended, Ok(Err(_)))), Ordering::Relaxed);
            });
        }
        tasks.join_all().await;
    }
}
