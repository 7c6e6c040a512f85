//! The seams to the outside: clippy fails on a direct call where a crate's `clippy.toml` disallows it. This checks that it does.
//!
//! Clippy reads the nearest `clippy.toml` only, so those of the crates repeat what the root's says.

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::Findings;
use super::sources::Sources;

const ROOT: &str = "clippy.toml";
const CRATES: &[&str] = &["crates/node/clippy.toml", "crates/hub/clippy.toml", "crates/engine/clippy.toml"];

/// For each thing that comes from outside, calls of which at least one must be disallowed, by how they begin.
const DISALLOWED: &[(&str, &[&str])] = &[
    ("the wall clock", &["std::time::SystemTime::now"]),
    ("monotonic time", &["std::time::Instant::now"]),
    ("random numbers", &["rand::"]),
    ("sockets", &["tokio::net::", "std::net::"]),
    ("files", &["std::fs::", "tokio::fs::"]),
    ("tasks", &["tokio::spawn", "tokio::task::spawn"]),
];

/// Crates whose `clippy.toml` is missing, differs from the others', or leaves something out.
///
/// # Errors
/// When one is not TOML.
pub(super) fn check(sources: &Sources) -> Result<Findings> {
    let mut findings = Findings::new();
    let mut present = CRATES.iter().filter_map(|path| Some((*path, sources.text(path)?)));
    let first = present.next();
    for path in CRATES {
        match (sources.text(path), first) {
            (None, _) => findings.push(format!("{path} does not exist")),
            (Some(text), Some((other, expected))) if text != expected => {
                findings.push(format!("{path} differs from {other}"))
            }
            _ => {}
        }
    }
    if let Some((path, text)) = first {
        let disallowed = disallowed(path, text)?;
        for (what, calls) in DISALLOWED {
            if !disallowed.iter().any(|path| calls.iter().any(|call| path.starts_with(call))) {
                findings.push(format!("{path}: nothing is disallowed for {what} ({})", calls.join(", ")));
            }
        }
        for call in self::disallowed(ROOT, sources.text(ROOT).unwrap_or_default())? {
            if !disallowed.contains(&call) {
                findings.push(format!("{path}: `{call}` is disallowed in {ROOT} only"));
            }
        }
    }
    Ok(findings)
}

/// The paths of `disallowed-methods` and `disallowed-types`.
fn disallowed(path: &str, text: &str) -> Result<Vec<String>> {
    let table: Table = text.parse().with_context(|| format!("{path} is not TOML"))?;
    let lists =
        ["disallowed-methods", "disallowed-types"].iter().filter_map(|list| table.get(*list)?.as_array()).flatten();
    let name = |entry: &Value| entry.as_str().or_else(|| entry.get("path")?.as_str()).map(str::to_owned);
    Ok(lists.filter_map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &str = r#"disallowed-methods = [
        { path = "std::thread::sleep", reason = "wait" }, "std::time::SystemTime::now", "std::time::Instant::now",
        "rand::random", "tokio::net::TcpStream::connect", "std::fs::read", "tokio::spawn",
    ]"#;
    const BASE: &str = r#"disallowed-methods = [{ path = "std::thread::sleep", reason = "wait" }]"#;

    fn findings(node: &str, hub: &str, engine: Option<&str>) -> Findings {
        let mut files = vec![(ROOT, BASE), (CRATES[0], node), (CRATES[1], hub)];
        files.extend(engine.map(|text| (CRATES[2], text)));
        check(&Sources::of(&files)).unwrap()
    }

    #[test]
    fn what_is_missing_or_differs_is_found() {
        assert_eq!(findings(ALL, ALL, Some(ALL)), Findings::new());
        assert_eq!(findings(ALL, ALL, None), ["crates/engine/clippy.toml does not exist"]);
        assert_eq!(findings(ALL, BASE, Some(ALL)), ["crates/hub/clippy.toml differs from crates/node/clippy.toml"]);
        let without = ALL.replace("\"rand::random\", ", "");
        assert_eq!(
            findings(&without, &without, Some(&without)),
            ["crates/node/clippy.toml: nothing is disallowed for random numbers (rand::)"]
        );
        let without = ALL.replace("std::thread::sleep", "std::thread::spawn");
        assert_eq!(
            findings(&without, &without, Some(&without)),
            ["crates/node/clippy.toml: `std::thread::sleep` is disallowed in clippy.toml only"]
        );
    }
}
