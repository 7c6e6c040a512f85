use std::fmt;

use super::{Identifier, Timestamp};
use crate::vault;

/// Why an identity, or something signed by one, was refused or could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not what they should be.
    #[error("malformed {what}: {source}")]
    Malformed {
        /// What was being decoded.
        what: &'static str,
        /// Where and why decoding failed.
        source: minicbor::decode::Error,
    },
    /// More than this node handles or sends.
    #[error("{what} is larger than {max}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit, in bytes or in items.
        max: usize,
    },
    /// The text is no identifier.
    #[error("an identifier is the letter I and 64 hexadecimal digits")]
    BadIdentifier,
    /// A signed object of a version this node does not know.
    #[error("signed data has version {0}; update Postern to talk to this peer")]
    UnknownVersion(u8),
    /// A signed object of one kind where another belongs.
    #[error("signed data has type {found}, not {expected}")]
    WrongDataType {
        /// The type that belongs there (`docs/wire.md §6.1`).
        expected: u8,
        /// The type that was found.
        found: u8,
    },
    /// The changes of a history do not follow from each other.
    #[error("change {index} of the history {fault}")]
    BrokenChain {
        /// Which change, from 0.
        index: usize,
        /// What is wrong with it.
        fault: ChainFault,
    },
    /// A signature was not made by the key that should have made it.
    #[error("the signature of the {0} is not valid")]
    BadSignature(Signed),
    /// A newer history of the same identity has been seen: the key may have been stolen.
    #[error(
        "{0} presents a key history from before its last key change; \
         if it was restored from a backup, restore a newer one"
    )]
    OlderHistory(Identifier),
    /// Another continuation of the same identity has been seen: its key is in use elsewhere.
    #[error("{0} presents a key history that contradicts the known one; its key may be stolen")]
    ConflictingHistory(Identifier),
    /// Something signed about one identity was presented by, or for, another.
    #[error("the {what} is about {found}, not about {expected}")]
    WrongSubject {
        /// What was presented.
        what: Signed,
        /// Whom it should be about.
        expected: Identifier,
        /// Whom it is about.
        found: Identifier,
    },
    /// A credential without a subject.
    #[error("the credential names no subject")]
    NoSubject,
    /// The attestation was made with a key that is not the identity's latest.
    #[error("the attestation was made before the last key change of {0}")]
    StaleAttestation(Identifier),
    /// Signed for a time in which the signing key is not allowed to sign.
    #[error("the {0} reaches beyond the time its key may sign for; check the clock")]
    OutsideKeyValidity(Signed),
    /// Signed later than now.
    #[error("the {what} was made at {created} but it is {now}; check both clocks")]
    FromTheFuture {
        /// What was presented.
        what: Signed,
        /// When it says it was made, in seconds since 1970.
        created: Timestamp,
        /// The time of the check.
        now: Timestamp,
    },
    /// No longer valid.
    #[error("the {what} expired at {expires} and it is {now}; ask for a new one")]
    Expired {
        /// What was presented.
        what: Signed,
        /// When it expired, in seconds since 1970.
        expires: Timestamp,
        /// The time of the check.
        now: Timestamp,
    },
    /// An attested key is used for what it was not attested for.
    #[error("the attested key is for another purpose")]
    WrongPurpose,
    /// The attested key is not the one the peer proved to hold in the handshake.
    #[error("the channel's key is not the one {0} attests")]
    WrongChannelKey(Identifier),
    /// The attested postal key is not the one the sender proved to hold.
    #[error("the message's key is not the one {0} attests")]
    WrongPostalKey(Identifier),
    /// The trust policy refused the peer.
    #[error("{0} is not trusted here; compare it with the identifiers that are")]
    NotTrusted(Identifier),
    /// The issuer of a credential is not a trusted authority.
    #[error("{0} is not a trusted authority")]
    UntrustedIssuer(Identifier),
    /// The issuer of a credential is trusted, but its keys were never stored.
    #[error("the key history of authority {0} is not known; import it first")]
    UnknownAuthority(Identifier),
    /// A vault's key and a history that do not belong together.
    #[error(
        "the vault's key is not the latest of {0}; \
         load the history that was stored with the key"
    )]
    KeyMismatch(Identifier),
    /// The vault failed.
    #[error(transparent)]
    Vault(#[from] vault::Error),
}

/// The things an identity signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// A change of the identity's key.
    Change,
    /// An attestation of a purpose key.
    Attestation,
    /// A credential.
    Credential,
}

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Change => "key change",
            Self::Attestation => "purpose key attestation",
            Self::Credential => "credential",
        })
    }
}

/// What is wrong with a change in a history (`docs/wire.md §6.3`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainFault {
    /// There is no change at all.
    Missing,
    /// It does not name the change before it, or names one although it is the first.
    NotLinked,
    /// It lacks the previous key's signature, or has one although it is the first.
    NotHandedOver,
    /// It is valid from an earlier time than the change before it.
    BackInTime,
}

impl fmt::Display for ChainFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "is missing",
            Self::NotLinked => "does not follow from the one before",
            Self::NotHandedOver => "is not signed by exactly the keys it needs",
            Self::BackInTime => "starts before the one before it",
        })
    }
}
