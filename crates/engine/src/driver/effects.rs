//! Executing the effects of the core, in order.
//!
//! In: effects. Out: writes to the store, which are awaited; everything else is started and reports back as an event. When
//! something cannot be saved, nothing behind it is executed.

use super::Driver;
use super::clock;
use super::direct_listener::DirectListener;
use super::inlet_path::InletSpec;
use super::outlets;
use super::peer_network::PeerNetwork;
use crate::api::Fault;
use crate::core::{Effect, Event, Now};
use crate::peer::PeerResponse;

/// Name of the setting that holds the port this computer listens on. Part of the stored format.
const LISTEN_PORT: &str = "listen-port";

impl Driver {
    /// Executes effects.
    ///
    /// # Errors
    /// Something cannot be saved; the engine must stop.
    pub(super) async fn execute(&mut self, effects: Vec<Effect>, now: Now) -> Result<(), Fault> {
        for effect in effects {
            match effect {
                Effect::Save(changes) => self.save(&changes).await?,
                Effect::Audit(event) => self.unwritten_audit.push((now.wall, event)),
                Effect::Answer(request, answer) => self.answers.push((request, answer)),
                // Nobody may be subscribed.
                Effect::Notify(notice) => drop(self.frontends.notices.send(notice)),
                Effect::CreateIdentity => self.load_identity(true),
                Effect::LoadIdentity => self.load_identity(false),
                effect => self.execute_on_network(effect, now).await?,
            }
        }
        Ok(())
    }

    /// Executes an effect that needs the node.
    async fn execute_on_network(&mut self, effect: Effect, now: Now) -> Result<(), Fault> {
        let Some(network) = self.network.clone() else {
            tracing::error!("an effect needs an identity, and none is loaded; it is dropped");
            return Ok(());
        };
        match effect {
            Effect::Listen(on) => self.listen(&network, on).await?,
            Effect::KeepHub(address) => {
                let is_pinned = self.state.has_pinned_hub(&address);
                network.keep_hub(address, is_pinned);
            }
            Effect::DropHub(address) => network.drop_hub(&address),
            Effect::KeepOutlet { service, target } => self.outlets.keep(&network.context, service, target),
            Effect::DropOutlet(service) => {
                network.context.contacts.remove(service);
                self.outlets.remove(service, now.wall);
            }
            Effect::SetAdmission { service, rules } => {
                network.context.contacts.set(service, &rules);
                self.outlets.set_admission(service, rules, clock::wall());
            }
            Effect::CheckTarget(service, target) => {
                let context = network.context.clone();
                network
                    .context
                    .spawn(async move { context.emit(outlets::check(&context.node, service, target).await).await });
            }
            Effect::KeepInlet { inlet, owner, reach, outlet, port, host } => {
                self.inlets.keep(&network.dialer, InletSpec { inlet, owner, addresses: reach, outlet, port, host });
            }
            Effect::DescribeInlet(inlet, description) => self.inlets.describe(inlet, description),
            Effect::ReopenInlet(inlet) => self.inlets.reopen(inlet),
            Effect::DropInlet(inlet) => {
                if let Some(bytes) = self.inlets.remove(inlet) {
                    self.enqueue(Event::TrafficCarried { grants: Vec::new(), inlets: vec![(inlet, bytes)] });
                }
            }
            Effect::Call { call, to, reach, message } => {
                let (context, rpc) = (network.context.clone(), network.rpc);
                network.context.spawn(async move {
                    let mut response = rpc.call(to, &reach, &message).await;
                    if let Some(info) = response.as_mut().ok().and_then(PeerResponse::contact_mut) {
                        context.check_postal(to, info).await;
                    }
                    context.emit(Event::CallAnswered(call, response)).await;
                });
            }
            Effect::Reply(call, response) => network.server.reply(call, &response),
            Effect::NotifyPeer(peer, notification) => network.server.notify(peer, &notification),
            Effect::PinHistories(encoded) => network.context.pin_histories(&encoded),
            Effect::SendMail { mail, person, to, hubs, news } => {
                let (context, transport) = (network.context.clone(), network.mail);
                network.context.spawn(async move {
                    let posted = transport.send(person, &to, &hubs, &news).await;
                    context.emit(Event::MailPosted(mail, posted)).await;
                });
            }
            Effect::CloseChannels(peer) => network.rpc.close_channel(peer),
            Effect::CutOff(peer) => {
                network.rpc.close_channel(peer);
                network.context.listener.close_channels_with(&peer);
            }
            Effect::RetryNow => network.retry_now(),
            // Executed without the network.
            Effect::Save(_)
            | Effect::Audit(_)
            | Effect::Answer(..)
            | Effect::Notify(_)
            | Effect::CreateIdentity
            | Effect::LoadIdentity => {}
        }
        Ok(())
    }

    /// Listens for direct connections of peers, or no longer.
    async fn listen(&mut self, network: &PeerNetwork, on: bool) -> Result<(), Fault> {
        self.direct_listener = None;
        if !on {
            return Ok(());
        }
        let stored = self.store.setting(LISTEN_PORT).await.ok().flatten().and_then(|port| port.parse().ok());
        let listening = match DirectListener::start(&network.context, &self.listen_address, stored).await {
            Err(fault) => Err(fault),
            Ok(mut listener) => {
                if let Some(port) = listener.chosen_port().filter(|port| Some(*port) != stored) {
                    let set = self.store.set(LISTEN_PORT, &port.to_string()).await;
                    // The next start may listen on another port, which friends are then told.
                    self.unless_passing(set).await?;
                }
                let addresses = listener.changed_addresses().unwrap_or_default();
                self.direct_listener = Some(listener);
                Ok(addresses)
            }
        };
        self.enqueue(Event::Listening(listening));
        Ok(())
    }
}
