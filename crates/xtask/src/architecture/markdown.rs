//! The tables of a document.

/// A table and its heading.
pub(super) struct Table {
    /// The line of the last heading before it, as `## Limits`.
    pub(super) heading: String,
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Row>,
}

/// One row of a table: its line in the document, and its cells without white space around them.
pub(super) struct Row {
    pub(super) line: usize,
    pub(super) cells: Vec<String>,
}

/// Every table of a document, in order.
pub(super) fn tables(document: &str) -> Vec<Table> {
    let mut found: Vec<Table> = Vec::new();
    let mut heading = "";
    let mut inside = false;
    for (number, line) in document.lines().enumerate() {
        if line.starts_with('#') {
            heading = line.trim_end();
        }
        let row = line.starts_with('|');
        match found.last_mut().filter(|_| inside) {
            Some(table) if row && !line.starts_with("|-") => {
                table.rows.push(Row { line: number + 1, cells: cells(line) })
            }
            None if row => found.push(Table { heading: heading.into(), head: cells(line), rows: Vec::new() }),
            _ => {}
        }
        inside = row;
    }
    found
}

fn cells(row: &str) -> Vec<String> {
    let row = row.trim();
    let row = row.strip_prefix('|').unwrap_or(row);
    row.strip_suffix('|').unwrap_or(row).split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// The text in backticks.
pub(super) fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_found_with_their_headings() {
        let document =
            "# A\n\n| x |\n|---|\n| 1 |\n\n## B\n\nText.\n\n| y | z |\n|---|---|\n| `2` | |\n| 4 | 5 |\n\n## C\n";
        let found = tables(document);
        assert_eq!(found.iter().map(|table| table.heading.as_str()).collect::<Vec<_>>(), ["# A", "## B"]);
        assert_eq!(found[1].head, ["y", "z"]);
        assert_eq!(found[1].rows.iter().map(|row| row.line).collect::<Vec<_>>(), [13, 14]);
        assert_eq!(found[1].rows[0].cells, ["`2`", ""]);
        assert_eq!(code("a `b` c `d::e`").collect::<Vec<_>>(), ["b", "d::e"]);
    }
}
