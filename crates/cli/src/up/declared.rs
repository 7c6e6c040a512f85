//! The content of `portals.toml`: services and inlets that are declared in a file.
//!
//! ```toml
//! name = "Ada"
//! hubs = ["hub.example:4000"]
//!
//! [services.wiki]
//! target = "localhost:3000"
//! kind = "http"
//!
//! [inlets.database]
//! link-file = "database.link"     # or link = "postern://join/…", if nobody else can read this file
//! port = 5433
//! browser-check = true            # of portals to web pages; as it is if absent
//! ```
//!
//! Unknown keys are errors, and an error never quotes the file: a link in it is a secret.

use anyhow::{Context, Result, bail};
use postern_engine::api::{Secret, ServiceKind};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use zeroize::Zeroizing;

/// Largest file that is read, in bytes. Far more than the largest number of services and inlets needs.
const MAX_FILE_SIZE: u64 = 1024 * 1024;

/// The content of the file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct DeclaredPortals {
    /// This person's name, as others see it.
    pub(super) name: Option<String>,
    /// Hubs, as `host:port`.
    pub(super) hubs: Vec<String>,
    /// Whether friends in the same network reach this computer directly.
    pub(super) this_computer: bool,
    pub(super) services: BTreeMap<String, DeclaredService>,
    pub(super) inlets: BTreeMap<String, DeclaredInlet>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct DeclaredService {
    pub(super) target: String,
    #[serde(default)]
    pub(super) kind: ServiceKind,
    pub(super) path: Option<String>,
    pub(super) description: Option<String>,
    #[serde(default = "enabled")]
    pub(super) on: bool,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct DeclaredInlet {
    pub(super) link: Option<Secret>,
    pub(super) link_file: Option<PathBuf>,
    pub(super) port: Option<u16>,
    /// Whether requests of browsers are checked, for a web page.
    pub(super) browser_check: Option<bool>,
    #[serde(default = "enabled")]
    pub(super) on: bool,
}

fn enabled() -> bool {
    true
}

/// Reads and parses the file.
pub(super) fn read(path: &Path) -> Result<DeclaredPortals> {
    let reading = || format!("Failed to read {}", path.display());
    if std::fs::metadata(path).with_context(reading)?.len() > MAX_FILE_SIZE {
        bail!("{} is larger than {MAX_FILE_SIZE} bytes", path.display());
    }
    let text = std::fs::read_to_string(path).map(Zeroizing::new).with_context(reading)?;
    let declared = parse(&text).with_context(reading)?;
    if declared.inlets.values().any(|inlet| inlet.link.is_some()) && others_can_read(path) {
        tracing::warn!("the file contains links and other users can read it: chmod 600 it, or use link-file");
    }
    Ok(declared)
}

pub(super) fn parse(text: &str) -> Result<DeclaredPortals> {
    // The parser's own error quotes the line, which may contain a link, a secret: only its number is shown.
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| text[..span.start.min(text.len())].lines().count().max(1));
        anyhow::anyhow!("line {}: {}", line.unwrap_or(1), error.message())
    })
}

#[cfg(unix)]
fn others_can_read(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).is_ok_and(|found| found.mode() & 0o044 != 0)
}

#[cfg(not(unix))]
fn others_can_read(_: &Path) -> bool {
    false
}

/// The file's modification time and size, which tell one version from the next; `None` while it does not exist.
pub(super) fn version(path: &Path) -> Option<(SystemTime, u64)> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_reported_with_its_line_and_without_the_content() {
        let error = parse("[inlets.x]\nlink = 'postern://join/secret'\nprot = 1").unwrap_err().to_string();
        assert!(error.contains("line ") && error.contains("prot") && !error.contains("secret"), "{error}");
        let error = parse("[inlets.x]\nlink = 'postern://join/secret").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
        assert!(parse("nmae = 'x'").is_err());
    }
}
