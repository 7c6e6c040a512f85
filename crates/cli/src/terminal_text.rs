//! Text for a terminal: text from other people made safe to print, names quoted for a shell, and amounts of bytes.

use postern_engine::text_sanitizer::is_visible;
use unicode_width::UnicodeWidthStr;

/// Columns that a name is truncated to: half of a terminal of 80 columns.
const MAX_COLUMNS: usize = 40;

/// Text from other people made safe to print: control characters and bidirectional overrides are escaped, and it is
/// truncated to [`MAX_COLUMNS`] columns.
pub(crate) fn sanitized(text: &str) -> String {
    cut(&escaped(text), MAX_COLUMNS)
}

/// As [`sanitized`], but not truncated.
pub(crate) fn escaped(text: &str) -> String {
    // Also what holds joiners that have a visible effect, as emoji of several parts do.
    if is_visible(text) {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {
                safe.extend(c.escape_unicode());
            }
            c if c.is_control() => safe.extend(c.escape_default()),
            c => safe.push(c),
        }
    }
    safe
}

fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        if format!("{kept}{c}").width() >= columns {
            break;
        }
        kept.push(c);
    }
    kept.push('…');
    kept
}

/// A name quoted for a POSIX shell, whole: what is pasted there has to be the name. Only what no name can hold is escaped.
pub(crate) fn shell_quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':');
    match !name.is_empty() && name.chars().all(plain) {
        true => name.to_owned(),
        false => format!("'{}'", escaped(name).replace('\'', r"'\''")),
    }
}

/// Formats an amount of bytes with a decimal unit.
pub(crate) fn byte_size(count: u64) -> String {
    const STEPS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let (mut amount, mut step) = (count as f64 / 1000.0, 0);
    while amount >= 999.95 && step + 1 < STEPS.len() {
        (amount, step) = (amount / 1000.0, step + 1);
    }
    format!("{amount:.1} {}", STEPS[step])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_move_the_cursor_or_turn_the_text() {
        assert_eq!(sanitized("a\x1b[2Jb\nc\u{202e}d\t"), "a\\u{1b}[2Jb\\nc\\u{202e}d\\t");
        assert_eq!(sanitized("Zoë 日本"), "Zoë 日本");
        assert_eq!(sanitized("👩🏽\u{200d}🚀"), "👩🏽\u{200d}🚀");
        assert_eq!(sanitized("a\u{200d}b"), "a\\u{200d}b");
    }

    #[test]
    fn long_names_are_cut_by_what_they_take_on_the_screen() {
        assert_eq!(sanitized(&"x".repeat(40)), "x".repeat(40));
        assert_eq!(sanitized(&"x".repeat(41)), format!("{}…", "x".repeat(39)));
        let wide = sanitized(&"日".repeat(80));
        assert!(wide.width() <= MAX_COLUMNS && wide.ends_with('…'), "{wide}");
    }

    #[test]
    fn byte_sizes_have_one_decimal_and_a_decimal_unit() {
        assert_eq!(byte_size(999), "999 B");
        assert_eq!(byte_size(1000), "1.0 kB");
        assert_eq!(byte_size(1_048_576), "1.0 MB");
        assert_eq!(byte_size(u64::MAX), "18446744.1 TB");
    }
}
