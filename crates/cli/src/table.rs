//! Text for people: aligned, bounded, and without anything that moves a terminal's cursor.

use std::fmt::Write as _;
use unicode_width::UnicodeWidthStr;

/// Widest cell, in columns; names are cut to this.
const WIDEST: usize = 40;

/// A text of somebody else's making, safe to print: control characters and those that turn the reading direction are
/// escaped, and it is cut to [`WIDEST`] columns.
pub(crate) fn shown(text: &str) -> String {
    cut(&escaped(text), WIDEST)
}

/// As [`shown`], in full length.
pub(crate) fn escaped(text: &str) -> String {
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

/// Rows under a title, with columns as wide as their widest cell.
pub(crate) struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), rows: Vec::new() }
    }

    /// Adds a row. What others named must be [`shown`] before.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// The table, or nothing if it has no rows.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        if self.rows.is_empty() {
            return text;
        }
        if !self.title.is_empty() {
            text.push_str(&self.title);
            text.push('\n');
        }
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths).filter(|(_, width)| **width > 0) {
                let space = " ".repeat(width - cell.width());
                // Writing to a string does not fail.
                let _ = write!(line, "  {cell}{space}");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_move_the_cursor_or_turn_the_text() {
        assert_eq!(shown("a\x1b[2Jb\nc\u{202e}d\t"), "a\\u{1b}[2Jb\\nc\\u{202e}d\\t");
        assert_eq!(shown("Zoë 日本"), "Zoë 日本");
    }

    #[test]
    fn long_names_are_cut_by_what_they_take_on_the_screen() {
        assert_eq!(shown(&"x".repeat(40)), "x".repeat(40));
        assert_eq!(shown(&"x".repeat(41)), format!("{}…", "x".repeat(39)));
        let wide = shown(&"日".repeat(80));
        assert!(wide.width() <= WIDEST && wide.ends_with('…'), "{wide}");
    }

    #[test]
    fn columns_are_aligned_and_empty_ones_left_out() {
        let mut table = Table::new("Services");
        table.row(["wiki".into(), String::new(), "up".into()]);
        table.row(["日本".into(), String::new(), "down".into()]);
        table.row(["x".into(), String::new(), String::new()]);
        assert_eq!(table.text(), "Services\n  wiki  up\n  日本  down\n  x\n");
        assert_eq!(Table::new("Portals").text(), "");
    }
}
