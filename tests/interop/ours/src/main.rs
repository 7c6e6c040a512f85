//! A node of ours that obeys the same commands as `ockam-peer`, whose `node` module describes them.
//!
//! What differs: `reroute` is not there, because our initiators make a new channel instead: `keep ADDRESS ROUTE` keeps one
//! that does. `holds` tells how many connections, relays, channels and streams the node has. Only real nodes close
//! channels that others opened, have eager inlets and know the envelope of requests.

use anyhow::{Context as _, Result, anyhow, bail};
use postern_node::identity::{
    Attributes, ChangeHistory, CredentialAndPurposeKey, Identifier, Identity, Timestamp, TrustPolicy,
};
use postern_node::policy::{Policy, PolicyContext, Value};
use postern_node::portal::{InletRoute, OutletOptions};
use postern_node::relay::{RelayService, RelayServiceOptions};
use postern_node::request::{CredentialIssuer, RequestWorker};
use postern_node::session::{ChannelSession, CredentialSource, HubSession, State};
use postern_node::tcp::TcpConnection;
use postern_node::vault::{KeyKind, MemoryVault, Vault};
use postern_node::{
    Address, Context, Echoer, Limits, Message, Node, Origin, OriginId, Route, Routed, SecureChannel,
    SecureChannelListener, SecureChannelOptions, TcpListener, Worker, WorkerError, route,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::watch;
use zeroize::Zeroizing;

/// How long the credentials last that it issues.
const CREDENTIAL_LIFETIME: Duration = Duration::from_secs(600);
/// Where authorities issue credentials behind their channels.
const ISSUER_SERVICE: &str = "credential_issuer";
/// How long answers are waited for, unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(45);

#[tokio::main]
async fn main() {
    let mut peer = Peer::new();
    for command in std::env::args().skip(1) {
        answer(&mut peer, &command).await;
    }
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(command)) = lines.next_line().await {
        answer(&mut peer, &command).await;
    }
    peer.node.shutdown().await;
}

async fn answer(peer: &mut Peer, command: &str) {
    let mut words = command.split_ascii_whitespace();
    let Some(verb) = words.next() else { return };
    match peer.obey(verb, &words.collect::<Vec<_>>()).await {
        Ok(answer) => println!("{}", format!("{verb} {answer}").trim_end()),
        Err(error) => println!("failed {verb}: {}", format!("{error:#}").replace('\n', " ")),
    }
}

/// What comes in by this reaches what is exposed to it.
#[derive(Clone, Copy)]
struct Inbound(OriginId);

impl Origin for Inbound {
    fn origin(&self) -> OriginId {
        self.0
    }
}

/// A node, and what the commands so far have made.
struct Peer {
    node: Node,
    vault: Arc<MemoryVault>,
    me: Option<Identity>,
    inbound: Vec<Inbound>,
    connection: Option<TcpConnection>,
    options: SecureChannelOptions,
    listeners: Vec<SecureChannelListener>,
    channel: Option<SecureChannel>,
    facts: PolicyContext,
    kept: Option<Kept>,
}

/// A channel that is made anew when it is lost, for the node itself and for one inlet.
struct Kept {
    _hub: HubSession,
    state: watch::Receiver<State<SecureChannel>>,
    channel: Option<ChannelSession>,
}

impl Peer {
    fn new() -> Self {
        let vault = Arc::new(MemoryVault::in_memory());
        let mut options = SecureChannelOptions::trust_anyone();
        options.timeout = PATIENCE;
        Self {
            node: Node::with(vault.clone(), Limits::default()),
            vault,
            me: None,
            inbound: Vec::new(),
            connection: None,
            options,
            listeners: Vec::new(),
            channel: None,
            facts: PolicyContext::default(),
            kept: None,
        }
    }

