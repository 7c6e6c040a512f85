use std::{fmt, time::Duration};

use minicbor::{Decode, Encode};

use super::{
    ChainFault, Error, Identifier, PublicKey, Signature, Signed, Timestamp, cbor,
    versioned::{self, DataType},
};
use crate::crypto::sha256;
use crate::vault::{KeyId, Vault};

/// How long a new key may attest other keys: ten years of 365 days (`docs/wire.md §6.3`).
pub const KEY_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// The most changes a history may have; each costs a verifier two signatures.
pub const CHANGES_MAX: usize = 64;
/// The most bytes an encoded history may have.
pub const HISTORY_SIZE_MAX: usize = 32 * 1024;
/// The most bytes the signed part of one change may have: today's 150, and room to grow.
const CHANGE_DATA_SIZE_MAX: usize = 1024;

const WHAT: &str = "key history";

/// The SHA-256 of a change's signed bytes; that of the first is the [`Identifier`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct ChangeHash(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    [u8; 32],
);

impl ChangeHash {
    /// The 32 bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for ChangeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// One change as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Change {
    #[n(0)]
    #[cbor(encode_with = "minicbor::bytes::encode", decode_with = "cbor::bytes::<_, CHANGE_DATA_SIZE_MAX>")]
    data: Vec<u8>,
    #[n(1)]
    signature: Signature,
    #[n(2)]
    previous_signature: Option<Signature>,
}

/// What a change signs.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct ChangeData {
    #[n(0)]
    previous_change: Option<ChangeHash>,
    #[n(1)]
    primary_public_key: PublicKey,
    #[n(2)]
    revoke_all_purpose_keys: bool,
    #[n(3)]
    attestations_valid_from: Timestamp,
    #[n(4)]
    attestations_valid_until: Timestamp,
}

/// A history as received, before anybody has checked it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct ReceivedHistory(
    #[n(0)]
    #[cbor(decode_with = "cbor::list::<_, _, CHANGES_MAX>")]
    Vec<Change>,
);

impl ReceivedHistory {
    /// Checks every link and every signature.
    pub(super) fn verify(self) -> Result<ChangeHistory, Error> {
        let mut entries: Vec<ChainEntry> = Vec::with_capacity(self.0.len());
        for (index, change) in self.0.into_iter().enumerate() {
            let entry = ChainEntry::verify(change, entries.last(), index)?;
            entries.push(entry);
        }
        let first = entries.first();
        let first = first.ok_or(Error::BrokenChain { index: 0, fault: ChainFault::Missing })?;
        let history = ChangeHistory { identifier: Identifier::from_bytes(first.hash.0), entries };
        if history.encoded_len() > HISTORY_SIZE_MAX {
            return Err(Error::TooLarge { what: WHAT, max: HISTORY_SIZE_MAX });
        }
        Ok(history)
    }
}

/// A change whose signatures and place in the chain were checked.
#[derive(Clone, Debug)]
struct ChainEntry {
    change: Change,
    hash: ChangeHash,
    content: ChangeData,
}

impl ChainEntry {
    fn verify(change: Change, previous: Option<&ChainEntry>, index: usize) -> Result<Self, Error> {
        let broken = |fault| Error::BrokenChain { index, fault };
        let content: ChangeData = versioned::decode(DataType::Change, WHAT, &change.data)?;
        let digest = sha256(&change.data);
        if content.previous_change != previous.map(|entry| entry.hash) {
            return Err(broken(ChainFault::NotLinked));
        }
        match (previous, &change.previous_signature) {
            (None, None) => {}
            (Some(previous), Some(signature)) => {
                // The version may not decrease either; there is only one so far.
                let (before, own) = (&previous.content, &content);
                if own.attestations_valid_from < before.attestations_valid_from {
                    return Err(broken(ChainFault::BackInTime));
                }
                if !before.primary_public_key.verifies(&digest, signature) {
                    return Err(Error::BadSignature(Signed::Change));
                }
            }
            _ => return Err(broken(ChainFault::NotHandedOver)),
        }
        if !content.primary_public_key.verifies(&digest, &change.signature) {
            return Err(Error::BadSignature(Signed::Change));
        }
        Ok(Self { change, hash: ChangeHash(digest), content })
    }
}

/// How a history relates to another ([`ChangeHistory::compare`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Both have the same changes.
    Equal,
    /// It continues the other.
    Newer,
    /// The other continues it.
    Older,
    /// Neither continues the other: they fork, or are of different identities.
    Conflict,
}

/// All keys an identity has had, each handing over to the next; always verified.
#[derive(Clone, Debug)]
pub struct ChangeHistory {
    identifier: Identifier,
    entries: Vec<ChainEntry>,
}

