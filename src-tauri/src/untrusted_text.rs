//! Sanitizes text from other people for menus and notifications.
//!
//! In: any name, of any length, in any script, with control characters or markup in it. Out: one short line that cannot
//! contain a line break, change the direction of the text beside it, or be read as markup or a mnemonic.

use postern_engine::text_sanitizer::visible;

/// The longest name in a menu, in characters: an item with two names stays under 100 characters.
pub const MAX_MENU_NAME: usize = 32;
/// The longest name in a notification, in characters: about one line on GNOME and KDE.
pub const MAX_NOTIFICATION_NAME: usize = 60;

const FIRST_STRONG_ISOLATE: char = '\u{2068}';
const POP_ISOLATE: char = '\u{2069}';
const NON_JOINER: char = '\u{200c}';
const JOINER: char = '\u{200d}';

/// The text as one line of at most `max_chars` characters, with bidirectional isolation if it contains right-to-left
/// characters.
#[must_use]
pub fn sanitize_line(text: &str, max_chars: usize) -> String {
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        let sanitized = visible(word);
        if !sanitized.is_empty() && !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&sanitized);
    }
    let line = truncate(&line, max_chars);
    match line.chars().any(is_right_to_left) {
        true => format!("{FIRST_STRONG_ISOLATE}{line}{POP_ISOLATE}"),
        false => line,
    }
}

/// Escapes a text for a notification body that is interpreted as markup.
#[must_use]
pub fn escape_markup(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Doubles the character that marks the next one as a mnemonic.
#[must_use]
pub fn escape_mnemonic(text: &str, mark: char) -> String {
    text.replace(mark, &format!("{mark}{mark}"))
}

/// Truncates with an ellipsis, never inside a grapheme: that would show another character.
fn truncate(line: &str, max_chars: usize) -> String {
    if line.chars().count() <= max_chars {
        return line.into();
    }
    let characters: Vec<char> = line.chars().collect();
    let mut end = max_chars.saturating_sub(1);
    while end > 0 && (is_joined(characters[end]) || characters[end - 1] == JOINER) {
        end -= 1;
    }
    let kept: String = characters[..end].iter().collect();
    format!("{}…", kept.trim_end())
}

fn is_joined(c: char) -> bool {
    matches!(c, JOINER | NON_JOINER | '\u{0300}'..='\u{036f}' | '\u{1ab0}'..='\u{1aff}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e01ef}')
}

fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{0590}'..='\u{08ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{10800}'..='\u{10fff}'
        | '\u{1e800}'..='\u{1efff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_name_is_unchanged() {
        assert_eq!(sanitize_line("Zoë’s café_1", 32), "Zoë’s café_1");
        for joined in ["👩‍💻 Ann", "👨‍👩‍👧‍👦", "می\u{200c}خواهم"] {
            assert_eq!(sanitize_line(joined, 32).trim_matches([FIRST_STRONG_ISOLATE, POP_ISOLATE]), joined);
        }
    }

    #[test]
    fn line_breaks_and_direction_marks_are_removed() {
        assert_eq!(sanitize_line("  a\n\tb\u{202e}c\u{0} ", 32), "a bc");
        assert_eq!(sanitize_line("\u{200b}\u{feff}", 32), "");
        assert_eq!(sanitize_line("Ann\u{200d} \u{3164}", 32), "Ann");
        assert_eq!(sanitize_line("שלום", 32), "\u{2068}שלום\u{2069}");
    }

    #[test]
    fn a_long_name_is_truncated_between_graphemes() {
        assert_eq!(sanitize_line(&"x".repeat(100), 8), "xxxxxxx…");
        assert_eq!(sanitize_line("abcdef 👩‍💻👩‍💻", 9), "abcdef…");
        assert_eq!(sanitize_line("abcde\u{0301}\u{0301}\u{0301}fgh", 6), "abcd…");
    }

    #[test]
    fn markup_and_mnemonics_are_escaped() {
        assert_eq!(escape_markup("<b>A & B</b>"), "&lt;b&gt;A &amp; B&lt;/b&gt;");
        assert_eq!(escape_mnemonic("my_db_1", '_'), "my__db__1");
    }
}
