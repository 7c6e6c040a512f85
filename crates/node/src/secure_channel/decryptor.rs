//! The receiving endpoint of a channel: takes records, opens them in place, and delivers what they hold.

use super::channel::{Channel, Opening, Role};
use super::plaintext::{self, Plaintext};
use super::record::OVERHEAD;
use crate::delivery::Delivery;
use crate::identity::{CredentialRefresh, Timestamp};
use crate::local_message::{BorrowedMessage, Completion, PayloadBuf};
use crate::origin::Source;
use crate::route::RouteRef;
use crate::router::Endpoint;
use crate::sync::lock;
use crate::undeliverable::Undeliverable;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Takes records and delivers what they hold.
pub(super) struct Decryptor(pub(super) Arc<Channel>);

impl Endpoint for Decryptor {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let channel = &*self.0;
        if message.body.len() < OVERHEAD || message.onward.len() != 1 {
            return Err(Undeliverable::Malformed);
        }
        let mut opening = lock(&channel.opening);
        let nonce = message.body.payload().first_chunk().map_or(0, |nonce| u64::from_be_bytes(*nonce));
        let PayloadBuf { start, end, .. } = message.body;
        let BorrowedMessage { body, .. } = message;
        let plaintext = opening.opener.open(&mut body.buffer[start..end]).map_err(|error| {
            tracing::debug!(%error, "a record was refused");
            Undeliverable::Malformed
        })?;
        let content = Plaintext::read(plaintext);
        // Only these come with a return route that says where the peer is (`docs/wire.md` §7.6).
        if matches!(content, Some(Plaintext::Payload(_) | Plaintext::OddPayload(..))) {
            let outer = BorrowedMessage { body: PayloadBuf { buffer: &mut [], start: 0, end: 0 }, ..message };
            channel.update_route(&mut opening, &outer, nonce);
        }
        drop(opening);
        channel.last_received.store(channel.core.uptime_ms(), Ordering::Relaxed);
        let inside = Inside { depth: message.depth, completion: message.completion };
        channel.deliver_plaintext(content.ok_or(Undeliverable::Malformed)?, plaintext, inside)
    }
}

/// What a message inside a record has from the record.
#[derive(Clone, Copy)]
struct Inside<'a> {
    depth: u8,
    completion: Option<&'a Completion>,
}

impl Channel {
    fn deliver_plaintext(
        &self,
        content: Plaintext,
        plaintext: &mut [u8],
        inside: Inside<'_>,
    ) -> Result<Delivery, Undeliverable> {
        match content {
            Plaintext::Payload(payload) => {
                let (head, body) = plaintext.split_at_mut(payload.start);
                let (onward, return_route) = plaintext::read_routes(head).ok_or(Undeliverable::Malformed)?;
                self.deliver_message(onward, return_route, &mut body[..payload.len()], inside)
            }
            Plaintext::OddPayload(onward, return_route, mut payload) => {
                self.deliver_message(onward.as_ref(), return_route.as_ref(), &mut payload, inside)
            }
            Plaintext::Refresh(body) => self.on_refresh(&plaintext[body]),
            Plaintext::Close => {
                self.end();
                Ok(Delivery::default())
            }
        }
    }

    fn deliver_message(
        &self,
        onward: RouteRef<'_>,
        return_route: RouteRef<'_>,
        payload: &mut [u8],
        inside: Inside<'_>,
    ) -> Result<Delivery, Undeliverable> {
        let source = self.source();
        let body = PayloadBuf::exactly(payload);
        let Inside { depth, completion } = inside;
        let message = BorrowedMessage { onward, return_route, body, source: Some(&source), depth, completion };
        self.core.router.dispatch(message)
    }

    fn on_refresh(&self, body: &[u8]) -> Result<Delivery, Undeliverable> {
        let peer = self.peer().identifier;
        let verified = CredentialRefresh::decode(body)
            .and_then(|refresh| refresh.verify(peer, &self.options.authorities, &self.core.known, Timestamp::now()));
        match verified {
            Ok(peer) => self.replace_source(|source| Source { peer: Some(Arc::new(peer)), ..source }),
            Err(error) => tracing::warn!(%peer, %error, "new credentials do not count"),
        }
        Ok(Delivery::default())
    }