impl ChangeHistory {
    /// Decodes a history and verifies its whole chain.
    ///
    /// At most [`HISTORY_SIZE_MAX`] bytes. The clock plays no part: validity limits what a key may
    /// attest, not whether the history may be imported (`docs/wire.md §6.3`).
    pub fn import(bytes: &[u8]) -> Result<Self, Error> {
        cbor::decode::<ReceivedHistory>(WHAT, HISTORY_SIZE_MAX, bytes)?.verify()
    }

    /// The encoded history, to be imported by others.
    pub fn export(&self) -> Vec<u8> {
        cbor::encode(&self.to_received())
    }

    /// Starts a history with a key of the vault, valid for [`KEY_LIFETIME`] from `now`.
    pub(super) async fn start(vault: &dyn Vault, key: &KeyId, now: Timestamp) -> Result<Self, Error> {
        let content = ChangeData {
            previous_change: None,
            primary_public_key: vault.public_key(key).await?,
            revoke_all_purpose_keys: false,
            attestations_valid_from: now,
            attestations_valid_until: now.plus(KEY_LIFETIME),
        };
        let data = versioned::encode(DataType::Change, &content);
        let signature = vault.sign(key, &sha256(&data)).await?;
        ReceivedHistory(vec![Change { data, signature, previous_signature: None }]).verify()
    }

    /// The history continued with another key of the vault, signed by the one before.
    pub(super) async fn continued(
        &self,
        vault: &dyn Vault,
        old_key: &KeyId,
        new_key: &KeyId,
        now: Timestamp,
    ) -> Result<Self, Error> {
        if self.entries.len() == CHANGES_MAX {
            return Err(Error::TooLarge { what: WHAT, max: CHANGES_MAX });
        }
        // Others' clocks may be behind; and a clock that was set back must not make a history that every verifier refuses.
        let from = now.backdated().max(self.valid_from());
        let content = ChangeData {
            previous_change: Some(self.latest_hash()),
            primary_public_key: vault.public_key(new_key).await?,
            revoke_all_purpose_keys: true,
            attestations_valid_from: from,
            attestations_valid_until: now.max(from).plus(KEY_LIFETIME),
        };
        let data = versioned::encode(DataType::Change, &content);
        let digest = sha256(&data);
        let signature = vault.sign(new_key, &digest).await?;
        let previous_signature = Some(vault.sign(old_key, &digest).await?);
        let mut received = self.to_received();
        received.0.push(Change { data, signature, previous_signature });
        received.verify()
    }

    /// The identity this is the history of.
    pub fn identifier(&self) -> Identifier {
        self.identifier
    }

    /// The key that may sign now.
    pub fn latest_key(&self) -> &PublicKey {
        &self.latest().content.primary_public_key
    }

    /// The hash of the latest change.
    pub fn latest_hash(&self) -> ChangeHash {
        self.latest().hash
    }

    /// The hash of every change, the first one first.
    pub fn hashes(&self) -> impl ExactSizeIterator<Item = ChangeHash> + '_ {
        self.entries.iter().map(|entry| entry.hash)
    }

    /// The first second the latest key may attest for.
    pub fn valid_from(&self) -> Timestamp {
        self.latest().content.attestations_valid_from
    }

    /// The last second the latest key may attest for.
    pub fn valid_until(&self) -> Timestamp {
        self.latest().content.attestations_valid_until
    }

    /// How this history relates to `other`: `Newer` means that `self` continues `other`.
    pub fn compare(&self, other: &Self) -> Comparison {
        // Signatures may differ over the same change (ECDSA is randomised): hashes decide.
        let same = |(a, b): (&ChainEntry, &ChainEntry)| a.hash == b.hash;
        if !self.entries.iter().zip(&other.entries).all(same) {
            return Comparison::Conflict;
        }
        match self.entries.len().cmp(&other.entries.len()) {
            std::cmp::Ordering::Equal => Comparison::Equal,
            std::cmp::Ordering::Greater => Comparison::Newer,
            std::cmp::Ordering::Less => Comparison::Older,
        }
    }

    /// At most how many bytes [`export`](Self::export) gives.
    pub(super) fn encoded_len(&self) -> usize {
        /// Two P-256 signatures, the array and the lengths around them.
        const AROUND_DATA: usize = 150;
        self.entries.iter().map(|entry| entry.change.data.len() + AROUND_DATA).sum()
    }

    pub(super) fn to_received(&self) -> ReceivedHistory {
        ReceivedHistory(self.entries.iter().map(|entry| entry.change.clone()).collect())
    }

    fn latest(&self) -> &ChainEntry {
        self.entries.last().expect("a verified history has a change")
    }
}
