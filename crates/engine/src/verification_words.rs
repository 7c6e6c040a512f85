//! Verification words: five words that two people compare to verify each other's identity.
//!
//! ```text
//! SHA-256("postern words v1" ‖ lower identifier ‖ higher identifier) ──► the first 5 bytes, a word each
//! ```
//!
//! Both sides see the same words because the identifiers are sorted first. Five words are 40 bits: too many for an attacker to
//! create an identity with the same words in reasonable time, and few enough to be read out.

use postern_node::identity::Identifier;
use sha2::{Digest, Sha256};

/// How many words there are.
pub const WORDS: usize = 5;

const DOMAIN: &[u8] = b"postern words v1";

/// The words of two identities, separated by spaces; their order does not matter.
pub fn words(one: &Identifier, other: &Identifier) -> String {
    let (low, high) = if one <= other { (one, other) } else { (other, one) };
    let hash = Sha256::new().chain_update(DOMAIN).chain_update(low.as_bytes()).chain_update(high.as_bytes()).finalize();
    let words: Vec<&str> = hash.iter().take(WORDS).map(|byte| LIST[usize::from(*byte)]).collect();
    words.join(" ")
}

#[rustfmt::skip]
const LIST: [&str; 256] = [
    "acid", "acorn", "actor", "album", "alley", "amber", "anchor", "ankle", "apple", "apron", "arch", "arrow",
    "atlas", "attic", "autumn", "axle", "bacon", "badge", "bagel", "bamboo", "banjo", "barn", "basil", "basket",
    "beach", "beetle", "bell", "berry", "bicycle", "birch", "biscuit", "blanket", "blossom", "bolt", "bonfire", "book",
    "bottle", "branch", "brick", "bridge", "brook", "bubble", "bucket", "butter", "button", "cabin", "cactus", "camel",
    "candle", "canoe", "canyon", "carpet", "carrot", "castle", "cedar", "cello", "chalk", "cherry", "chess", "chimney",
    "cinema", "circus", "clay", "clock", "cloud", "clover", "coal", "cobra", "coffee", "comet", "compass", "copper",
    "coral", "cotton", "cradle", "crane", "crayon", "crystal", "curtain", "daisy", "dawn", "desert", "diamond", "dinner",
    "dolphin", "donkey", "dragon", "drum", "eagle", "earth", "echo", "elbow", "ember", "engine", "fabric", "falcon",
    "feather", "fern", "ferry", "fiddle", "field", "finger", "flame", "flute", "forest", "fossil", "fountain", "fox",
    "galaxy", "garden", "garlic", "giant", "ginger", "glacier", "glove", "goose", "grape", "gravel", "guitar", "hammer",
    "harbor", "harp", "hazel", "helmet", "hermit", "hockey", "honey", "horizon", "hotel", "icicle", "igloo", "iris",
    "island", "ivory", "jacket", "jasmine", "jelly", "jewel", "jigsaw", "judge", "juice", "jungle", "kayak", "kettle",
    "kitchen", "kite", "kiwi", "ladder", "lagoon", "lantern", "lava", "lemon", "leopard", "letter", "library", "lily",
    "linen", "lizard", "lobster", "magnet", "mango", "maple", "marble", "market", "meadow", "melon", "metal", "mirror",
    "mitten", "monkey", "moss", "motor", "museum", "mustard", "napkin", "needle", "nest", "nickel", "north", "nutmeg",
    "oasis", "ocean", "olive", "onion", "opera", "orange", "orchid", "otter", "oven", "owl", "oyster", "paddle",
    "palace", "panda", "paper", "parrot", "peach", "pearl", "pebble", "pencil", "pepper", "piano", "picnic", "pigeon",
    "pillow", "pilot", "planet", "plum", "pocket", "poem", "pony", "potato", "puzzle", "quartz", "queen", "quilt",
    "rabbit", "radio", "raft", "rainbow", "raven", "ribbon", "river", "robin", "rocket", "saddle", "salmon", "sandal",
    "sapphire", "saturn", "scarf", "shadow", "silver", "sketch", "spider", "spoon", "squirrel", "statue", "summer", "sunset",
    "swan", "temple", "thunder", "tiger", "tomato", "trumpet", "tulip", "tunnel", "turtle", "umbrella", "velvet", "violin",
    "walnut", "willow", "winter", "zebra",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn words_are_distinct_short_and_plain() {
        assert_eq!(LIST.iter().collect::<BTreeSet<_>>().len(), LIST.len());
        for word in LIST {
            assert!((3..=8).contains(&word.len()) && word.bytes().all(|it| it.is_ascii_lowercase()), "{word}");
        }
    }

    #[test]
    fn both_sides_see_the_same_words_and_others_do_not() {
        let [ada, bea, cid] = [1, 2, 3].map(|byte| Identifier::from_bytes([byte; 32]));
        assert_eq!(words(&ada, &bea), words(&bea, &ada));
        assert_ne!(words(&ada, &bea), words(&ada, &cid));
        assert_eq!(words(&ada, &bea).split(' ').count(), WORDS);
    }
}
