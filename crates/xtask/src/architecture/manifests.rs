//! The manifests of this workspace and of the workspaces beside it.

use std::collections::BTreeSet;

use super::Findings;
use super::sources::Sources;

/// Every crate of others that a manifest names as a dependency.
pub(super) fn direct_dependencies(sources: &Sources) -> BTreeSet<&str> {
    manifests(sources).flat_map(|(_, text)| dependencies_in(text)).map(name).collect()
}

/// Dependencies of the root workspace whose version is not the root manifest's.
pub(super) fn versions_outside_the_root(sources: &Sources) -> Findings {
    let root = sources.text("Cargo.toml").unwrap_or_default();
    let excluded = root.lines().find(|line| line.starts_with("exclude = ")).unwrap_or_default();
    let others: Vec<&str> = excluded.split('"').skip(1).step_by(2).collect();
    let mut findings = Findings::new();
    for (path, text) in manifests(sources).filter(|(path, _)| !others.iter().any(|other| path.starts_with(other))) {
        for line in dependencies_in(text).filter(|line| !line.contains("workspace = true")) {
            findings.push(format!("{path}: the version of `{}` belongs into the root manifest", name(line)));
        }
    }
    findings
}

fn manifests(sources: &Sources) -> impl Iterator<Item = (&str, &str)> {
    sources.ending("Cargo.toml")
}

/// The lines of a manifest that name a dependency on a crate of others.
fn dependencies_in(manifest: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    manifest.lines().filter(move |line| {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]") && *line != "[workspace.dependencies]";
            return false;
        }
        inside
            && line.contains('=')
            && !line.starts_with('#')
            && !line.starts_with("postern-")
            && !line.contains("path =")
    })
}

fn name(line: &str) -> &str {
    line.split(['.', ' ', '=']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_in_a_member_is_found() {
        let root = "exclude = [\"tests/interop\"]\n[workspace.dependencies]\nserde = \"1\"\n";
        let check = |line: &str| {
            let manifest = format!("[package]\nname = \"c\"\n[target.'cfg(unix)'.dependencies]\n{line}\n");
            let files = [
                ("Cargo.toml", root),
                ("c/Cargo.toml", &manifest),
                ("tests/interop/Cargo.toml", "[dependencies]\nhex = \"1\"\n"),
            ];
            versions_outside_the_root(&Sources::of(&files))
        };
        assert_eq!(check("serde.workspace = true"), Findings::new());
        assert_eq!(check("serde = \"1\""), ["c/Cargo.toml: the version of `serde` belongs into the root manifest"]);
    }
}
