//! An open channel: two [`Endpoint`]s, one that seals what is sent through it and one that opens what comes.

use super::handshake::Keys;
use super::plaintext::{self, PADDING, Plaintext};
use super::record::{CLOSE_PLAINTEXT, NONCE_LEN, OVERHEAD, Opener, Sealer, TAG_LEN};
use super::{ChannelError, SecureChannelOptions};
use crate::address::Address;
use crate::delivery::{Delivery, Undeliverable};
use crate::identity::{CredentialRefresh, Timestamp, VerifiedPeer};
use crate::node::Core;
use crate::route::{Route, RouteRef};
use crate::router::{BorrowedMessage, Endpoint, OriginId, PayloadBuf, Source};
use crate::sync::{lock, read, write};
use crate::tcp::MAX_FRAME_SENT;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Both ends have one; which of them decides how the route to the other end is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Keeps the route it learned in the handshake.
    Initiator,
    /// Follows the route that the newest record came by (`docs/wire.md` §7.6).
    Responder,
}

pub(crate) struct Channel {
    core: Arc<Core>,
    role: Role,
    encryptor: Address,
    decryptor: Address,
    sealing: Mutex<Sealing>,
    opening: Mutex<Opening>,
    /// Where the messages that come out of the channel come from. Made anew when the peer refreshes its
    /// credentials, or comes over another connection.
    source: RwLock<Arc<Source>>,
    options: Arc<SecureChannelOptions>,
    last_received: AtomicU64,
}

struct Sealing {
    sealer: Sealer,
    /// To the peer's decryptor.
    route: Route,
}

struct Opening {
    opener: Opener,
    newest: u64,
    /// The other channel that this one runs through, if it does.
    outer_channel: Option<Address>,
    /// The way the newest record came, and where it ends.
    last_path: Route,
    peer_decryptor: Address,
}

/// What a handshake leaves behind.
pub(super) struct HandshakeOutcome {
    pub(super) keys: Keys,
    pub(super) peer: VerifiedPeer,
    /// To the peer's decryptor, as the handshake message that ended it came back.
    pub(super) route: Route,
    pub(super) decryptor: Address,
    pub(super) listener: Option<OriginId>,
    pub(super) carrier: CancellationToken,
    /// The address of the channel that the handshake came through, if it did.
    pub(super) outer_channel: Option<Address>,
    /// The address of the connection that the handshake came over, if it did not come through a channel.
    pub(super) carrier_address: Option<Address>,
    /// How long the peer took to answer.
    pub(super) round_trip: Duration,
}

impl Channel {
    /// Opens the channel. The caller puts its [`Decryptor`] in place.
    pub(super) fn open(
        core: &Arc<Core>,
        role: Role,
        opened: HandshakeOutcome,
        options: Arc<SecureChannelOptions>,
    ) -> Result<Arc<Self>, ChannelError> {
        let encryptor = Address::random();
        let source = Source {
            origin: OriginId::fresh(),
            listener: opened.listener,
            sender: encryptor.clone(),
            peer: Some(Arc::new(opened.peer)),
            carrier_address: opened.carrier_address,
            authenticated: AtomicBool::new(true),
            ended: core.disconnecting.child_token(),
            carrier: opened.carrier,
            probed: Arc::default(),
            round_trip: opened.round_trip,
        };
        let channel = Arc::new(Self {
            core: core.clone(),
            role,
            encryptor: encryptor.clone(),
            decryptor: opened.decryptor,
            opening: Mutex::new(Opening {
                opener: Opener::new(&opened.keys.receive),
                newest: 0,
                peer_decryptor: opened.route.back().ok_or(ChannelError::NoRoute)?,
                outer_channel: opened.outer_channel,
                last_path: Route::new(),
            }),
            sealing: Mutex::new(Sealing { sealer: Sealer::new(&opened.keys.send), route: opened.route }),
            source: RwLock::new(Arc::new(source)),
            options,
            last_received: AtomicU64::new(core.uptime_ms()),
        });
        core.router
            .add_endpoint(encryptor, Arc::new(Encryptor(channel.clone())))
            .map_err(|_| ChannelError::AddressInUse)?;
        core.stats.channels.add(1);
        Ok(channel)
    }

    pub(super) fn encryptor(&self) -> &Address {
        &self.encryptor
    }

