//! The length of files: what is longer than one reads at once needs a reason.

use super::Findings;
use super::markdown::{code, tables};
use super::sources::Sources;

/// Lines of a file; more needs a row in the table of large files.
const MAX_LINES: usize = 400;
const DOCUMENT: &str = "ARCHITECTURE.md";
const HEADING: &str = "Large files";
/// In the first line of a file that a program writes.
const GENERATED: &str = "Do not edit";

/// Files over [`MAX_LINES`] without a reason, and reasons without such a file.
pub(super) fn check(sources: &Sources) -> Findings {
    let tables = tables(sources.text(DOCUMENT).unwrap_or_default());
    let rows =
        tables.iter().filter(|table| table.heading.trim_start_matches('#').trim() == HEADING).flat_map(|it| &it.rows);
    let mut findings = Findings::new();
    let mut reasons = Vec::new();
    for row in rows {
        let paths = row.cells.iter().flat_map(|cell| code(cell)).filter(|path| path.contains('/'));
        for path in paths {
            if row.cells.len() < 2 || row.cells.iter().any(String::is_empty) {
                findings.push(format!("{DOCUMENT}:{}: no reason for `{path}`", row.line));
            }
            if lines(sources, path).is_none_or(|lines| lines <= MAX_LINES) {
                findings.push(format!("{DOCUMENT}:{}: `{path}` is no file over {MAX_LINES} lines", row.line));
            }
            reasons.push(path);
        }
    }
    for ending in [".rs", ".ts", ".svelte"] {
        for (path, text) in sources.ending(ending) {
            let generated = text.lines().next().is_some_and(|first| first.contains(GENERATED));
            let count = text.lines().count();
            if count > MAX_LINES && !generated && !reasons.contains(&path) {
                findings.push(format!("{path}: {count} lines, and no reason under \"{HEADING}\" of {DOCUMENT}"));
            }
        }
    }
    findings
}

fn lines(sources: &Sources, path: &str) -> Option<usize> {
    sources.text(path).map(|text| text.lines().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_needs_a_reason_and_a_reason_a_long_file() {
        let long = "\n".repeat(401);
        let generated = format!("// Written from the types. Do not edit.\n{long}");
        let short = "\n".repeat(400);
        let check = |rows: &str| {
            let document = format!("### Large files\n\n| file | why |\n|---|---|\n{rows}");
            check(&Sources::of(&[
                ("ARCHITECTURE.md", &document),
                ("c/long.rs", &long),
                ("c/short.rs", &short),
                ("ui/types.ts", &generated),
            ]))
        };
        assert_eq!(check("| `c/long.rs` | one state machine |\n"), Findings::new());
        assert_eq!(check(""), ["c/long.rs: 401 lines, and no reason under \"Large files\" of ARCHITECTURE.md"]);
        assert_eq!(check("| `c/long.rs` | |\n"), ["ARCHITECTURE.md:5: no reason for `c/long.rs`"]);
        assert_eq!(
            check("| `c/long.rs` | one |\n| `c/short.rs` | two |\n"),
            ["ARCHITECTURE.md:6: `c/short.rs` is no file over 400 lines"]
        );
    }
}