    async fn obey(&mut self, verb: &str, words: &[&str]) -> Result<String> {
        let done = |()| String::new();
        match (verb, words) {
            ("identity", rest) => self.identity(rest.first().copied()).await,
            ("restore", [seed, history]) => self.restore(seed, history).await,
            ("rotate", []) => self.rotate().await,
            ("listen", []) => self.listen().await,
            ("hub", rest) => self.hub(rest.first().copied().unwrap_or_default()).map(done),
            ("connect", [address]) => self.connect(address).await.map(done),
            ("relay", rest) => self.relay(rest.first().copied()).await,
            ("only", [identifier]) => self.only(identifier).map(done),
            ("trust", [history]) => self.trust(history),
            ("issue", [history, attributes @ ..]) => self.issue(history, attributes).await,
            ("hold", [hex]) => {
                self.options.credentials = vec![credential(hex)?];
                Ok(String::new())
            }
            ("refresh", [hex]) => {
                self.channel()?.refresh(self.me()?, vec![credential(hex)?])?;
                Ok("1".into())
            }
            ("issuer", attributes) => self.issuer(attributes).map(done),
            ("member", [address, issuer]) => self.member(address, issuer).await.map(done),
            ("listener", [name]) => self.listener(name).await.map(done),
            ("channel", [route]) => self.open(route).await,
            ("keep", [address, route]) => self.keep(address, route).await,
            ("peer", [name]) => self.peer(name),
            ("close", []) => {
                self.channel()?.close();
                Ok(String::new())
            }
            ("channels", []) => Ok(self.node.stats().channels.get().to_string()),
            ("guard", [name, value]) => self.guard(name, value).map(done),
            ("fact", [name, kind, value]) => self.fact(name, kind, value).map(done),
            ("decide", rest) => self.decide(rest.first().copied().unwrap_or_default()),
            ("outlet", [target, policy @ ..]) => self.outlet(target, policy.first().copied()).map(done),
            ("inlet", []) => self.inlet().await,
            ("patience", [seconds]) => {
                self.options.timeout = Duration::from_secs(seconds.parse()?);
                Ok(String::new())
            }
            ("say", [worker, text @ ..]) => self.say(worker, text.join(" ")).map(done),
            ("echo", [count]) => self.echo(count.parse()?).await,
            ("ask", [worker, text @ ..]) => self.ask(worker, text.join(" ")).await,
            ("pour", [mebibytes]) => self.pour(mebibytes.parse()?).map(done),
            ("length", [count]) => self.ask("length", vec![7u8; count.parse()?]).await,
            ("holds", []) => {
                let stats = self.node.stats();
                let held = [&stats.connections, &stats.relays, &stats.channels, &stats.streams];
                Ok(held.map(|counter| counter.get().to_string()).join(" "))
            }
            _ => bail!("no such command"),
        }
    }

    fn me(&self) -> Result<&Identity> {
        self.me.as_ref().context("there is no identity")
    }

    async fn identity(&mut self, kind: Option<&str>) -> Result<String> {
        let key = match kind {
            None => self.vault.create_signing_key(KeyKind::Ed25519).await?,
            Some("p256") => self.vault.create_signing_key(KeyKind::P256).await?,
            Some(seed) => self.vault.import_ed25519_seed(unhex_seed(seed)?).await?,
        };
        let me = Identity::create_with_key(self.vault.clone(), key, Timestamp::now()).await?;
        let answer = format!("{} {}", me.identifier(), hex::encode(me.export()));
        self.me = Some(me);
        Ok(answer)
    }

    async fn restore(&mut self, seed: &str, history: &str) -> Result<String> {
        let key = self.vault.import_ed25519_seed(unhex_seed(seed)?).await?;
        let me = Identity::load(self.vault.clone(), key, &hex::decode(history)?).await?;
        let answer = me.identifier().to_string();
        self.me = Some(me);
        Ok(answer)
    }

    async fn rotate(&mut self) -> Result<String> {
        let me = self.me.as_mut().context("there is no identity")?;
        me.rotate(Timestamp::now()).await?;
        Ok(hex::encode(me.export()))
    }