    pub(crate) fn source(&self) -> Arc<Source> {
        read(&self.source).clone()
    }

    pub(super) fn peer(&self) -> Arc<VerifiedPeer> {
        // A channel's source always has a peer: `open` and `replace_source` are all that make one.
        self.source().peer.clone().unwrap_or_else(|| unreachable!())
    }

    /// Milliseconds since something was heard from the peer.
    pub(super) fn silence_ms(&self) -> u64 {
        self.core.uptime_ms().saturating_sub(self.last_received.load(Ordering::Relaxed))
    }

    /// Whether the other end, which used to ask regularly, has not been heard of for this long.
    pub(super) fn is_silent_for(&self, silence: Duration) -> bool {
        read(&self.source).probed.load(Ordering::Relaxed) && u128::from(self.silence_ms()) > silence.as_millis()
    }

    /// Whether it has ended, or the connection that carried it last has.
    pub(super) fn is_cut(&self) -> bool {
        let source = read(&self.source);
        source.carrier.is_cancelled() || source.ended.is_cancelled()
    }

    pub(super) fn ended(&self) -> CancellationToken {
        read(&self.source).ended.clone()
    }

    /// Tells the peer and ends this half.
    pub(super) fn close(&self) {
        if !self.ended().is_cancelled() {
            let mut record = with_record_room(&CLOSE_PLAINTEXT);
            let _ = self.seal(record_body(&mut record), 0);
        }
        self.end();
    }

    fn end(&self) {
        let source = self.source();
        if source.ended.is_cancelled() && !self.core.router.contains(&self.encryptor) {
            return;
        }
        source.ended.cancel();
        if self.core.router.remove(&self.encryptor) {
            self.core.stats.channels.sub(1);
        }
        self.core.router.remove(&self.decryptor);
        self.core.router.withdraw(source.origin);
    }

    /// Presents new credentials to the peer.
    pub(super) fn refresh(&self, refresh: &CredentialRefresh) -> Result<(), Undeliverable> {
        let mut record = with_record_room(&plaintext::refresh(&refresh.encode()));
        self.seal(record_body(&mut record), 0).map(drop)
    }

    /// Seals the plaintext in the body, which has room for nonce and tag around it, and sends the record.
    ///
    /// The record is queued under the lock that numbers it, so records leave in the order of their numbers.
    fn seal(&self, body: PayloadBuf<'_>, depth: u8) -> Result<Delivery, Undeliverable> {
        let PayloadBuf { buffer, start, end } = body;
        let mut sealing = lock(&self.sealing);
        let (nonce, tag) = sealing.sealer.seal(&mut buffer[start..end]).map_err(|_| Undeliverable::Closed)?;
        buffer[start - NONCE_LEN..start].copy_from_slice(&nonce);
        buffer[end..end + TAG_LEN].copy_from_slice(&tag);
        self.core.router.dispatch(BorrowedMessage {
            onward: sealing.route.as_ref(),
            return_route: RouteRef::default(),
            body: PayloadBuf { buffer, start: start - NONCE_LEN, end: end + TAG_LEN },
            source: None,
            depth,
        })
    }

