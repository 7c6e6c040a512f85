//! The commands.
//!
//! ```text
//! identity [p256 | SEED]     identity I… HISTORY      a new identity; the same SEED gives the same key
//! restore SEED HISTORY       restore I…               the identity with that key, as its history says
//! rotate                     rotate HISTORY           replaces its key
//! listen                     listen ADDRESS           accepts TCP connections on a free port
//! hub [PREFIX]               hub                      relays for whoever connects
//! connect ADDRESS            connect                  what follows goes through this connection
//! relay [NAME]               relay ADDRESS            registers one at the hub that it is connected to
//! only I…                    only                     channels from here on are with this identity or nobody
//! trust HISTORY              trust I…                 channels from here on believe this authority
//! issue HISTORY NAME=VALUE…  issue CREDENTIAL         says this about an identity
//! hold CREDENTIAL            hold                     channels from here on present it
//! refresh CREDENTIAL         refresh N                N open channels present it
//! issuer NAME=VALUE…         issuer                   issues credentials that say this to whoever asks behind the listener
//! member ADDRESS I…          member                   channels from here on present the credential of the issuer at that address
//! listener NAME              listener                 accepts channels; echoer, length, whoami are behind it
//! channel ROUTE              channel I…               opens one; what follows goes through it
//! peer NAME                  peer VALUE               what the authority says about who is at its other end
//! close                      close                    closes it, or without one any that others opened
//! channels                   channels N               how many are open
//! session ADDRESS ROUTE [RELAY]  session              keeps a channel of its own alive, and a relay through it
//! reroute ADDRESS            reroute                  connects anew and goes on with the same channel
//! guard NAME VALUE           guard                    an echoer at `guarded` for those with this attribute
//! fact NAME KIND VALUE       fact                     `text`, `texts`, `integer`, `float` or `bool`
//! decide POLICY              decide DECISION          by the facts: true, false, undecided, unreadable
//! outlet ADDRESS [POLICY]    outlet                   behind the listener, or the TCP listener when there is none
//! inlet [eager]              inlet ADDRESS            to the outlet at the other end; `eager` waits for no Pong
//! echo N                     echo N                   that many texts come back as they were
//! ask WORKER [TEXT]          ask TEXT                 what it answers
//! say WORKER [TEXT]          say                      the same without waiting; the answer is told as `answered TEXT`
//! length N                   length N                 what the other end takes for the length of N bytes
//! pour N                     pour                     N MiB to the other end's counter, in messages of 64 KiB; `poured N` when
//!                                                     all are sent, and `counted N` there for every MiB that came
//! patience SECONDS           patience                 how long answers and handshakes are waited for from here on
//! request METHOD PATH [TEXT] request HEX              a request to a service of the kind that issues credentials
//! understand HEX             understand METHOD PATH [TEXT]    what such a request asks
//! grant HEX TEXT             grant HEX                what such a service answers to this request
//! forbid HEX TEXT            forbid HEX               what it answers when it does not want to
//! ```
//!
//! Routes are written `a/b/c` and begin behind the connection. Policies are written in hex.

use crate::credential::{Held, Presenting};
use crate::envelope;
use crate::issuing::{self, Issuer};
use crate::session::Session;
use crate::workers::{Counter, Echoer, Length, Telling, WhoAmI};
use ockam::abac::{Env, Expr, IncomingAbac, PolicyExpression, eval, expr};
use ockam::access_control::{AllowAll, DenyAll};
use ockam::flow_control::FlowControlId;
use ockam::identity::models::CredentialAndPurposeKey;
use ockam::identity::utils::AttributesBuilder;
use ockam::identity::{
    Identifier, RemoteCredentialRetrieverCreator, SecureChannel, SecureChannelListenerOptions, SecureChannelOptions,
    TrustIdentifierPolicy, Vault,
};
use ockam::remote::RemoteRelayOptions;
use ockam::tcp::{
    TcpConnection, TcpConnectionOptions, TcpInletOptions, TcpListenerOptions, TcpOutletOptions, TcpTransport,
};
use ockam::transport::HostnamePort;
use ockam::vault::{EdDSACurve25519SecretKey, SigningKeyType, SigningSecret, SoftwareVaultForSigning};
use ockam::{
    Address, Context, Message, MessageSendReceiveOptions, Node, RelayService, RelayServiceOptions, Route, route,
};
use ockam_core::errcode::{Kind, Origin};
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// How long answers and handshakes are waited for, unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(45);
/// How long the credentials last that it issues.
const CREDENTIAL_LIFETIME: Duration = Duration::from_secs(600);

