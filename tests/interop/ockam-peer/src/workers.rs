//! What the node does for others.

use ockam::abac::{Abac, IncomingAbac};
use ockam::access_control::IncomingAccessControl;
use ockam::identity::Identifier;
use ockam::{Any, Context, Result, Routed, Worker};
use ockam_core::{RelayMessage, SecureChannelLocalInfo};

/// Sends every text back, as the `Echoer` of the documentation does.
pub(crate) struct Echoer;

#[ockam::worker]
impl Worker for Echoer {
    type Context = Context;
    type Message = String;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<String>) -> Result<()> {
        context.send(message.return_route().clone(), message.into_body()?).await
    }
}

/// Answers with the length of the bytes it gets.
pub(crate) struct Length;

#[ockam::worker]
impl Worker for Length {
    type Context = Context;
    type Message = Vec<u8>;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<Vec<u8>>) -> Result<()> {
        let route = message.return_route().clone();
        context.send(route, message.into_body()?.len().to_string()).await
    }
}

/// Answers with the identifier of whoever asks.
pub(crate) struct WhoAmI;

#[ockam::worker]
impl Worker for WhoAmI {
    type Context = Context;
    type Message = Any;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<Any>) -> Result<()> {
        let route = message.return_route().clone();
        let peer = SecureChannelLocalInfo::find_info(message.local_message())
            .map(|info| Identifier::from(info.their_identifier()).to_string());
        context.send(route, peer.unwrap_or_else(|_| "nobody".into())).await
    }
}

/// Counts the bytes that it gets, and tells every mebibyte as `counted NUMBER`.
#[derive(Default)]
pub(crate) struct Counter(usize);

#[ockam::worker]
impl Worker for Counter {
    type Context = Context;
    type Message = Vec<u8>;

    async fn handle_message(&mut self, _: &mut Context, message: Routed<Vec<u8>>) -> Result<()> {
        let before = self.0 >> 20;
        self.0 += message.into_body()?.len();
        (before + 1..=self.0 >> 20).for_each(|mebibyte| println!("counted {mebibyte}"));
        Ok(())
    }
}

/// Their policy engine, telling what it decides.
#[derive(Debug)]
pub(crate) struct Telling(pub(crate) IncomingAbac);

#[ockam_core::async_trait]
impl IncomingAccessControl for Telling {
    async fn is_authorized(&self, message: &RelayMessage) -> Result<bool> {
        let allowed = self.0.is_authorized(message).await?;
        let peer = Abac::get_incoming_identifier(message).map(|peer| peer.to_string());
        println!("{} {}", if allowed { "allowed" } else { "denied" }, peer.as_deref().unwrap_or("nobody"));
        Ok(allowed)
    }
}
