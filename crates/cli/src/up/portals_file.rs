//! `portals.toml` while `postern up` runs: reads it at the start, polls it for changes, and applies them to the engine.
//!
//! What is removed from the file while the engine runs is switched off. A file with a mistake in it changes nothing.
//! The file is polled: that notices editors that replace the file, and works on file systems without notifications, for
//! one `stat` a second and no further dependency.

use super::declared::{self, DeclaredPortals};
use super::reconcile::{self, Removed};
use crate::output::Output;
use crate::terminal_text::{escaped, sanitized};
use anyhow::Result;
use postern_engine::api::{EngineApi, Request};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often the file is checked for changes: a person who saves it sees the effect at once.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event<'a> {
    Applied { services: usize, inlets: usize },
    NotApplied { what: &'a str, error: &'a str },
}

/// The file, and its content when it was last read.
pub(super) struct PortalsFile {
    path: PathBuf,
    version: Option<(SystemTime, u64)>,
    declared: DeclaredPortals,
    /// What the last reload has removed, until it is applied.
    removed: Removed,
}

impl PortalsFile {
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        let (version, declared) = (declared::version(&path), declared::read(&path)?);
        Ok(Self { path, version, declared, removed: Removed::default() })
    }

    pub(super) fn declared(&self) -> &DeclaredPortals {
        &self.declared
    }

    /// Waits until the file has changed. Cancel safe.
    pub(super) async fn changed(&mut self) {
        loop {
            tokio::time::sleep(POLL_INTERVAL).await;
            let now = declared::version(&self.path);
            // A file that is missing for a moment is being replaced by an editor.
            if now.is_some() && now != self.version {
                self.version = now;
                return;
            }
        }
    }

    /// Reads the file again and applies it; a file with a mistake changes nothing.
    pub(super) async fn reload<E: EngineApi>(&mut self, engine: &E, output: Output) {
        match declared::read(&self.path) {
            Ok(declared) => {
                self.removed = Removed::between(&self.declared, &declared);
                self.declared = declared;
                self.apply(engine, output).await;
            }
            Err(error) => report_not_applied(output, "the file", &format!("{error:#}")),
        }
    }

    /// Reconciles the engine with the file. What it refuses is reported and does not prevent the rest.
    pub(super) async fn apply<E: EngineApi>(&mut self, engine: &E, output: Output) {
        let snapshot = engine.snapshot().borrow().clone();
        for (name, service) in &self.declared.services {
            for request in reconcile::service_requests(&snapshot, name, service) {
                execute(engine, request, name, output).await;
            }
        }
        let directory = self.path.parent().unwrap_or(Path::new(".")).to_owned();
        for (name, inlet) in &self.declared.inlets {
            if let Err(error) = reconcile::reconcile_inlet(engine, &directory, name, inlet).await {
                report_not_applied(output, name, &format!("{error:#}"));
            }
        }
        let removed = std::mem::take(&mut self.removed);
        for request in reconcile::disable_requests(&snapshot, &removed) {
            execute(engine, request, "what is no longer declared", output).await;
        }
        let (services, inlets) = (self.declared.services.len(), self.declared.inlets.len());
        let sentence = format!("{} declares {services} services and {inlets} inlets.", self.path.display());
        output.print(&Event::Applied { services, inlets }, sentence);
    }
}

/// Reports what could not be applied.
fn report_not_applied(output: Output, what: &str, error: &str) {
    let sentence = format!("Not applied: {}: {}", sanitized(what), escaped(error));
    output.print(&Event::NotApplied { what, error }, sentence);
}

/// Sends a request, and reports a refusal.
async fn execute<E: EngineApi>(engine: &E, request: Request, what: &str, output: Output) {
    if let Err(fault) = engine.request(request).await {
        report_not_applied(output, what, &fault.message);
    }
}
