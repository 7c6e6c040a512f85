//! Data records, the hot path of a channel, as pure state (`docs/wire.md §7.4, §7.5`).
//!
//! ```text
//! record  =  nonce (8 bytes, big-endian)  ‖  ciphertext  ‖  tag (16 bytes)
//! key i   =  serves nonces 32i … 32i+31, derived from key i-1
//!
//! Sealer: plaintext ──► sealed in place, nonce and tag handed back
//! Opener: record ──► nonce in the window and new? ──► opened in place ──► only now: state moves
//! ```
//!
//! The replay window accepts each record once, in any order within [`REPLAY_WINDOW`]. A record that fails to open changes
//! nothing. More than [`REPLAY_WINDOW`] records lost in a row make
//! the channel deaf for good: it must then be made anew.

use std::fmt;

use crate::crypto::{AeadKey, KEY_LEN, TAG_LEN};
use zeroize::Zeroizing;

/// Length in bytes of the nonce in front of a record (`docs/wire.md §7.4`).
pub(crate) const NONCE_LEN: usize = 8;

/// Bytes a record adds to its plaintext: [`NONCE_LEN`] in front, [`TAG_LEN`] behind.
pub(crate) const OVERHEAD: usize = NONCE_LEN + TAG_LEN;

/// Records sealed with one key (`docs/wire.md §7.5`).
pub const REKEY_INTERVAL: u64 = 32;

/// The replay window: largest distance of an acceptable nonce from the highest one accepted (`docs/wire.md §7.5`).
pub const REPLAY_WINDOW: u64 = 32;

/// The plaintext that closes a channel, sent once and never answered (`docs/wire.md §7.4`).
pub(crate) const CLOSE_PLAINTEXT: [u8; 5] = [0x82, 0x82, 0x02, 0x80, 0x40];

/// Reserved for deriving keys, so it never numbers a record (`docs/wire.md §7.5`).
const REKEY_NONCE: u64 = u64::MAX;

/// Why a record was neither sealed nor opened; the state is as it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RecordError {
    /// The record has no room for a nonce and a tag.
    #[error("record of {length} bytes is shorter than {OVERHEAD}")]
    TooShort {
        /// Bytes in the record.
        length: usize,
    },
    /// The nonce is further than [`REPLAY_WINDOW`] from the highest one accepted.
    #[error("record {nonce} is too far from record {highest}")]
    OutsideWindow {
        /// Nonce of the record.
        nonce: u64,
        /// Highest nonce accepted so far.
        highest: u64,
    },
    /// A record with this nonce was opened before.
    #[error("record {nonce} was seen before")]
    Replayed {
        /// Nonce of the record.
        nonce: u64,
    },
    /// The record was altered on its way, or sealed with another key.
    #[error("record {nonce} failed authentication")]
    Forged {
        /// Nonce of the record.
        nonce: u64,
    },
    /// The plaintext is longer than AES-GCM can seal (64 GiB).
    #[error("plaintext of {length} bytes is too long to seal")]
    TooLong {
        /// Bytes in the plaintext.
        length: usize,
    },
    /// All 2^64-1 nonces are used up.
    #[error("no nonces are left")]
    Exhausted,
}

/// The first key of one direction, as the handshake made it; wiped when dropped.
pub(crate) struct RecordKey(Box<Zeroizing<[u8; KEY_LEN]>>);

impl RecordKey {
    pub(crate) fn from_bytes(bytes: &[u8; KEY_LEN]) -> Self {
        // Boxed, so that moving the key leaves no unwiped copy behind.
        Self(Box::new(Zeroizing::new(*bytes)))
    }

    #[cfg(test)]
    pub(super) fn expose(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordKey").finish_non_exhaustive()
    }
}

/// The key of one interval, kept only in expanded form: that is enough to derive the next one.
struct IntervalKey(AeadKey);

impl IntervalKey {
    fn new(key: &RecordKey) -> Self {
        Self(AeadKey::new(&key.0))
    }

    fn next(&self) -> Self {
        Self(AeadKey::new(&self.next_bytes()))
    }

    /// Zeros sealed under the reserved nonce, without their tag (`docs/wire.md §7.5`).
    fn next_bytes(&self) -> Zeroizing<[u8; KEY_LEN]> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        let _tag = self.0.seal(REKEY_NONCE, bytes.as_mut()).expect("AES-GCM can always seal 32 bytes");
        bytes
    }
}

fn interval(nonce: u64) -> u64 {
    nonce / REKEY_INTERVAL
}

/// Seals one direction's records, in order.
pub(crate) struct Sealer {
    key: IntervalKey,
    interval: u64,
    next: u64,
}

