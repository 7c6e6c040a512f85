//! Carrying out what the heart wants done, in order.

use super::direct_listener::DirectListener;
use super::inlets::InletSpec;
use super::mail_transport::MailTransport;
use super::node_context::NodeContext;
use super::{Runner, clock, outlets};
use crate::api::{Code, Fault};
use crate::core::{Effect, Event, Now, OwnIdentity};
use crate::identity::IdentityStore;
use crate::store::{FILE, StoreError};
use postern_node::identity::{Error as IdentityError, Identity};
use postern_node::sealed::PostalKey;
use postern_node::{Limits, Node};

/// The name under which the port that this computer listens on is remembered.
const LISTEN_PORT: &str = "listen-port";
/// What the key is for that seals the secrets of tickets.
const TICKETS: &[u8] = b"postern tickets 1";

impl Runner {
    /// Does everything, in order. When something cannot be saved, what stands behind it is not done.
    pub(super) async fn carry_out(&mut self, effects: Vec<Effect>, now: Now) -> Result<(), Fault> {
        for effect in effects {
            match effect {
                Effect::Save(changes) => self.save(&changes).await?,
                Effect::Audit(deed) => self.unwritten.push((now.wall, deed)),
                Effect::Answer(request, answer) => self.answers.push((request, answer)),
                Effect::Notify(notice) => drop(self.faces.notices.send(notice)),
                Effect::CreateIdentity => self.find_identity(true),
                Effect::LoadIdentity => self.find_identity(false),
                effect => self.do_with_net(effect, now).await?,
            }
        }
        Ok(())
    }

    /// What needs the node.
    async fn do_with_net(&mut self, effect: Effect, now: Now) -> Result<(), Fault> {
        let Some(net) = self.net.clone() else {
            tracing::error!("something is to be done before there is an identity");
            return Ok(());
        };
        match effect {
            Effect::Listen(on) => self.listen(&net, on).await?,
            Effect::KeepHub(address) => net.hubs.keep(&net, address),
            Effect::DropHub(address) => net.hubs.drop_hub(&address),
            Effect::KeepOutlet { service, target } => self.outlets.keep(&net, service, target),
            Effect::DropOutlet(service) => self.outlets.drop_outlet(service, now.wall),
            Effect::SetAdmission { service, rules } => self.outlets.permit(service, rules, clock::wall()),
            Effect::CheckTarget(service, target) => {
                let told = net.clone();
                net.spawn(async move { told.tell(outlets::check(service, target).await).await });
            }
            Effect::KeepInlet { inlet, owner, reach, outlet, port } => {
                self.inlets.keep(&net, InletSpec { inlet, owner, reach, outlet, port });
            }
            Effect::ReopenInlet(inlet) => self.inlets.reopen(inlet),
            Effect::DropInlet(inlet) => {
                if let Some(bytes) = self.inlets.drop_inlet(inlet) {
                    self.say(Event::TrafficCarried { grants: Vec::new(), inlets: vec![(inlet, bytes)] });
                }
            }
            Effect::Call { call, to, reach, message } => {
                let asking = net.clone();
                net.spawn(async move {
                    let answer = asking.calls.call(&asking, to, &reach, &message).await;
                    asking.tell(Event::CallAnswered(call, answer)).await;
                });
            }
            Effect::Reply(call, answer) => net.calls.reply(&net, call, &answer),
            Effect::NotifyPeer(person, news) => net.calls.push(&net, person, &news),
            Effect::SendMail { mail, to, hubs, news } => {
                let posting = net.clone();
                net.spawn(async move {
                    let posted = posting.post.send(&posting, &to, &hubs, &news).await;
                    posting.tell(Event::MailPosted(mail, posted)).await;
                });
            }
            Effect::CloseChannels(person) => net.calls.cut(person),
            Effect::RetryNow => net.nudge(),
            Effect::Save(_)
            | Effect::Audit(_)
            | Effect::Answer(..)
            | Effect::Notify(_)
            | Effect::CreateIdentity
            | Effect::LoadIdentity => {}
        }
        Ok(())
    }

    async fn listen(&mut self, net: &NodeContext, on: bool) -> Result<(), Fault> {
        self.listening = None;
        if !on {
            return Ok(());
        }
        let remembered = self.store.setting(LISTEN_PORT).await.ok().flatten().and_then(|port| port.parse().ok());
        let told = match DirectListener::start(net, &self.listen, remembered).await {
            Err(fault) => Err(fault),
            Ok(mut listening) => {
                if let Some(port) = listening.port_to_remember().filter(|port| Some(*port) != remembered) {
                    let set = self.store.set(LISTEN_PORT, &port.to_string()).await;
                    set.map_err(|error| error.fault(&self.data_dir))?;
                }
                let addresses = listening.news().unwrap_or_default();
                self.listening = Some(listening);
                Ok(addresses)
            }
        };
        self.say(Event::Listening(told));
        Ok(())
    }

    /// Makes or loads the identity beside the runner: the keychain may ask the person.
    fn find_identity(&mut self, create: bool) {
        self.finding_identity = true;
        let (home, found) = (self.home.clone(), self.found.clone());
        let events = self.events.clone();
        tokio::spawn(async move {
            let _ = found.send(open_net(home, create, events).await).await;
        });
    }

    /// The identity is there, or cannot be.
    pub(super) async fn identity_found(&mut self, found: Result<NodeContext, Fault>, now: Now) -> Result<(), Fault> {
        let own = match found {
            Ok(net) => {
                let failed = |error: StoreError| error.fault(&self.data_dir.join(FILE));
                let key = net.post.self_sealing_key(TICKETS).map_err(|error| failed(error.into()))?;
                let secrets = match self.state.is_of(net.identity.identifier()) {
                    true => self.store.unlock(key).await.map_err(failed)?,
                    false => Vec::new(),
                };
                let own = OwnIdentity { identifier: net.identity.identifier(), postal: net.post.address(), secrets };
                if self.net.is_none() {
                    self.net = Some(net);
                }
                Ok(own)
            }
            Err(fault) => Err(fault),
        };
        self.hear(Event::Identity(own), now).await?;
        self.finding_identity = false;
        self.unread = true;
        for (request, answer) in std::mem::take(&mut self.early) {
            self.hand_to_core(request, answer, now).await?;
        }
        Ok(())
    }
}

async fn open_net(
    home: IdentityStore,
    create: bool,
    events: tokio::sync::mpsc::Sender<super::node_context::TaskEvent>,
) -> Result<NodeContext, Fault> {
    let identity = match create {
        true => home.load_or_create().await?,
        false => home.load().await?.ok_or_else(|| {
            Fault::new(
                Code::KeychainFailed,
                "The identity that the stored data belongs to is not there. Restore a backup, or choose another place.",
            )
        })?,
    };
    let key = postal_key(&home, &identity).await?;
    let node = Node::with(home.vault(), Limits::default());
    let cannot = |error: postern_node::Error| Fault::new(Code::Failed, format!("Postern cannot begin: {error}."));
    NodeContext::open(node, identity, MailTransport::new(key), events).await.map_err(cannot)
}

async fn postal_key(home: &IdentityStore, identity: &Identity) -> Result<PostalKey, Fault> {
    PostalKey::open(identity, home.keychain(), clock::timestamp()).await.map_err(|error| match error {
        IdentityError::Vault(error) => Fault::new(
            Code::KeychainFailed,
            format!("The keychain does not give the key for mail: {error}. Unlock it and try again."),
        ),
        error => Fault::new(Code::Failed, format!("The key for mail cannot be used: {error}.")),
    })
}
