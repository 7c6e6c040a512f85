//! Tables in the terminal: aligned columns under a title.

use std::fmt::Write as _;
use unicode_width::UnicodeWidthStr;

/// Rows under a title, with columns as wide as their widest cell.
pub(crate) struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), rows: Vec::new() }
    }

    /// Adds a row. Text from other people must be [`sanitized`](crate::terminal_text::sanitized) before.
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
    fn columns_are_aligned_and_empty_ones_left_out() {
        let mut table = Table::new("Services");
        table.row(["wiki".into(), String::new(), "up".into()]);
        table.row(["日本".into(), String::new(), "down".into()]);
        table.row(["x".into(), String::new(), String::new()]);
        assert_eq!(table.text(), "Services\n  wiki  up\n  日本  down\n  x\n");
        assert_eq!(Table::new("Portals").text(), "");
    }
}
