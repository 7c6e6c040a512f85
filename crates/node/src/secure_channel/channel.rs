//! The state of an open channel, which its encryptor and its decryptor share.

use super::error::ChannelError;
use super::handshake::Keys;
use super::options::SecureChannelOptions;
use super::plaintext;
use super::record::{CLOSE_PLAINTEXT, NONCE_LEN, Opener, Sealer};
use crate::address::Address;
use crate::core::Core;
use crate::crypto::TAG_LEN;
use crate::delivery::Delivery;
use crate::identity::{CredentialRefresh, VerifiedPeer};
use crate::local_message::{BorrowedMessage, PayloadBuf};
use crate::origin::{OriginId, Source, SourceAddress};
use crate::round_trip::RoundTrip;
use crate::route::{Route, RouteRef};
use crate::sync::{lock, read, write};
use crate::undeliverable::Undeliverable;
use postern_env::time::Duration;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
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
    pub(super) core: Arc<Core>,
    pub(super) role: Role,
    encryptor: Address,
    decryptor: Address,
    pub(super) sealing: Mutex<Sealing>,
    pub(super) opening: Mutex<Opening>,
    /// Where the messages that come out of the channel come from. Made anew when the peer refreshes its
    /// credentials, or comes over another connection.
    pub(super) source: RwLock<Arc<Source>>,
    pub(super) options: Arc<SecureChannelOptions>,
    pub(super) last_received: AtomicU64,
    /// Whether the keys depend on ML-KEM-768 too (`docs/wire.md §7.7`).
    pub(super) hybrid: bool,
}

pub(super) struct Sealing {
    sealer: Sealer,
    /// To the peer's decryptor.
    pub(super) route: Route,
}

pub(super) struct Opening {
    pub(super) opener: Opener,
    pub(super) newest: u64,
    /// The other channel that this one runs through, if it does.
    pub(super) outer_channel: Option<Address>,
    /// The way the newest record came, and where it ends.
    pub(super) last_path: Route,
    pub(super) peer_decryptor: Address,
}

/// What a handshake leaves behind.
pub(super) struct HandshakeOutcome {
    pub(super) keys: Keys,
    pub(super) peer: VerifiedPeer,
    /// To the peer's decryptor, as the handshake message that ended it came back.
    pub(super) route: Route,
    pub(super) decryptor: Address,
    pub(super) listener: Option<OriginId>,
    pub(super) carrier: Carrier,
    /// How long the peer took to answer.
    pub(super) round_trip: Duration,
}

/// What a handshake message came over.
#[derive(Default)]
pub(super) struct Carrier {
    /// Cancelled when the connection ends.
    pub(super) ended: CancellationToken,
    /// The address of the channel that it came through, if it did.
    pub(super) channel: Option<Address>,
    /// The address of the connection, if it did not come through a channel.
    pub(super) connection: Option<Address>,
    /// The network address that it was accepted from.
    pub(super) address: Option<SourceAddress>,
}

impl Carrier {
    pub(super) fn of(source: Option<&Arc<Source>>) -> Self {
        let Some(source) = source else { return Self::default() };
        let (sender, ended, address) = (Some(source.sender.clone()), source.carrier.clone(), source.address);
        match source.peer {
            Some(_) => Self { ended, channel: sender, connection: None, address },
            None => Self { ended, channel: None, connection: sender, address },
        }
    }
}

impl Channel {
    /// Opens the channel. The caller puts its two endpoints in place, the encryptor at once.
    pub(super) fn open(
        core: &Arc<Core>,
        role: Role,
        opened: HandshakeOutcome,
        options: Arc<SecureChannelOptions>,
    ) -> Result<Arc<Self>, ChannelError> {
        let encryptor = Address::random();
        let source = Source {
            listener: opened.listener,
            peer: Some(Arc::new(opened.peer)),
            address: opened.carrier.address,
            carrier_address: opened.carrier.connection,
            authenticated: AtomicBool::new(true),
            carrier: opened.carrier.ended,
            round_trip: Arc::new(RoundTrip::of_handshake(opened.round_trip)),
            ..Source::new(OriginId::fresh(), encryptor.clone(), core.disconnecting.child_token())
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
                outer_channel: opened.carrier.channel,
                last_path: Route::new(),
            }),
            sealing: Mutex::new(Sealing { sealer: Sealer::new(&opened.keys.send), route: opened.route }),
            source: RwLock::new(Arc::new(source)),
            options,
            last_received: AtomicU64::new(core.uptime_ms()),
            hybrid: opened.keys.hybrid,
        });
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

    /// Whether something in this node depends on it.
    pub(super) fn is_in_use(&self) -> bool {
        read(&self.source).in_use.load(Ordering::Relaxed)
    }

    /// Whether nothing depends on it, and nothing was heard for this long.
    pub(super) fn is_idle_for(&self, time: Duration) -> bool {
        !self.is_in_use() && u128::from(self.silence_ms()) > time.as_millis()
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

    pub(super) fn end(&self) {
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
    pub(super) fn seal(&self, body: PayloadBuf<'_>, depth: u8) -> Result<Delivery, Undeliverable> {
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
            completion: None,
        })
    }

    pub(super) fn replace_source(&self, change: impl FnOnce(Source) -> Source) {
        let mut current = write(&self.source);
        *current = Arc::new(change(current.renewed()));
    }
}

/// A plaintext with room for nonce and tag around it.
pub(super) fn with_record_room(plaintext: &[u8]) -> Vec<u8> {
    [&[0; NONCE_LEN], plaintext, &[0; TAG_LEN]].concat()
}

/// The plaintext inside such a buffer.
pub(super) fn record_body(buffer: &mut [u8]) -> PayloadBuf<'_> {
    let end = buffer.len() - TAG_LEN;
    PayloadBuf { buffer, start: NONCE_LEN, end }
}