pub(crate) type Result<T, E = ockam::Error> = std::result::Result<T, E>;

/// A node, and what the commands so far have made.
pub(crate) struct Peer {
    node: Node,
    tcp: Arc<TcpTransport>,
    signing: Arc<SoftwareVaultForSigning>,
    me: Option<Identifier>,
    /// What comes in by these reaches what is exposed.
    inbound: Vec<FlowControlId>,
    connection: Option<TcpConnection>,
    only: Option<Identifier>,
    authority: Option<Identifier>,
    held: Option<Arc<Held>>,
    /// What channels present instead.
    member: Option<Arc<RemoteCredentialRetrieverCreator>>,
    listeners: Vec<FlowControlId>,
    channel: Option<SecureChannel>,
    patience: Duration,
    facts: Env,
}

/// An error in the test's own commands.
pub(crate) fn wrong(what: impl Display) -> ockam::Error {
    ockam::Error::new(Origin::Application, Kind::Invalid, what.to_string())
}

fn unhex(text: &str) -> Result<Vec<u8>> {
    hex::decode(text).map_err(wrong)
}

fn unhex_text(text: &str) -> Result<String> {
    String::from_utf8(unhex(text)?).map_err(wrong)
}

fn credential(text: &str) -> Result<CredentialAndPurposeKey> {
    CredentialAndPurposeKey::decode_from_string(text)
}

impl Peer {
    pub(crate) async fn new(context: &Context) -> Result<Self> {
        let signing = SoftwareVaultForSigning::create().await?;
        let vault = Vault::new(
            signing.clone(),
            Vault::create_secure_channel_vault().await?,
            Vault::create_credential_vault().await?,
            Vault::create_verifying_vault(),
        );
        Ok(Self {
            node: Node::builder().await?.with_vault(vault).build(context)?,
            tcp: TcpTransport::get_or_create(context)?,
            signing,
            me: None,
            inbound: Vec::new(),
            connection: None,
            only: None,
            authority: None,
            held: None,
            member: None,
            listeners: Vec::new(),
            channel: None,
            patience: PATIENCE,
            facts: Env::new(),
        })
    }

