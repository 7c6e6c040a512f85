//! Removing what is personal from lines of the log before they are appended to a report: names, addresses, paths, identifiers.
//!
//! ```text
//! a line ─► names that the snapshot shows ─► … ─► words that look like an address, a path or an identifier ─► …
//! ```
//!
//! The log should hold nothing personal above DEBUG, but messages of libraries and of the system quote what they were given.
//! The rule for words is broad on purpose: a version number that is lost costs less than an address that is shown.

use postern_engine::api::Snapshot;
use serde_json::Value;

/// What takes the place of something personal.
const REMOVED: &str = "…";
/// The keys of a snapshot under which something personal is.
const PERSONAL: &[&str] = &[
    "name",
    "own_name",
    "owner_name",
    "service_name",
    "note",
    "description",
    "target",
    "address",
    "addresses",
    "url",
    "path",
    "identifier",
    "data_dir",
];
/// Shorter names are not searched for: a single letter is in every word.
const NAME_MIN: usize = 2;
/// Hexadecimal words up to this length are not removed: an identifier's first eight digits may be in a log.
const SHORT_IDENTIFIER: usize = 9;

/// What a snapshot shows of people and places, longest first, so that a name that holds another is removed whole.
pub(super) fn personal_texts(snapshot: &Snapshot) -> Vec<String> {
    let mut texts = Vec::new();
    collect(&serde_json::to_value(snapshot).unwrap_or_default(), false, &mut texts);
    texts.retain(|text| text.chars().count() >= NAME_MIN);
    texts.sort_by_key(|text| (std::cmp::Reverse(text.len()), text.clone()));
    texts.dedup();
    texts
}

fn collect(value: &Value, is_personal: bool, texts: &mut Vec<String>) {
    match value {
        Value::String(text) if is_personal => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, is_personal, texts)),
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| collect(value, PERSONAL.contains(&key.as_str()), texts));
        }
        _ => {}
    }
}

/// The log without what is personal.
pub(super) fn redact(log: &str, personal: &[String]) -> String {
    let mut text = log.to_owned();
    for name in personal {
        text = text.replace(name.as_str(), REMOVED);
    }
    let lines = text.lines().map(|line| {
        let words = line.split(' ').enumerate().map(|(index, word)| redact_word(index == 0, word));
        words.collect::<Vec<_>>().join(" ")
    });
    let mut redacted = lines.collect::<Vec<_>>().join("\n");
    redacted.push('\n');
    redacted
}

/// A word, in which each part between quotes, brackets, commas and equals signs is looked at.
fn redact_word(is_first: bool, word: &str) -> String {
    if is_first && is_timestamp(word) {
        return word.to_owned();
    }
    let is_separator = |letter: char| letter.is_whitespace() || "\"'`(){}<>,;=".contains(letter);
    let mut out = String::new();
    let mut part = String::new();
    for letter in word.chars() {
        if is_separator(letter) {
            out.push_str(redact_part(&std::mem::take(&mut part)).as_str());
            out.push(letter);
        } else {
            part.push(letter);
        }
    }
    out.push_str(&redact_part(&part));
    out
}

fn redact_part(part: &str) -> String {
    let core = part.trim_end_matches(|letter: char| ".:!?]".contains(letter)).trim_start_matches('[');
    if looks_personal(core) { part.replacen(core, REMOVED, 1) } else { part.to_owned() }
}

/// Whether a word looks like an address, a host, a path, a link or an identifier.
fn looks_personal(word: &str) -> bool {
    let has_digit = word.contains(|letter: char| letter.is_ascii_digit());
    let is_dotted = word.split('.').filter(|label| !label.is_empty()).count() >= 2;
    // Rust's module paths, as `postern_engine::driver`, have colons and no digits.
    let is_address = word.contains(':') && (has_digit || word.contains("::") && word.bytes().all(is_hex_or_colon));
    let is_path = word.contains('/') || word.contains('\\') || word.contains('@');
    let is_identifier = word.len() > SHORT_IDENTIFIER
        && has_digit
        && word.trim_start_matches('I').bytes().all(|it| it.is_ascii_hexdigit());
    is_dotted || is_address || is_path || is_identifier
}

fn is_hex_or_colon(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || byte == b':'
}

/// `2026-01-31T12:34:56.789Z`, with which a line of the log begins.
fn is_timestamp(word: &str) -> bool {
    let is_part = |letter: char| letter.is_ascii_digit() || "-T:.Z+".contains(letter);
    word.len() >= 20 && word.chars().all(is_part) && word.as_bytes().get(10) == Some(&b'T')
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
2026-11-28T03:50:39.123456Z  INFO postern_node::session::hub: connected to the hub hub=hub.ann-lovelace.example:4000
2026-11-28T03:50:39.123456Z  WARN postern_engine::driver::hubs: cannot connect to 192.168.7.9:4000: Connection refused (os error 111)
2026-11-28T03:50:40.000001Z DEBUG postern_engine: dialed [fd12:3456::9]:7000 and fe80::1, then \"::1\" peer=I3f9a
2026-11-28T03:50:41.000001Z ERROR postern_app: /home/ann/.local/share/postern/postern.db cannot be used; path=C:\\Users\\Ann\\x
2026-11-28T03:50:42.000001Z  WARN postern_engine: Ann Lovelace shares Grandma's photos, write to ann@example.org
2026-11-28T03:50:43.000001Z  WARN postern_engine: unknown peer I0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
2026-11-28T03:50:44.000001Z  WARN postern_engine: postern://join/AbCdEf and db.internal. Also nas:5555, done.
";

    #[test]
    fn nothing_personal_is_left_of_a_log() {
        let names = ["Grandma's photos".to_owned(), "Ann Lovelace".to_owned()];
        let redacted = redact(LOG, &names);
        for private in [
            "hub.ann",
            "lovelace",
            "Lovelace",
            "192.168",
            "4000",
            "fd12",
            "7000",
            "fe80",
            "::1",
            "/home",
            "Users",
            "Grandma",
            "photos",
            "@",
            "abcdef",
            "postern://",
            "AbCdEf",
            "internal",
            "nas",
            "5555",
        ] {
            assert!(!redacted.contains(private), "{private} in {redacted}");
        }
        // What helps is still there.
        for useful in [
            "2026-11-28T03:50:39.123456Z",
            "postern_node::session::hub: connected to the hub",
            "Connection refused (os error 111)",
            "cannot be used",
            "peer=I3f9a",
            "done.",
        ] {
            assert!(redacted.contains(useful), "{useful} not in {redacted}");
        }
    }
}
