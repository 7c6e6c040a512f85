//! Verification words as the terminal shows them: in groups of four, which are easier to read out and to compare.

use crate::terminal_text::escaped;
use postern_engine::verification_words::groups;

/// The words in one line, or that they are not known.
pub(crate) fn line(words: &str) -> String {
    if words.is_empty() { "words not known yet".to_owned() } else { escaped(&groups(words).join(" · ")) }
}

/// The words as indented lines of a paragraph.
pub(crate) fn block(words: &str) -> String {
    groups(words).into_iter().map(|group| format!("  {}\n", escaped(&group))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_shown_four_by_four() {
        let words = "a b c d e f g h";
        assert_eq!(line(words), "a b c d · e f g h");
        assert_eq!(block(words), "  a b c d\n  e f g h\n");
        assert_eq!(line(""), "words not known yet");
    }
}