    fn deliver_plaintext(
        &self,
        content: Plaintext,
        plaintext: &mut [u8],
        depth: u8,
    ) -> Result<Delivery, Undeliverable> {
        match content {
            Plaintext::Payload(payload) => {
                let (head, body) = plaintext.split_at_mut(payload.start);
                let (onward, return_route) = plaintext::read_routes(head).ok_or(Undeliverable::Malformed)?;
                self.deliver_message(onward, return_route, &mut body[..payload.len()], depth)
            }
            Plaintext::OddPayload(onward, return_route, mut payload) => {
                self.deliver_message(onward.as_ref(), return_route.as_ref(), &mut payload, depth)
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
        depth: u8,
    ) -> Result<Delivery, Undeliverable> {
        let source = self.source();
        let body = PayloadBuf::exactly(payload);
        self.core.router.dispatch(BorrowedMessage { onward, return_route, body, source: Some(&source), depth })
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

    fn replace_source(&self, change: impl FnOnce(Source) -> Source) {
        let mut current = write(&self.source);
        let copy = Source {
            origin: current.origin,
            listener: current.listener,
            sender: current.sender.clone(),
            peer: current.peer.clone(),
            carrier_address: current.carrier_address.clone(),
            authenticated: AtomicBool::new(true),
            ended: current.ended.clone(),
            carrier: current.carrier.clone(),
            probed: current.probed.clone(),
            round_trip: current.round_trip,
        };
        *current = Arc::new(change(copy));
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
        self.replace_source(|source| Source { carrier: outer.carrier.clone(), carrier_address, ..source });
    }
}

/// Takes plain messages and sends them as records.
pub(super) struct Encryptor(Arc<Channel>);

thread_local! {
    /// Where headers and records are built. Taken while in use: a channel inside a channel then makes its own.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Room for the headers and the tag around a payload, with routes of any sensible length.
const HEADERS: usize = 8 * 1024;
/// A scratch buffer larger than this is not kept.
const KEEP_CAPACITY: usize = 512 * 1024;

fn with_scratch<T>(work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut scratch = SCRATCH.take();
    scratch.clear();
    let result = work(&mut scratch);
    if scratch.capacity() <= KEEP_CAPACITY {
        SCRATCH.set(scratch);
    }
    result
}

impl Endpoint for Encryptor {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let channel = &*self.0;
        if read(&channel.source).ended.is_cancelled() {
            return Err(Undeliverable::Closed);
        }
        // Found out later, it would have used up a number of the channel's.
        if message.body.len() > MAX_FRAME_SENT - HEADERS {
            return Err(Undeliverable::TooLarge);
        }
        with_scratch(|scratch| {
            scratch.extend_from_slice(&[0; NONCE_LEN]);
            let via = message.via();
            let payload = message.body.len();
            plaintext::push_header(scratch, message.onward.rest(), via, message.return_route, payload);
            let PayloadBuf { buffer, start, end } = message.body;
            let has_room = start >= scratch.len() && buffer.len() - end >= PADDING.len() + TAG_LEN;
            if has_room {
                let header = start - scratch.len();
                buffer[header..start].copy_from_slice(scratch);
                buffer[end..end + PADDING.len()].copy_from_slice(&PADDING);
                let body = PayloadBuf { buffer, start: header + NONCE_LEN, end: end + PADDING.len() };
                return channel.seal(body, message.depth);
            }
            scratch.extend_from_slice(&buffer[start..end]);
            scratch.extend_from_slice(&PADDING);
            scratch.extend_from_slice(&[0; TAG_LEN]);
            channel.seal(record_body(scratch), message.depth)
        })
    }

    fn source(&self) -> Option<Arc<Source>> {
        Some(self.0.source())
    }
}

/// A plaintext with room for nonce and tag around it.
fn with_record_room(plaintext: &[u8]) -> Vec<u8> {
    [&[0; NONCE_LEN], plaintext, &[0; TAG_LEN]].concat()
}

/// The plaintext inside such a buffer.
fn record_body(buffer: &mut [u8]) -> PayloadBuf<'_> {
    let end = buffer.len() - TAG_LEN;
    PayloadBuf { buffer, start: NONCE_LEN, end }
}

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
        channel.deliver_plaintext(content.ok_or(Undeliverable::Malformed)?, plaintext, message.depth)
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::RecordKey;
    use super::*;
    use crate::identity::Identity;
    use crate::route;
    use crate::vault::MemoryVault;

    /// The responder's half of a channel with somebody at `them`, and what seals like them.
    async fn responder(core: &Arc<Core>) -> (Arc<Channel>, Sealer) {
        let identity = Identity::create(Arc::new(MemoryVault::in_memory()), Timestamp::now()).await.unwrap();
        let opened = HandshakeOutcome {
            keys: Keys { send: RecordKey::from_bytes(&[1; 32]), receive: RecordKey::from_bytes(&[2; 32]) },
            peer: VerifiedPeer {
                identifier: identity.identifier(),
                history: Arc::new(identity.history().clone()),
                credentials: Vec::new(),
            },
            route: route!["connection", "them"],
            decryptor: Address::random(),
            listener: None,
            carrier: CancellationToken::new(),
            outer_channel: None,
            carrier_address: None,
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
        let connection = Arc::new(Source {
            origin: OriginId::fresh(),
            listener: None,
            sender: "connection".into(),
            peer: None,
            carrier_address: None,
            authenticated: AtomicBool::new(true),
            ended: CancellationToken::new(),
            carrier: CancellationToken::new(),
            probed: Arc::default(),
            round_trip: Duration::ZERO,
        });
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