    /// Follows the peer to the connection that its newest record came over.
    fn update_route(&self, opening: &mut Opening, message: &BorrowedMessage<'_>, nonce: u64) {
        if self.role == Role::Initiator || nonce <= opening.newest {
            return;
        }
        opening.newest = nonce;
        let Some(outer) = message.source else { return };
        // A channel never moves into another one: so no channel can come to lead through itself.
        let outside = outer.peer.is_none().then_some(&outer.sender);
        if opening.outer_channel.is_none() != outside.is_some()
            || opening.outer_channel.as_ref().is_some_and(|it| *it != outer.sender)
        {
            return;
        }
        let last_path = &opening.last_path;
        if last_path.front().as_ref() == Some(&outer.sender)
            && last_path.as_ref().rest().encoded() == message.return_route.encoded()
        {
            return;
        }
        opening.last_path = message.full_return_route();
        lock(&self.sealing).route = opening.last_path.clone().then(&opening.peer_decryptor);
        let carrier_address = outside.cloned();
        let address = outer.address;
        self.replace_source(|source| Source { carrier: outer.carrier.clone(), carrier_address, address, ..source });
    }
}

#[cfg(test)]
mod tests {
    use super::super::channel::{Carrier, HandshakeOutcome, Role, with_record_room};
    use super::super::handshake::Keys;
    use super::super::options::SecureChannelOptions;
    use super::super::plaintext::{self, PADDING};
    use super::super::record::{NONCE_LEN, RecordKey, Sealer};
    use super::*;
    use crate::address::Address;
    use crate::core::Core;
    use crate::crypto::TAG_LEN;
    use crate::identity::Identity;
    use crate::identity::VerifiedPeer;
    use crate::route;
    use crate::route::Route;
    use crate::vault::MemoryVault;
    use std::time::Duration;

    /// The responder's half of a channel with somebody at `them`, and what seals like them.
    async fn responder(core: &Arc<Core>) -> (Arc<Channel>, Sealer) {
        let identity = Identity::create(Arc::new(MemoryVault::in_memory()), Timestamp::now()).await.unwrap();
        let opened = HandshakeOutcome {
            keys: Keys {
                send: RecordKey::from_bytes(&[1; 32]),
                receive: RecordKey::from_bytes(&[2; 32]),
                hybrid: false,
            },
            peer: VerifiedPeer {
                identifier: identity.identifier(),
                history: Arc::new(identity.history().clone()),
                credentials: Vec::new(),
            },
            route: route!["connection", "them"],
            decryptor: Address::random(),
            listener: None,
            carrier: Carrier::default(),
            round_trip: Duration::ZERO,
        };
        let options = Arc::new(SecureChannelOptions::trust_anyone());
        let channel = Channel::open(core, Role::Responder, opened, options).unwrap();
        (channel, Sealer::new(&RecordKey::from_bytes(&[2; 32])))
    }

    #[tokio::test]
    async fn only_payload_moves_the_route_to_the_peer() {
        let node = crate::Node::new();
        let (channel, mut sealer) = responder(node.core()).await;
        let connection = Arc::new(Source::of_connection("connection".into(), None));
        let mut receive = |plaintext: Vec<u8>, back: Route| {
            let mut record = with_record_room(&plaintext);
            let end = record.len() - TAG_LEN;
            let (nonce, tag) = sealer.seal(&mut record[NONCE_LEN..end]).unwrap();
            record[..NONCE_LEN].copy_from_slice(&nonce);
            record[end..].copy_from_slice(&tag);
            let _ = Decryptor(channel.clone()).deliver(BorrowedMessage {
                onward: route!["us"].as_ref(),
                return_route: back.as_ref(),
                body: PayloadBuf::exactly(&mut record),
                source: Some(&connection),
                depth: 0,
                completion: None,
            });
            lock(&channel.sealing).route.clone()
        };
        let mut payload = Vec::new();
        plaintext::push_header(&mut payload, route!["worker"].as_ref(), None, route![].as_ref(), 0);
        payload.extend_from_slice(&PADDING);
        let moved = route!["connection", "relay", "them"];
        assert_eq!(receive(payload.clone(), route![]), route!["connection", "them"]);
        assert_eq!(receive(payload.clone(), route!["relay"]), moved);
        // Others send these with the address of their encryptor.
        assert_eq!(receive(plaintext::refresh(b"\x82\x80\x80"), route!["encryptor"]), moved);
        assert_eq!(receive(b"\xff".to_vec(), route!["encryptor"]), moved);
        assert_eq!(receive(payload, route![]), route!["connection", "them"]);
    }
}
