//! Every example runs to its end by itself and prints what its documentation says.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where cargo puts the examples of the profile that this test was built in.
pub(crate) fn built_examples() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    // target/PROFILE/deps/nodes-HASH
    this.parent().and_then(Path::parent).unwrap().join("examples")
}

/// The block of an example's documentation that says what it prints.
fn documented(source: &str) -> String {
    let mut lines = source.lines().skip_while(|line| *line != "//! ```text").skip(1);
    let block: Vec<_> = lines.by_ref().take_while(|line| *line != "//! ```").collect();
    block.iter().map(|line| format!("{}\n", line.trim_start_matches("//! "))).collect()
}

/// The sources of the examples that are one file each; `ported` shows another thing, and has tests of its own.
fn sources() -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")).unwrap();
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|it| it == "rs")).collect()
}

#[test]
fn every_example_prints_what_it_documents() {
    let sources: BTreeMap<String, String> = sources()
        .into_iter()
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap()))
        .collect();
    assert!(sources.len() >= 10, "{:?}", sources.keys());
    for (name, source) in sources {
        let program = built_examples().join(&name);
        let output = Command::new(&program).output();
        // `cargo test` builds the examples, unless targets are named (`--test nodes`).
        let output = output.unwrap_or_else(|error| {
            panic!("run `cargo build --workspace --examples` first: {}: {error}", program.display())
        });
        let (printed, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{name}: {}\n{printed}{errors}", output.status);
        assert!(source.contains(&format!("//! cargo run -p postern-node --example {name}\n")), "{name}");
        assert_eq!(printed, documented(&source), "{name}");
        assert!(!printed.is_empty(), "{name}");
    }
}

/// Trusting anyone is shown once, where it is explained.
#[test]
fn examples_trust_only_whom_they_name() {
    for path in sources() {
        let source = fs::read_to_string(&path).unwrap();
        let explains = path.ends_with("secure_channel_trust_anyone.rs");
        assert_eq!(source.contains("::trust_anyone("), explains, "{}", path.display());
    }
}