impl Sealer {
    /// Starts at nonce 0 with the handshake's key.
    #[must_use]
    pub(crate) fn new(key: &RecordKey) -> Self {
        Self { key: IntervalKey::new(key), interval: 0, next: 0 }
    }

    /// Seals `plaintext` in place and returns the nonce to put in front and the tag to put behind.
    ///
    /// # Errors
    /// [`RecordError::Exhausted`] or [`RecordError::TooLong`]; after an error `plaintext` must not
    /// be sent.
    pub(crate) fn seal(&mut self, plaintext: &mut [u8]) -> Result<([u8; NONCE_LEN], [u8; TAG_LEN]), RecordError> {
        if self.next == REKEY_NONCE {
            return Err(RecordError::Exhausted);
        }
        if interval(self.next) != self.interval {
            self.key = self.key.next();
            self.interval = interval(self.next);
        }
        let length = plaintext.len();
        let tag = self.key.0.seal(self.next, plaintext).map_err(|_| RecordError::TooLong { length })?;
        let number = self.next.to_be_bytes();
        self.next += 1;
        Ok((number, tag))
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("next", &self.next).finish_non_exhaustive()
    }
}

/// Opens the other direction's records, each once, in any order within [`REPLAY_WINDOW`].
pub(crate) struct Opener {
    /// Absent only in the first interval.
    previous: Option<IntervalKey>,
    /// The key of the interval that `highest` lies in.
    current: IntervalKey,
    highest: u64,
    /// Bit `i` stands for nonce `highest - i`; only the lowest [`REPLAY_WINDOW`] + 1 matter.
    seen: u64,
}

impl Opener {
    /// Starts at nonce 0 with the handshake's key.
    #[must_use]
    pub(crate) fn new(key: &RecordKey) -> Self {
        Self { previous: None, current: IntervalKey::new(key), highest: 0, seen: 0 }
    }

    /// Opens `record` in place and returns its plaintext, a part of `record`.
    ///
    /// # Errors
    /// [`RecordError::TooShort`], [`OutsideWindow`](RecordError::OutsideWindow),
    /// [`Replayed`](RecordError::Replayed), [`Forged`](RecordError::Forged) or
    /// [`Exhausted`](RecordError::Exhausted). The opener is then as before the call, while the
    /// bytes of `record` are lost.
    pub(crate) fn open<'a>(&mut self, record: &'a mut [u8]) -> Result<&'a mut [u8], RecordError> {
        let length = record.len();
        let Some((number, sealed)) =
            record.split_first_chunk_mut::<NONCE_LEN>().filter(|(_, sealed)| sealed.len() >= TAG_LEN)
        else {
            return Err(RecordError::TooShort { length });
        };
        let number = u64::from_be_bytes(*number);
        self.check_window(number)?;

        // The window is no longer than an interval, so it reaches one interval back or ahead.
        let wanted = interval(number);
        let reached = interval(self.highest);
        let plaintext = if wanted == reached {
            unseal(&self.current, number, sealed)?
        } else if wanted > reached {
            let next = self.current.next();
            let plaintext = unseal(&next, number, sealed)?;
            self.previous = Some(std::mem::replace(&mut self.current, next));
            plaintext
        } else {
            let forged = RecordError::Forged { nonce: number };
            unseal(self.previous.as_ref().ok_or(forged)?, number, sealed)?
        };
        self.mark(number);
        Ok(plaintext)
    }

    fn check_window(&self, number: u64) -> Result<(), RecordError> {
        if number == REKEY_NONCE {
            return Err(RecordError::Exhausted);
        }
        if number.abs_diff(self.highest) > REPLAY_WINDOW {
            return Err(RecordError::OutsideWindow { nonce: number, highest: self.highest });
        }
        if number <= self.highest && self.seen & (1 << (self.highest - number)) != 0 {
            return Err(RecordError::Replayed { nonce: number });
        }
        Ok(())
    }

    fn mark(&mut self, number: u64) {
        if number > self.highest {
            let ahead = number - self.highest;
            self.seen = (self.seen << ahead) | 1;
            self.highest = number;
        } else {
            self.seen |= 1 << (self.highest - number);
        }
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener")
            .field("highest", &self.highest)
            .field("seen", &format_args!("{:#b}", self.seen))
            .finish_non_exhaustive()
    }
}

fn unseal<'a>(key: &IntervalKey, number: u64, sealed: &'a mut [u8]) -> Result<&'a mut [u8], RecordError> {
    key.0.open(number, sealed).ok_or(RecordError::Forged { nonce: number })
}

#[cfg(test)]
mod tests;
