//! Sealed messages (`docs/wire.md` §10): end-to-end encrypted, for one identity, from one identity, stored by a third party
//! meanwhile.
//!
//! ```text
//! sender: PostalKey ─┐                                           ┌─ recipient: PostalKey
//!                    seal ── 01 ‖ e ‖ s ‖ [address, message] ──► open ─► message, and who sent it
//! to: PostalAddress ─┘       Noise X: e, es, s, ss               └─ KnownIdentities
//! ```
//!
//! Only the recipient can open it, and learns for certain who sealed it, for whom, and in which context. Two things
//! a channel gives, one message cannot:
//!
//! - **It can be replayed.** Whoever stores it may deliver it twice. Every message has an [`id`](OpenedMessage::id) that no other
//!   has: remember those that had an effect, as long as the message itself counts.
//! - **It is only as secret as the recipient's key stays.** Whoever steals the recipient's postal key can read what was
//!   sealed to it, and can make messages for the recipient that seem to come from anybody.
//!
//! # Example
//!
//! ```
//! use postern_node::identity::{Identity, KnownIdentities, Timestamp};
//! use postern_node::sealed::{PostalKey, open, seal};
//! use postern_node::vault::{MemoryStore, MemoryVault};
//! use std::sync::Arc;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (now, known) = (Timestamp::now(), KnownIdentities::new());
//! let alice = Identity::create(Arc::new(MemoryVault::in_memory()), now).await?;
//! let bob = Identity::create(Arc::new(MemoryVault::in_memory()), now).await?;
//! let alices_key = PostalKey::open(&alice, &MemoryStore::new(), now).await?;
//! let bobs_key = PostalKey::open(&bob, &MemoryStore::new(), now).await?;
//!
//! // Bob's postal address is public, and signed by his identity.
//! let to_bob = bobs_key.address().clone().verify(&known, now)?;
//! let sealed = seal(&alices_key, &to_bob, b"example", b"hello")?;
//!
//! let opened = open(&bobs_key, b"example", &sealed, &known, now)?;
//! assert_eq!(opened.message, b"hello");
//! assert_eq!(opened.sender.identifier, alice.identifier());
//! assert!(open(&bobs_key, b"another context", &sealed, &known, now).is_err());
//! # Ok(())
//! # }
//! ```

mod postal_key;
mod self_sealed;

pub use crate::identity::{POSTAL_ADDRESS_SIZE_MAX, PostalAddress, VerifiedPostalAddress};
pub use postal_key::PostalKey;
pub use self_sealed::{SelfMacKey, SelfSealingKey};

use crate::crypto::{AwsLc, KEY_LEN, TAG_LEN};
use crate::identity::{Error as IdentityError, Identifier, KnownIdentities, Timestamp};
use crate::wire::bare;
use snow::params::NoiseParams;
use snow::{Builder, HandshakeState};
use std::fmt;

/// The most bytes of a message before it is sealed.
pub const MESSAGE_SIZE_MAX: usize = 16 * 1024;
/// The most bytes of a sealed message. A sender whose key has changed often leaves less space for the message inside.
pub const SEALED_SIZE_MAX: usize = 32 * 1024;

/// First byte of a sealed message.
const VERSION: u8 = 1;
const NOISE: &str = "Noise_X_25519_AESGCM_SHA256";
/// First in the prologue, so that no other use of Noise has the same.
const DOMAIN: &[u8] = b"pst-sealed\x01";
/// Bytes around the payload: version, ephemeral key, static key with its tag, tag.
const OVERHEAD: usize = 1 + KEY_LEN + KEY_LEN + TAG_LEN + TAG_LEN;

/// Why a message was not sealed or not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealedError {
    /// There is more to seal, or to open, than may be.
    #[error("a message of {size} bytes is larger than {max}")]
    TooLarge {
        /// Its bytes.
        size: usize,
        /// The limit.
        max: usize,
    },
    /// It is sealed in a way this node does not know.
    #[error("the message is sealed in version {0}; update Postern to open it")]
    UnknownVersion(u8),
    /// It is no sealed message.
    #[error("this is not a sealed message")]
    Malformed,
    /// It was sealed to another key or in another context, or altered.
    #[error("the message is for somebody else, or was altered on the way")]
    Forged,
    /// A public key leads to a shared secret that everybody knows.
    #[error("the message was made with a weak key")]
    WeakKey,
    /// The sender is not who it says.
    #[error("the sender was refused: {0}")]
    Identity(#[from] IdentityError),
    /// The system has no randomness to give.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// The state machine refused a step that should have been possible: a bug.
    #[error("sealing failed")]
    Internal(#[source] snow::Error),
}

impl From<snow::Error> for SealedError {
    fn from(error: snow::Error) -> Self {
        match error {
            snow::Error::Decrypt => Self::Forged,
            snow::Error::Dh => Self::WeakKey,
            snow::Error::Rng => Self::NoRandomness,
            other => Self::Internal(other),
        }
    }
}

/// A message that was opened.
pub struct OpenedMessage {
    /// Who sealed it, and where an answer can be sealed to.
    pub sender: VerifiedPostalAddress,
    /// Its content.
    pub message: Vec<u8>,
    /// Tells this message from every other, also from the same text sealed again.
    pub id: [u8; 32],
}

impl fmt::Debug for OpenedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedMessage").field("sender", &self.sender).finish_non_exhaustive()
    }
}