    pub(crate) async fn obey(&mut self, verb: &str, words: &[&str]) -> Result<String> {
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
            ("trust", [history]) => self.trust(history).await,
            ("issue", [history, attributes @ ..]) => self.issue(history, attributes).await,
            ("hold", [hex]) => {
                self.held = Some(Held::new(credential(hex)?));
                Ok(String::new())
            }
            ("refresh", [hex]) => self.refresh(hex).await,
            ("issuer", attributes) => self.issuer(attributes).map(done),
            ("member", [address, issuer]) => {
                let channels = self.node.secure_channels();
                let retriever = issuing::retriever(self.detached()?, self.tcp.clone(), channels, (address, issuer))?;
                self.member = Some(retriever);
                Ok(String::new())
            }
            ("listener", [name]) => self.listener(name).map(done),
            ("channel", [route]) => self.open(route).await,
            ("session", [address, route, relay @ ..]) => self.session(address, route, relay.first()).await.map(done),
            ("peer", [name]) => self.peer(name).await,
            ("close", []) => self.close().map(done),
            ("request", [method, path, text @ ..]) => envelope::request(method, path, text.first().copied()),
            ("understand", [request]) => envelope::understand(&unhex(request)?),
            ("grant", [request, text]) => envelope::grant(&unhex(request)?, text),
            ("forbid", [request, text]) => envelope::forbid(&unhex(request)?, text),
            ("channels", []) => {
                Ok(self.node.secure_channels().secure_channel_registry().get_channel_list().len().to_string())
            }
            ("reroute", [address]) => self.reroute(address).await.map(done),
            ("guard", [name, value]) => self.guard(name, value).map(done),
            ("fact", [name, kind, value]) => self.fact(name, kind, value).map(done),
            ("decide", rest) => self.decide(rest.first().copied().unwrap_or_default()),
            ("outlet", [target, policy @ ..]) => self.outlet(target, policy.first().copied()).map(done),
            ("inlet", []) => self.inlet(TcpInletOptions::new()).await,
            ("inlet", ["eager"]) => self.inlet(TcpInletOptions::new().skip_handshake()).await,
            ("patience", [seconds]) => {
                self.patience = Duration::from_secs(seconds.parse().map_err(wrong)?);
                Ok(String::new())
            }
            ("say", [worker, text @ ..]) => self.say(worker, text.join(" ")).map(done),
            ("echo", [count]) => self.echo(count.parse().map_err(wrong)?).await,
            ("ask", [worker, text @ ..]) => self.ask(worker, text.join(" ")).await,
            ("pour", [mebibytes]) => self.pour(mebibytes.parse().map_err(wrong)?).map(done),
            ("length", [count]) => self.ask("length", vec![7u8; count.parse().map_err(wrong)?]).await,
            _ => Err(wrong("no such command")),
        }
    }

    fn me(&self) -> Result<&Identifier> {
        self.me.as_ref().ok_or_else(|| wrong("there is no identity"))
    }

    async fn history(&self, identifier: &Identifier) -> Result<String> {
        self.node.identities_verification().get_identity(identifier).await?.export_as_string()
    }

    async fn identity(&mut self, kind: Option<&str>) -> Result<String> {
        let builder = self.node.identities_creation().identity_builder();
        let builder = match kind {
            None => builder,
            Some("p256") => builder.with_random_key(SigningKeyType::ECDSASHA256CurveP256),
            Some(seed) => builder.with_existing_key(self.import(seed).await?),
        };
        let me = builder.build().await?;
        let history = self.history(&me).await?;
        self.me = Some(me.clone());
        Ok(format!("{me} {history}"))
    }

    async fn import(&self, seed: &str) -> Result<ockam::vault::SigningSecretKeyHandle> {
        let seed = unhex(seed)?.try_into().map_err(|_| wrong("a seed has 32 bytes"))?;
        self.signing.import_key(SigningSecret::EdDSACurve25519(EdDSACurve25519SecretKey::new(seed))).await
    }

    async fn restore(&mut self, seed: &str, history: &str) -> Result<String> {
        let key = self.import(seed).await?;
        let me = self.node.import_private_identity(None, &unhex(history)?, &key).await?;
        self.me = Some(me.clone());
        Ok(me.to_string())
    }

    async fn rotate(&mut self) -> Result<String> {
        let me = self.me()?.clone();
        self.node.identities_creation().rotate_identity(&me).await?;
        self.node.create_secure_channel_key(&me).await?;
        self.history(&me).await
    }

    async fn listen(&mut self) -> Result<String> {
        let listener = self.tcp.listen("127.0.0.1:0", TcpListenerOptions::new()).await?;
        self.inbound.push(listener.flow_control_id().clone());
        Ok(listener.socket_address().to_string())
    }

    fn hub(&self, prefix: &str) -> Result<()> {
        let flow = self.inbound.first().ok_or_else(|| wrong("a hub must listen"))?;
        let options = RelayServiceOptions::new().alias("static_forwarding_service").prefix(prefix);
        let options = options.service_as_consumer(flow).relay_as_consumer(flow);
        RelayService::create(self.node.context(), "forwarding_service", options)
    }

    async fn connect(&mut self, address: &str) -> Result<()> {
        let connection = self.tcp.connect(address, TcpConnectionOptions::new()).await?;
        self.inbound.push(connection.flow_control_id().clone());
        self.connection = Some(connection);
        Ok(())
    }

    fn connection(&self) -> Result<TcpConnection> {
        self.connection.clone().ok_or_else(|| wrong("not connected"))
    }

    async fn relay(&self, name: Option<&str>) -> Result<String> {
        let (hub, options) = (self.connection()?, RemoteRelayOptions::new());
        let relay = match name {
            Some(name) => self.node.create_static_relay(hub, name, options).await?,
            None => self.node.create_relay(hub, options).await?,
        };
        Ok(relay.remote_address().to_string())
    }

    fn only(&mut self, identifier: &str) -> Result<()> {
        self.only = Some(identifier.try_into()?);
        Ok(())
    }

    async fn trust(&mut self, history: &str) -> Result<String> {
        let authority = self.node.import_identity_hex(None, history).await?;
        self.authority = Some(authority.clone());
        Ok(authority.to_string())
    }

    async fn issue(&self, history: &str, attributes: &[&str]) -> Result<String> {
        let subject = self.node.import_identity_hex(None, history).await?;
        let creation = self.node.credentials().credentials_creation();
        let about = about(attributes)?;
        let issued = creation.issue_credential(self.me()?, &subject, about, CREDENTIAL_LIFETIME).await?;
        issued.encode_as_string()
    }

    fn issuer(&self, attributes: &[&str]) -> Result<()> {
        let credentials = self.node.credentials().credentials_creation();
        let issuer = Issuer { credentials, me: self.me()?.clone(), attributes: about(attributes)? };
        self.node.start_worker(issuing::SERVICE, issuer)?;
        for flow in &self.listeners {
            self.node.flow_controls().add_consumer(&issuing::SERVICE.into(), flow);
        }
        Ok(())
    }

    async fn refresh(&self, hex: &str) -> Result<String> {
        let held = self.held.as_ref().ok_or_else(|| wrong("nothing is held"))?;
        Ok(held.replace(&self.detached()?, credential(hex)?).await?.to_string())
    }

    fn listener(&mut self, name: &str) -> Result<()> {
        let mut options = SecureChannelListenerOptions::new();
        for flow in &self.inbound {
            options = options.as_consumer(flow);
        }
        if let Some(only) = &self.only {
            options = options.with_trust_policy(TrustIdentifierPolicy::new(only.clone()));
        }
        if let Some(authority) = &self.authority {
            options = options.with_authority(authority.clone());
        }
        if let Some(held) = &self.held {
            options = options.with_credential_retriever_creator(Arc::new(Presenting(held.clone())))?;
        }
        let listener = self.node.create_secure_channel_listener(self.me()?, name, options)?;
        let flow = listener.flow_control_id();
        if self.listeners.is_empty() {
            self.node.start_worker("echoer", Echoer)?;
            self.node.start_worker("length", Length)?;
            self.node.start_worker("whoami", WhoAmI)?;
            self.node.start_worker("counter", Counter::default())?;
        }
        for worker in ["echoer", "length", "whoami", "counter"] {
            self.node.flow_controls().add_consumer(&worker.into(), flow);
        }
        self.listeners.push(flow.clone());
        Ok(())
    }

    async fn open(&mut self, route: &str) -> Result<String> {
        let mut options = SecureChannelOptions::new().with_timeout(self.patience);
        if let Some(only) = &self.only {
            options = options.with_trust_policy(TrustIdentifierPolicy::new(only.clone()));
        }
        if let Some(authority) = &self.authority {
            options = options.with_authority(authority.clone());
        }
        if let Some(held) = &self.held {
            options = options.with_credential_retriever_creator(Arc::new(Presenting(held.clone())))?;
        }
        if let Some(member) = &self.member {
            options = options.with_credential_retriever_creator(member.clone())?;
        }
        let way = route![self.connection()?] + hops(route);
        let channel = self.node.create_secure_channel(self.me()?, way, options).await?;
        let peer = channel.their_identifier().to_string();
        self.channel = Some(channel);
        Ok(peer)
    }

    async fn session(&self, address: &str, route: &str, relay: Option<&&str>) -> Result<()> {
        let session = Session {
            context: self.detached()?,
            channels: self.node.secure_channels(),
            tcp: self.tcp.clone(),
            me: self.me()?.clone(),
            address: address.into(),
            route: hops(route),
            relay: relay.map(|name| (*name).into()),
        };
        session.start().await
    }

    fn channel(&self) -> Result<SecureChannel> {
        self.channel.clone().ok_or_else(|| wrong("there is no channel"))
    }

    async fn peer(&self, name: &str) -> Result<String> {
        let authority = self.authority.as_ref().ok_or_else(|| wrong("there is no authority"))?;
        let attributes = self.node.identities_attributes();
        let said = attributes.get_attributes(self.channel()?.their_identifier(), authority).await?;
        let said = said.ok_or_else(|| wrong("nothing is said"))?;
        let value = said.attrs().get(name.as_bytes()).ok_or_else(|| wrong("no such attribute"))?;
        String::from_utf8(value.clone()).map_err(wrong)
    }

    fn close(&self) -> Result<()> {
        let channels = self.node.secure_channels();
        let address = match &self.channel {
            Some(channel) => channel.encryptor_address().clone(),
            None => {
                let open = channels.secure_channel_registry().get_channel_list();
                open.first().ok_or_else(|| wrong("there is no channel"))?.encryptor_messaging_address().clone()
            }
        };
        channels.stop_secure_channel(self.node.context(), &address)
    }

    async fn reroute(&mut self, address: &str) -> Result<()> {
        self.connect(address).await?;
        self.channel()?.update_remote_node_route(route![self.connection()?])
    }

    fn guard(&self, name: &str, value: &str) -> Result<()> {
        let attributes = self.node.identities_attributes();
        let policy = IncomingAbac::create_name_value(attributes, self.authority.clone(), name, value);
        self.node.start_worker_with_access_control("guarded", Echoer, Telling(policy), AllowAll)?;
        for flow in &self.listeners {
            self.node.flow_controls().add_consumer(&"guarded".into(), flow);
        }
        Ok(())
    }

    fn fact(&mut self, name: &str, kind: &str, value: &str) -> Result<()> {
        let value = match kind {
            "text" => expr::str(value),
            "texts" => expr::seq(value.split(',').map(expr::str)),
            "integer" => Expr::Int(value.parse().map_err(wrong)?),
            "float" => Expr::Float(value.parse().map_err(wrong)?),
            "bool" => Expr::Bool(value.parse().map_err(wrong)?),
            _ => return Err(wrong("no such kind")),
        };
        self.facts.put(name, value);
        Ok(())
    }

    fn decide(&self, policy: &str) -> Result<String> {
        let decided = match PolicyExpression::from_str(&unhex_text(policy)?) {
            Ok(policy) => match eval(&policy.to_expression(), &self.facts) {
                Ok(Expr::Bool(decided)) => decided.to_string(),
                _ => "undecided".into(),
            },
            Err(_) => "unreadable".into(),
        };
        Ok(decided)
    }

    fn outlet(&self, target: &str, policy: Option<&str>) -> Result<()> {
        let mut options = TcpOutletOptions::new();
        if let Some(policy) = policy {
            let policy = PolicyExpression::from_str(&unhex_text(policy)?).map_err(wrong)?.to_expression();
            let attributes = self.node.identities_attributes();
            let policy = IncomingAbac::create(attributes, self.authority.clone(), policy);
            options = options.with_incoming_access_control(Arc::new(Telling(policy)));
        }
        for flow in if self.listeners.is_empty() { &self.inbound } else { &self.listeners } {
            options = options.as_consumer(flow);
        }
        self.tcp.create_outlet("outlet", target.parse::<HostnamePort>()?, options)
    }

    async fn inlet(&self, options: TcpInletOptions) -> Result<String> {
        let inlet = self.tcp.create_inlet("127.0.0.1:0", self.behind("outlet")?, options).await?;
        Ok(inlet.socket_address().to_string())
    }

    /// The way to a worker at the other end: through the channel, or the connection when there is none.
    fn behind(&self, worker: &str) -> Result<Route> {
        Ok(match &self.channel {
            Some(channel) => route![channel.clone(), worker],
            None => route![self.connection()?, worker],
        })
    }

    async fn echo(&self, count: usize) -> Result<String> {
        for number in 0..count {
            let text = format!("{number} {}", "ö".repeat(number * 37 % 3000));
            let answer = self.ask("echoer", text.clone()).await?;
            if answer != text {
                return Err(wrong(format!("`{answer}` is not what was sent")));
            }
        }
        Ok(count.to_string())
    }

    async fn ask(&self, worker: &str, message: impl Message) -> Result<String> {
        let options = MessageSendReceiveOptions::new().with_timeout(self.patience);
        self.node.send_and_receive_extended::<String>(self.behind(worker)?, message, options).await?.into_body()
    }

    fn say(&self, worker: &str, text: String) -> Result<()> {
        let options = MessageSendReceiveOptions::new().with_timeout(self.patience);
        let (context, way) = (self.detached()?, self.behind(worker)?);
        tokio::spawn(async move {
            let answer = context.send_and_receive_extended::<_, String>(way, text, options).await;
            if let Ok(answer) = answer.and_then(|answer| answer.into_body()) {
                println!("answered {answer}");
            }
        });
        Ok(())
    }

    fn pour(&self, mebibytes: usize) -> Result<()> {
        let (context, way) = (self.detached()?, self.behind("counter")?);
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

    fn detached(&self) -> Result<Context> {
        self.node.context().new_detached(Address::random_local(), DenyAll, AllowAll)
    }
}

/// `NAME=VALUE…`
fn about(attributes: &[&str]) -> Result<ockam::identity::models::Attributes> {
    let mut builder = AttributesBuilder::with_schema(ockam::identity::models::CredentialSchemaIdentifier(1));
    for attribute in attributes {
        let (name, value) = attribute.split_once('=').ok_or_else(|| wrong("NAME=VALUE"))?;
        builder = builder.with_attribute(name, value);
    }
    Ok(builder.build())
}

fn hops(route: &str) -> Route {
    Route::create(route.split('/').collect())
}
