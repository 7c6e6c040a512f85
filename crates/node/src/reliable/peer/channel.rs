//! The channel that a peer's task uses: made, replaced, lost, and what is sent over it.

use super::super::connector::{Connector, DeliveryPath, Suspicion, handshake_lifetime};
use super::super::current_channel::CurrentChannel;
use super::super::handler::Handler;
use super::super::protocol::{ChannelNotice, DELIVERY, Message};
use super::super::store::DeliveryStore;
use super::{HINT_RATE, Peer, RETRY_AFTER};
use crate::delivery::Delivery;
use crate::local_message::OwnedMessage;
use crate::origin::Origin;
use crate::route::Route;
use crate::secure_channel::{SecureChannel, SecureChannelOptions};
use crate::undeliverable::Undeliverable;
use postern_env::time;
use std::sync::Arc;
use tokio::sync::watch;

impl<S: DeliveryStore, H: Handler<S>> Peer<S, H> {
    pub(super) fn connect(&mut self, path: DeliveryPath) {
        let shared = &self.shared;
        let (suspect, suspicion) = watch::channel(Suspicion::default());
        let mut channel_options = SecureChannelOptions::trust_only([self.peer]);
        channel_options.timeout = handshake_lifetime(&path.0, &shared.options);
        let connector = Connector {
            core: shared.core.clone(),
            key: shared.channel_key.clone(),
            channel_options: Arc::new(channel_options),
            options: shared.options,
            path: path.0,
            suspicion,
            events: self.events.clone(),
        };
        // A connector of before ends, as nobody can tell it anything any more.
        self.suspicion = Some(suspect);
        let stop = shared.stop.clone();
        shared.core.spawn(async move {
            stop.run_until_cancelled(connector.run()).await;
        });
    }

    pub(super) fn on_opened(&mut self, channel: SecureChannel) {
        self.shared.core.router.expose(&DELIVERY.into(), channel.origin());
        let to_peer = Route::from(channel.address()).then(DELIVERY);
        let (address, ended) = (channel.address().clone(), channel.end());
        self.use_channel(CurrentChannel { address, to_peer, ended, own: Some(channel) });
    }

    /// Uses another channel from now on, and says Hello.
    pub(super) fn use_channel(&mut self, channel: CurrentChannel) {
        if let Some(old) = self.channel.replace(channel) {
            match old.own {
                Some(own) => own.close(),
                None => self.shared.core.router.close(&old.address),
            }
        }
        self.gate = None;
        self.sender.forget_channel();
        self.receiver.forget_channel();
        self.probe.progress();
        self.say_hello();
    }

    pub(super) fn say_hello(&mut self) {
        let hello = self.sender.hello();
        self.transmit(&hello);
    }

    pub(super) fn lose_channel(&mut self, reason: &str) {
        if self.channel.take().is_some() {
            self.state.connected_since = None;
            self.state.last_error = Some(reason.into());
            self.gate = None;
            self.sender.forget_channel();
            self.receiver.forget_channel();
            self.probe.progress();
            self.notify(&ChannelNotice::Waiting);
        }
    }

    /// Tells the initiator that there is no channel, where it is known how.
    pub(super) fn notify(&mut self, notice: &ChannelNotice) {
        let Some(route) = &self.notice_route else { return };
        let (onward, payload) = (route.clone(), notice.encode().into());
        let notice = OwnedMessage { onward, return_route: Route::new(), payload, source: None, completion: None };
        let sent = self.shared.core.router.dispatch_local(notice);
        if let Err(error) = sent.and_then(Delivery::flush_without_waiting) {
            tracing::debug!(%error, "the peer could not be notified");
        }
    }

    /// Sends a message over the channel.
    pub(super) fn transmit(&mut self, message: &Message) {
        let Some(channel) = &self.channel else { return };
        let (onward, payload) = (channel.to_peer.clone(), message.encode().into());
        let owned = OwnedMessage { onward, return_route: Route::new(), payload, source: None, completion: None };
        match self.shared.core.router.dispatch_local(owned).and_then(Delivery::flush_at_once) {
            Ok(gate) => self.gate = gate.filter(|gate| gate.is_closed()),
            Err(Undeliverable::Full) => {
                self.sender.lost(message);
                self.retry_at = Some(time::now() + RETRY_AFTER);
            }
            Err(Undeliverable::TooLarge) => tracing::warn!("the route of the channel takes no messages of this size"),
            Err(error) => self.lose_channel(&error.to_string()),
        }
    }

    /// Makes another channel, or asks the initiator to. The one that there is stays in use until then.
    pub(super) fn replace_channel(&mut self) {
        match (&self.suspicion, &self.channel) {
            (Some(suspicion), Some(channel)) => drop(suspicion.send_replace(Suspicion(Some(channel.address.clone())))),
            (Some(_), None) => {}
            (None, _) => self.notify(&ChannelNotice::Waiting),
        }
    }

    pub(super) fn on_hint(&mut self, notice: &ChannelNotice) {
        let Some(own) = self.channel.as_ref().and_then(|channel| channel.own.as_ref()) else { return };
        let concerns = match notice {
            ChannelNotice::NoChannelAt(address) => own.peer_address().value() == &address[..],
            ChannelNotice::Waiting => true,
        };
        if concerns && self.hints.take(HINT_RATE, self.shared.core.uptime()) {
            self.replace_channel();
        }
    }
}
