//! Finding links in what people paste: text that mail and chat programs have changed.
//!
//! ```text
//! pasted text ─ as it is; quoted-printable, percent and urldefense.com (version 2) encoding undone ─► variants
//! variant ─ invisible characters and wrapped lines removed ─► what follows each prefix, or each `#` of a web address
//! ```
//!
//! The text is untrusted and at most [`MAX_PASTED`] bytes long. What comes out contains the secret of the invitation, so every copy is
//! erased when it is dropped.

use super::PREFIX;
use zeroize::Zeroizing;

/// Longest text in which a link is searched, in bytes: more than a chat message with a quoted mail.
pub(super) const MAX_PASTED: usize = 16 * 1024;
/// How often percent encoding is undone: a protected link inside a protected link, as in a forwarded mail.
const MAX_ENCODINGS: usize = 3;
/// Most places in one variant where a link is tried. A text that mentions the prefix more often is no message of a person.
const MAX_PLACES: usize = 64;

/// The ways to read a text, the likeliest first. None for a text that is too long.
pub(super) fn variants(text: &str) -> Vec<Zeroizing<String>> {
    if text.len() > MAX_PASTED {
        return Vec::new();
    }
    let mut variants = vec![unwrapped(text)];
    let mut encoded = Zeroizing::new(text.to_owned());
    for _ in 0..MAX_ENCODINGS {
        if !encoded.contains('%') {
            break;
        }
        encoded = decoded(&encoded, b'%');
        variants.push(unwrapped(&encoded));
    }
    if text.contains('=') {
        variants.push(unwrapped(&decoded(text, b'=')));
    }
    // urldefense.com, version 2: `-3A` for a colon, `_` for a slash.
    let lower = Zeroizing::new(text.to_ascii_lowercase());
    if lower.contains("postern-3a__join_") {
        variants.push(Zeroizing::new(lower.replace("postern-3a__join_", PREFIX)));
    }
    variants
}

/// What follows each prefix, and each `#` of a web address, in the order of the text.
pub(super) fn places(text: &str) -> Vec<&str> {
    // ASCII only, so that places in the one are places in the other.
    let lower = Zeroizing::new(text.to_ascii_lowercase());
    let after_prefix = lower.match_indices(PREFIX).map(|(at, _)| &text[at + PREFIX.len()..]);
    let web = ["https://", "http://"].into_iter().filter_map(|it| lower.find(it)).min().unwrap_or(text.len());
    let after_hash = text[web..].match_indices('#').map(|(at, _)| {
        let code = &text[web + at + 1..];
        code.strip_prefix("join/").unwrap_or(code)
    });
    after_prefix.chain(after_hash).take(MAX_PLACES).collect()
}

/// A text without invisible characters and without line breaks, those of quoted lines (`>`, `|`) and of quoted-printable text (`=` at
/// the end of a line) too. Other spaces stay.
fn unwrapped(text: &str) -> Zeroizing<String> {
    let mut kept = Zeroizing::new(String::with_capacity(text.len()));
    for line in text.split(['\n', '\r', '\u{2028}', '\u{2029}']) {
        let line = line.trim_start_matches(|it: char| it.is_whitespace() || matches!(it, '>' | '|'));
        let line = line.trim_end();
        let line = line.strip_suffix('=').unwrap_or(line);
        kept.extend(line.chars().filter(|it| !is_invisible(*it)));
    }
    kept
}

/// Characters that programs put into long words to break them, and that nobody sees.
fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A text whose bytes after `mark` (`%` or `=`) were two hexadecimal digits. What is no such pair stays.
fn decoded(text: &str, mark: u8) -> Zeroizing<String> {
    let bytes = text.as_bytes();
    let mut plain = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let pair = bytes.get(at + 1..at + 3).filter(|pair| *byte == mark && pair.iter().all(u8::is_ascii_hexdigit));
        let value = pair.and_then(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        plain.push(value.unwrap_or(*byte));
        at += if value.is_some() { 3 } else { 1 };
    }
    Zeroizing::new(String::from_utf8_lossy(&plain).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_undone_and_other_signs_stay() {
        assert_eq!(decoded("100% a%2Fb%2", b'%').as_str(), "100% a/b%2");
        assert_eq!(decoded("a=3Db=E2=80=8Bc=", b'=').as_str(), "a=b\u{200b}c=");
        assert_eq!(unwrapped("> > postern:/=\r\n> /join\u{200b}/a b").as_str(), "postern://join/a b");
    }

    #[test]
    fn every_mention_is_a_place_up_to_the_limit() {
        assert_eq!(places("POSTERN://join/x postern://join/y"), ["x postern://join/y", "y"]);
        assert_eq!(places("#no https://a/#join/x#y"), ["x#y", "y"]);
        assert_eq!(places("http://localhost:1/join#join/x"), ["x"]);
        assert_eq!(places(&PREFIX.repeat(1000)).len(), MAX_PLACES);
        assert!(variants(&"x".repeat(MAX_PASTED + 1)).is_empty());
    }
}