    async fn listen(&mut self) -> Result<String> {
        let listener: TcpListener = self.node.tcp_listen("127.0.0.1:0").await?;
        self.inbound.push(Inbound(listener.origin()));
        Ok(listener.local_addr().to_string())
    }

    fn hub(&self, prefix: &str) -> Result<()> {
        let origins: Vec<OriginId> = self.inbound.iter().map(Origin::origin).collect();
        Ok(RelayService::start(
            &self.node,
            RelayServiceOptions { prefix: prefix.into(), ..Default::default() },
            &origins,
        )?)
    }

    async fn connect(&mut self, address: &str) -> Result<()> {
        let connection = self.node.tcp_connect(address).await?;
        self.inbound.push(Inbound(connection.origin()));
        self.connection = Some(connection);
        Ok(())
    }

    fn connection(&self) -> Result<&TcpConnection> {
        self.connection.as_ref().context("not connected")
    }

    async fn relay(&self, name: Option<&str>) -> Result<String> {
        Ok(self.node.create_relay(self.connection()?, name).await?.address().to_string())
    }

    fn only(&mut self, identifier: &str) -> Result<()> {
        let identifier: Identifier = identifier.parse()?;
        self.options.trust = SecureChannelOptions::trust_only([identifier]).trust;
        Ok(())
    }

    fn trust(&mut self, history: &str) -> Result<String> {
        let history = ChangeHistory::import(&hex::decode(history)?)?;
        let authority = self.node.known_identities().pin(history)?.identifier();
        self.options.authorities.insert(authority);
        Ok(authority.to_string())
    }

    async fn issue(&self, history: &str, attributes: &[&str]) -> Result<String> {
        let subject = ChangeHistory::import(&hex::decode(history)?)?.identifier();
        let about = about(attributes)?;
        let issued = self.me()?.issue_credential(subject, about, CREDENTIAL_LIFETIME, Timestamp::now()).await?;
        Ok(hex::encode(issued.encode()))
    }

    fn issuer(&self, attributes: &[&str]) -> Result<()> {
        let about = about(attributes)?;
        let issuer = CredentialIssuer::new(self.me()?.clone(), CREDENTIAL_LIFETIME, move |_| Some(about.clone()));
        self.node.start_worker(ISSUER_SERVICE, RequestWorker::new(issuer))?;
        self.listeners.iter().try_for_each(|listener| Ok(self.node.expose(ISSUER_SERVICE, listener)?))
    }

    async fn member(&mut self, address: &str, issuer: &str) -> Result<()> {
        let source = CredentialSource {
            issuer: issuer.parse()?,
            listener: route![Address::tcp(address), "listener"],
            service: ISSUER_SERVICE.into(),
        };
        let session = self.node.keep_credential(self.me()?, source);
        self.options.credentials = vec![session.up().await?.credential];
        Ok(())
    }

    async fn listener(&mut self, name: &str) -> Result<()> {
        let listener = self.node.create_secure_channel_listener(self.me()?, name, self.options.clone()).await?;
        for flow in &self.inbound {
            self.node.expose(name, flow)?;
        }
        if self.listeners.is_empty() {
            self.node.start_worker("echoer", Echoer)?;
            self.node.start_worker("length", Length)?;
            self.node.start_worker("whoami", WhoAmI)?;
            self.node.start_worker("counter", Counter::default())?;
        }
        for worker in ["echoer", "length", "whoami", "counter"] {
            self.node.expose(worker, &listener)?;
        }
        self.listeners.push(listener);
        Ok(())
    }

    async fn open(&mut self, route: &str) -> Result<String> {
        let mut way = Route::from(self.connection()?);
        way.append(&route.split('/').collect());
        let channel = self.node.create_secure_channel(self.me()?, way, self.options.clone()).await?;
        let peer = channel.peer().identifier.to_string();
        self.channel = Some(channel);
        Ok(peer)
    }

