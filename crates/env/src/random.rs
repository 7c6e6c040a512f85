//! Randomness: from the operating system for what must be unpredictable, from the thread's generator for jitter.

use std::io;

use rand::TryRngCore;
use rand::rngs::{OsRng, ThreadRng};

/// Fills a buffer with randomness of the operating system, for secrets and identifiers that others must not guess.
///
/// # Errors
/// When the operating system has none to give.
pub fn fill(buffer: &mut [u8]) -> io::Result<()> {
    OsRng.try_fill_bytes(buffer).map_err(io::Error::other)
}

/// An array of bytes, as [`fill`] gives them.
///
/// # Errors
/// As [`fill`].
pub fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// The thread's cryptographically secure generator, seeded by the operating system: for addresses, jitter and nonces of
/// probes, many times a second.
pub fn rng() -> ThreadRng {
    rand::rng()
}

/// A number from 0 (included) to 1 (excluded), for jitter.
pub fn fraction() -> f32 {
    rand::random()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        assert_ne!(bytes::<32>().unwrap(), bytes::<32>().unwrap());
        assert!((0.0..1.0).contains(&fraction()));
    }
}
