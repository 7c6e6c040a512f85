//! The text of every file that is checked, read once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Directories that are built or fetched.
const NOT_SOURCES: &[&str] = &["target", "node_modules", "dist", ".git", "screenshots-out", "test-results"];
/// What is read: the languages of the programs, their manifests, and the documents that are checked.
const ENDINGS: &[&str] = &[".rs", ".ts", ".svelte", ".toml", ".md"];

/// Files by their path from the root of the repository, with `/` on every system.
#[derive(Default)]
pub(super) struct Sources {
    files: BTreeMap<String, String>,
}

impl Sources {
    /// Reads a repository.
    ///
    /// # Errors
    /// When a file cannot be read or is not UTF-8.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut sources = Self::default();
        sources.read_below(root, "")?;
        Ok(sources)
    }

    fn read_below(&mut self, directory: &Path, prefix: &str) -> Result<()> {
        let entries = fs::read_dir(directory).with_context(|| format!("Failed to list {}", directory.display()))?;
        for entry in entries {
            let entry = entry?;
            let (name, kind) = (entry.file_name().to_string_lossy().into_owned(), entry.file_type()?);
            if kind.is_dir() && !NOT_SOURCES.contains(&name.as_str()) {
                self.read_below(&entry.path(), &format!("{prefix}{name}/"))?;
            } else if kind.is_file() && ENDINGS.iter().any(|ending| name.ends_with(ending)) {
                let path = format!("{prefix}{name}");
                let text = fs::read_to_string(entry.path()).with_context(|| format!("Failed to read {path}"))?;
                self.files.insert(path, text);
            }
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| ((*path).into(), (*text).into())).collect() }
    }

    /// The text of one file.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// All files whose names end so, as `.rs`, with their texts.
    pub(super) fn ending<'a>(&'a self, ending: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files.iter().filter(move |(path, _)| path.ends_with(ending)).map(|(path, text)| (&**path, &**text))
    }

    /// The files at a path or below it.
    pub(super) fn at<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let path = path.trim_end_matches('/');
        let below =
            move |file: &str| file.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.files.iter().filter(move |(file, _)| below(file)).map(|(file, text)| (&**file, &**text))
    }
}