    async fn keep(&mut self, address: &str, route: &str) -> Result<String> {
        let hub = self.node.keep_connected(address, None);
        let route: Route = route.split('/').collect();
        let channel = self.node.keep_channel(&hub, self.me()?, route, self.options.clone()).await?;
        let peer = channel.up().await?.peer().identifier.to_string();
        self.kept = Some(Kept { _hub: hub, state: channel.watch(), channel: Some(channel) });
        Ok(peer)
    }

    fn channel(&self) -> Result<&SecureChannel> {
        self.channel.as_ref().context("there is no channel")
    }

    fn peer(&self, name: &str) -> Result<String> {
        let peer = self.channel()?.peer();
        let said = peer.attributes(Timestamp::now()).context("nothing is said")?;
        Ok(String::from_utf8(said.get(name).context("no such attribute")?.to_vec())?)
    }

    fn guard(&self, name: &str, value: &str) -> Result<()> {
        self.node.start_worker("guarded", Guarded { name: name.into(), value: value.into() })?;
        self.listeners.iter().try_for_each(|listener| Ok(self.node.expose("guarded", listener)?))
    }

    fn fact(&mut self, name: &str, kind: &str, value: &str) -> Result<()> {
        let value = match kind {
            "text" => Value::Text(value.into()),
            "texts" => Value::Sequence(value.split(',').map(Value::from).collect()),
            "integer" => Value::Integer(value.parse()?),
            "float" => Value::Float(value.parse()?),
            "bool" => Value::Bool(value.parse()?),
            _ => bail!("no such kind"),
        };
        self.facts = std::mem::take(&mut self.facts).with(name, value);
        Ok(())
    }

    fn decide(&self, policy: &str) -> Result<String> {
        let decided = match unhex_text(policy)?.parse::<Policy>() {
            Ok(policy) => policy.decide(&self.facts).map_or("undecided".into(), |decided| decided.to_string()),
            Err(_) => "unreadable".into(),
        };
        Ok(decided)
    }

    fn outlet(&self, target: &str, policy: Option<&str>) -> Result<()> {
        let allow = policy.map(telling).transpose()?;
        self.node.create_outlet("outlet", target, OutletOptions { allow, ..OutletOptions::default() })?;
        if self.listeners.is_empty() {
            self.inbound.iter().try_for_each(|flow| self.node.expose("outlet", flow))?;
        }
        self.listeners.iter().try_for_each(|listener| Ok(self.node.expose("outlet", listener)?))
    }

    async fn inlet(&mut self) -> Result<String> {
        let route = match self.kept.as_mut().and_then(|kept| kept.channel.take()) {
            Some(channel) => InletRoute::Kept(channel, "outlet".into()),
            None => self.behind("outlet")?.into(),
        };
        let inlet = self.node.create_inlet("127.0.0.1:0", route).await?;
        Ok(inlet.local_addr().to_string())
    }

    fn behind(&self, worker: &str) -> Result<Route> {
        let first = match (&self.kept, &self.channel) {
            (Some(kept), _) => Route::from(kept.state.borrow().up().context("the channel is down")?),
            (None, Some(channel)) => Route::from(channel),
            (None, None) => Route::from(self.connection()?),
        };
        Ok(first.then(worker))
    }

    async fn echo(&self, count: usize) -> Result<String> {
        for number in 0..count {
            let text = format!("{number} {}", "ö".repeat(number * 37 % 3000));
            let answer = self.ask("echoer", text.clone()).await?;
            if answer != text {
                return Err(anyhow!("`{answer}` is not what was sent"));
            }
        }
        Ok(count.to_string())
    }

    async fn ask(&self, worker: &str, message: impl Message) -> Result<String> {
        let (context, patience) = (self.node.context()?, self.options.timeout);
        Ok(context.send_and_receive_within::<String>(patience, self.behind(worker)?, message).await?.into_body())
    }

