//! Verification words: eight words that stand for one person's present key. Two people compare them to verify each other.
//!
//! ```text
//! SHA-256("postern verification words 2" ‖ SHA-256 of the latest change of the key history) ──► the first 88 bits, 11 to a word
//! ```
//!
//! The words are those of one person, not of a pair: whoever wants to be taken for Ann needs a second preimage of Ann's words.
//! They follow from the latest change, so they change whenever the key does, and a stolen key that was replaced has other
//! words. `docs/wire.md §6.6` specifies them, `docs/decisions/0016-verification-words.md` states what forging them costs.

use bip39::Language;
use sha2::{Digest, Sha256};

/// How many words there are.
pub const WORDS: usize = 8;
/// Bits that one word stands for: the list has 2,048 words.
const BITS_OF_WORD: usize = 11;
const DOMAIN: &[u8] = b"postern verification words 2";

/// The way in which words are made of a key. A mark that words were compared says which it was, so that a comparison of the
/// words of one scheme never counts for those of another.
///
/// 1 was five words of a pair of identifiers (until November 2026); 2 is [`words`].
pub const SCHEME: u32 = 2;

/// The words of the person whose key history ends with the change that has this hash, separated by spaces.
pub fn words(latest_change: &[u8; 32]) -> String {
    let list = Language::English.word_list();
    let digest = digest(latest_change);
    let words: Vec<&str> = (0..WORDS).map(|number| list[usize::from(word_index(&digest, number))]).collect();
    words.join(" ")
}

/// Some words as they are shown, four by four, which is easier to read out and to compare; none for none.
pub fn groups(words: &str) -> Vec<String> {
    let words: Vec<&str> = words.split_whitespace().collect();
    words.chunks(WORDS / 2).map(|group| group.join(" ")).collect()
}

fn digest(latest_change: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(DOMAIN).chain_update(latest_change).finalize().into()
}

/// The bits of a word, the most significant first. There are [`WORDS`] words, which end within the digest.
fn word_index(digest: &[u8; 32], number: usize) -> u16 {
    let bit = |at: usize| u16::from(digest[at / 8] >> (7 - at % 8) & 1);
    (number * BITS_OF_WORD..(number + 1) * BITS_OF_WORD).fold(0, |index, at| index << 1 | bit(at))
}

#[cfg(test)]
mod tests;