/// Seals `message` from the holder of `from` to the identity at `to`.
///
/// It opens only with the same `context`, which both sides know and which is not sent: what the message is for.
///
/// # Errors
/// [`SealedError::TooLarge`] above [`MESSAGE_SIZE_MAX`], or when the whole would be above [`SEALED_SIZE_MAX`].
pub fn seal(
    from: &PostalKey,
    to: &VerifiedPostalAddress,
    context: &[u8],
    message: &[u8],
) -> Result<Vec<u8>, SealedError> {
    let prologue = prologue(&to.identifier, context);
    let builder = builder(from, &prologue)?.remote_public_key(to.key())?;
    write(builder.build_initiator()?, from, message)
}

fn write(mut noise: HandshakeState, from: &PostalKey, message: &[u8]) -> Result<Vec<u8>, SealedError> {
    check_size(message.len(), MESSAGE_SIZE_MAX)?;
    let address = from.address().encode();
    let mut payload = Vec::with_capacity(address.len() + message.len() + bare::MAX_UINT);
    bare::push_data(&mut payload, &address);
    payload.extend_from_slice(message);
    let size = payload.len() + OVERHEAD;
    check_size(size, SEALED_SIZE_MAX)?;
    let mut sealed = vec![0; size];
    sealed[0] = VERSION;
    let written = noise.write_message(&payload, &mut sealed[1..])?;
    debug_assert_eq!(written + 1, size);
    Ok(sealed)
}

/// Opens a message that was sealed to `mine` in `context`, and checks who sealed it.
///
/// A sender that passes is remembered in `known`; whether the sender is accepted is for the caller to decide.
///
/// # Errors
/// [`SealedError`]; [`IdentityError::OlderHistory`] in it when the sender has changed their key since and is known
/// to have.
pub fn open(
    mine: &PostalKey,
    context: &[u8],
    sealed: &[u8],
    known: &KnownIdentities,
    now: Timestamp,
) -> Result<OpenedMessage, SealedError> {
    check_size(sealed.len(), SEALED_SIZE_MAX)?;
    let noise_message = match sealed.split_first() {
        Some((&VERSION, rest)) if sealed.len() >= OVERHEAD => rest,
        None | Some((&VERSION, _)) => return Err(SealedError::Malformed),
        Some((version, _)) => return Err(SealedError::UnknownVersion(*version)),
    };
    let prologue = prologue(mine.identifier(), context);
    let mut noise = builder(mine, &prologue)?.build_responder()?;
    let mut payload = vec![0; sealed.len() - OVERHEAD];
    let length = noise.read_message(noise_message, &mut payload)?;
    let (address, message) = bare::read_data(&payload[..length]).ok_or(SealedError::Malformed)?;
    check_size(message.len(), MESSAGE_SIZE_MAX)?;
    let proved = noise.get_remote_static().and_then(|key| key.try_into().ok());
    let proved = proved.ok_or(SealedError::Internal(snow::Error::Input))?;
    let sender = PostalAddress::decode(address)?.verify_key(Some(proved), known, now)?;
    let id = noise.get_handshake_hash().try_into().map_err(|_| SealedError::Internal(snow::Error::Input))?;
    Ok(OpenedMessage { sender, message: message.to_vec(), id })
}

/// What both sides must agree on: with the recipient in it, a recipient cannot pass a message on as one for another recipient.
fn prologue(recipient: &Identifier, context: &[u8]) -> Vec<u8> {
    [DOMAIN, recipient.as_bytes(), context].concat()
}

fn builder<'a>(key: &'a PostalKey, prologue: &'a [u8]) -> Result<Builder<'a>, SealedError> {
    let params: NoiseParams = NOISE.parse()?;
    let builder = Builder::with_resolver(params, Box::new(AwsLc));
    Ok(builder.local_private_key(key.secret().secret())?.prologue(prologue)?)
}

fn check_size(size: usize, max: usize) -> Result<(), SealedError> {
    if size > max { Err(SealedError::TooLarge { size, max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