    fn pour(&self, mebibytes: usize) -> Result<()> {
        let (mut context, way) = (self.node.context()?, self.behind("counter")?);
        tokio::spawn(async move {
            for _ in 0..mebibytes * 16 {
                if let Err(error) = context.send(way.clone(), vec![7u8; 64 * 1024]).await {
                    return println!("failed pour: {error}");
                }
            }
            println!("poured {mebibytes}");
        });
        Ok(())
    }

    fn say(&self, worker: &str, text: String) -> Result<()> {
        let (context, way, patience) = (self.node.context()?, self.behind(worker)?, self.options.timeout);
        tokio::spawn(async move {
            if let Ok(answer) = context.send_and_receive_within::<String>(patience, way, text).await {
                println!("answered {}", answer.body());
            }
        });
        Ok(())
    }
}

/// `NAME=VALUE…`
fn about(attributes: &[&str]) -> Result<Attributes> {
    let mut about = Attributes::new(1);
    for attribute in attributes {
        let (name, value) = attribute.split_once('=').context("NAME=VALUE")?;
        about = about.with(name, value);
    }
    Ok(about)
}

fn unhex_text(text: &str) -> Result<String> {
    Ok(String::from_utf8(hex::decode(text)?)?)
}

/// A policy that tells what it decides.
fn telling(policy: &str) -> Result<TrustPolicy> {
    let policy = TrustPolicy::from(unhex_text(policy)?.parse::<Policy>()?);
    Ok(TrustPolicy::Attested(Arc::new(move |peer, attributes| {
        let allowed = policy.accepts_with(peer, attributes);
        println!("{} {peer}", if allowed { "allowed" } else { "denied" });
        allowed
    })))
}

fn unhex_seed(text: &str) -> Result<Zeroizing<[u8; 32]>> {
    let seed: Result<[u8; 32], _> = hex::decode(text)?.try_into();
    Ok(Zeroizing::new(seed.map_err(|_| anyhow!("a seed has 32 bytes"))?))
}

fn credential(text: &str) -> Result<CredentialAndPurposeKey> {
    Ok(CredentialAndPurposeKey::decode(&hex::decode(text)?)?)
}

/// Answers with the length of the bytes it gets.
struct Length;

impl Worker for Length {
    type Message = Vec<u8>;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<Vec<u8>>) -> Result<(), WorkerError> {
        Ok(context.send(message.return_route().clone(), message.body().len().to_string()).await?)
    }
}

/// Answers with the identifier of whoever asks.
struct WhoAmI;

impl Worker for WhoAmI {
    type Message = Vec<u8>;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<Vec<u8>>) -> Result<(), WorkerError> {
        let peer = message.peer().map_or_else(|| "nobody".into(), ToString::to_string);
        Ok(context.send(message.return_route().clone(), peer).await?)
    }
}

/// Counts the bytes that it gets, and tells every mebibyte as `counted NUMBER`.
#[derive(Default)]
struct Counter(usize);

impl Worker for Counter {
    type Message = Vec<u8>;

    async fn handle_message(&mut self, _: &mut Context, message: Routed<Vec<u8>>) -> Result<(), WorkerError> {
        let before = self.0 >> 20;
        self.0 += message.body().len();
        (before + 1..=self.0 >> 20).for_each(|mebibyte| println!("counted {mebibyte}"));
        Ok(())
    }
}

/// Echoes for those of whom an authority says the right thing.
struct Guarded {
    name: String,
    value: String,
}

impl Worker for Guarded {
    type Message = String;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<String>) -> Result<(), WorkerError> {
        let said = message.attributes().and_then(|attributes| attributes.get(&self.name));
        let allowed = said == Some(self.value.as_bytes());
        let peer = message.peer().map_or_else(|| "nobody".into(), ToString::to_string);
        println!("{} {peer}", if allowed { "allowed" } else { "denied" });
        match allowed {
            true => Ok(context.send(message.return_route().clone(), message.into_body()).await?),
            false => Ok(()),
        }
    }
}
