//! `portals.toml`: services and inlets that are declared instead of asked for.
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
//! ```
//!
//! The file adds and changes. What is taken out of it while the engine runs is switched off and not closed, because
//! closing takes access away for good, and a file with a slip in it changes nothing at all. Whether it changed is looked
//! at every second: that notices editors that replace the file and file systems that tell of nothing, for one
//! `stat` and no further dependency.

use crate::output::Output;
use crate::terminal_text::{escaped, sanitized};
use anyhow::{Context, Result, bail};
use postern_engine::api::{
    Answer, Code, Fault, InletView, Request, Secret, ServiceKind, ServicePatch, ServiceView, Snapshot,
};
use postern_engine::control::Host;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Largest file that is read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// What a file declares.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Declared {
    /// What this person calls themselves.
    pub(super) name: Option<String>,
    /// Hubs, as `host:port`.
    pub(super) hubs: Vec<String>,
    /// Whether friends in the same network reach this computer directly.
    pub(super) this_computer: bool,
    services: BTreeMap<String, DeclaredService>,
    inlets: BTreeMap<String, DeclaredInlet>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct DeclaredService {
    target: String,
    #[serde(default)]
    kind: ServiceKind,
    path: Option<String>,
    description: Option<String>,
    #[serde(default = "yes")]
    on: bool,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct DeclaredInlet {
    link: Option<Secret>,
    link_file: Option<PathBuf>,
    port: Option<u16>,
    #[serde(default = "yes")]
    on: bool,
}

fn yes() -> bool {
    true
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event<'a> {
    Applied { services: usize, inlets: usize },
    NotApplied { what: &'a str, error: &'a str },
}

/// The file, and what it said last.
pub(super) struct PortalsFile {
    path: PathBuf,
    seen: Option<(SystemTime, u64)>,
    declared: Declared,
    /// Declared before, and no longer.
    dropped: Dropped,
}

#[derive(Default)]
struct Dropped {
    services: Vec<String>,
    inlets: Vec<String>,
}

impl PortalsFile {
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        let (seen, declared) = (stamp(&path), read(&path)?);
        Ok(Self { path, seen, declared, dropped: Dropped::default() })
    }

    pub(super) fn declared(&self) -> &Declared {
        &self.declared
    }

    /// Resolves when the file is another than was read. May be dropped and called again.
    pub(super) async fn changed(&mut self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = stamp(&self.path);
            // A file that is gone for a moment is being replaced.
            if now.is_some() && now != self.seen {
                self.seen = now;
                return;
            }
        }
    }

    /// Reads the file again and has the engine do what it says; a file that cannot be read changes nothing.
    pub(super) async fn read_again<H: Host>(&mut self, engine: &H, output: Output) {
        match read(&self.path) {
            Ok(declared) => {
                let gone = |old: &String, new: bool| if new { None } else { Some(old.clone()) };
                let services = &declared.services;
                let inlets = &declared.inlets;
                self.dropped = Dropped {
                    services: self
                        .declared
                        .services
                        .keys()
                        .filter_map(|it| gone(it, services.contains_key(it)))
                        .collect(),
                    inlets: self.declared.inlets.keys().filter_map(|it| gone(it, inlets.contains_key(it))).collect(),
                };
                self.declared = declared;
                self.apply(engine, output).await;
            }
            Err(error) => report_not_applied(output, "the file", &format!("{error:#}")),
        }
    }

    /// Has the engine do what the file says. What it refuses is said, and keeps nothing else from being done.
    pub(super) async fn apply<H: Host>(&mut self, engine: &H, output: Output) {
        let snapshot = engine.snapshot().borrow().clone();
        for (name, service) in &self.declared.services {
            for request in service_requests(&snapshot, name, service) {
                order(engine, request, name, output).await;
            }
        }
        let directory = self.path.parent().unwrap_or(Path::new(".")).to_owned();
        for (name, inlet) in &self.declared.inlets {
            if let Err(error) = keep_inlet(engine, &directory, name, inlet).await {
                report_not_applied(output, name, &format!("{error:#}"));
            }
        }
        let dropped = std::mem::take(&mut self.dropped);
        for request in off_requests(&snapshot, &dropped) {
            order(engine, request, "what is no longer declared", output).await;
        }
        let (services, inlets) = (self.declared.services.len(), self.declared.inlets.len());
        let sentence = format!("{} declares {services} services and {inlets} inlets.", self.path.display());
        output.print(&Event::Applied { services, inlets }, sentence);
    }
}

fn report_not_applied(output: Output, what: &str, error: &str) {
    let sentence = format!("Not done: {}: {}", sanitized(what), escaped(error));
    output.print(&Event::NotApplied { what, error }, sentence);
}

async fn order<H: Host>(engine: &H, request: Request, what: &str, output: Output) {
    if let Err(fault) = engine.request(request).await {
        report_not_applied(output, what, &fault.message);
    }
}

/// What makes a service what is declared.
fn service_requests(snapshot: &Snapshot, name: &str, declared: &DeclaredService) -> Vec<Request> {
    let DeclaredService { target, kind, path, description, on } = declared.clone();
    let Some(there) = snapshot.services.iter().find(|service| service.name == name) else {
        return vec![Request::Share { name: name.to_owned(), kind, target, path, description }];
    };
    let mut requests = Vec::new();
    let patch = difference(there, declared);
    if patch != ServicePatch::default() {
        requests.push(Request::ChangeService { service: there.id, patch });
    }
    if there.on != on {
        requests.push(Request::SetService { service: there.id, on });
    }
    requests
}

fn difference(there: &ServiceView, declared: &DeclaredService) -> ServicePatch {
    // An absent text removes one that is there.
    let text = |there: &Option<String>, declared: &Option<String>| match there == declared {
        true => None,
        false => Some(declared.clone().unwrap_or_default()),
    };
    ServicePatch {
        name: None,
        kind: (there.kind != declared.kind).then_some(declared.kind),
        target: (there.target != declared.target).then(|| declared.target.clone()),
        path: text(&there.path, &declared.path),
        description: text(&there.description, &declared.description),
    }
}

fn off_requests(snapshot: &Snapshot, dropped: &Dropped) -> Vec<Request> {
    let services = snapshot.services.iter().filter(|it| it.on && dropped.services.contains(&it.name));
    let inlets = snapshot.inlets.iter().filter(|it| it.on && dropped.inlets.contains(&it.name));
    let services = services.map(|it| Request::SetService { service: it.id, on: false });
    services.chain(inlets.map(|it| Request::SetInlet { inlet: it.id, on: false })).collect()
}

/// Makes an inlet what is declared: accepts its link the first time, and afterwards sees to its port and switch.
async fn keep_inlet<H: Host>(engine: &H, directory: &Path, name: &str, declared: &DeclaredInlet) -> Result<()> {
    let there = engine.snapshot().borrow().inlets.iter().find(|inlet| inlet.name == name).cloned();
    let Some(there) = there else { return accept(engine, directory, name, declared).await };
    if let Some(port) = declared.port.filter(|port| *port != there.port) {
        engine.request(Request::ChangeInlet { inlet: there.id, name: None, port: Some(port) }).await?;
    }
    if there.on != declared.on {
        engine.request(Request::SetInlet { inlet: there.id, on: declared.on }).await?;
    }
    Ok(())
}

async fn accept<H: Host>(engine: &H, directory: &Path, name: &str, declared: &DeclaredInlet) -> Result<()> {
    let link = match (&declared.link, &declared.link_file) {
        (Some(link), None) => link.clone(),
        (None, Some(file)) => read_link(&directory.join(file))?,
        _ => bail!("an inlet has either a link or a link-file"),
    };
    let preview = match engine.request(Request::Open { link }).await {
        Ok(Answer::Preview { preview }) => preview,
        Ok(_) => bail!(crate::engine_client::unexpected_answer()),
        // Accepted in an earlier run, and called otherwise since.
        Err(Fault { code: Code::AlreadyIn, .. }) => return Ok(()),
        Err(fault) => return Err(fault.into()),
    };
    match preview.fault {
        Some(Fault { code: Code::AlreadyIn, .. }) => return Ok(()),
        Some(fault) => return Err(fault.into()),
        None => {}
    }
    let mut snapshots = engine.snapshot();
    let before: Vec<_> = snapshots.borrow_and_update().inlets.iter().map(|inlet| inlet.id).collect();
    engine.request(Request::Accept { invitation: preview.invitation, port: declared.port }).await?;
    // The owner may be offline for long; the name is given when the portal is there, if that is soon.
    let is_new = |inlet: &&InletView| inlet.owner == preview.owner && !before.contains(&inlet.id);
    let named = tokio::time::timeout(LOOK_EVERY * 5, async {
        loop {
            if let Some(inlet) = snapshots.borrow_and_update().inlets.iter().find(is_new) {
                return Some(inlet.id);
            }
            snapshots.changed().await.ok()?;
        }
    });
    if let Ok(Some(inlet)) = named.await {
        engine.request(Request::ChangeInlet { inlet, name: Some(name.to_owned()), port: None }).await?;
    }
    Ok(())
}

fn read_link(path: &Path) -> Result<Secret> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new);
    let text = text.with_context(|| format!("Failed to read {}", path.display()))?;
    Ok(Secret::new(text.trim()))
}

fn read(path: &Path) -> Result<Declared> {
    let reading = || format!("Failed to read {}", path.display());
    if std::fs::metadata(path).with_context(reading)?.len() > MAX_FILE {
        bail!("{} is larger than {MAX_FILE} bytes", path.display());
    }
    let text = std::fs::read_to_string(path).map(Zeroizing::new).with_context(reading)?;
    let declared = parse(&text).with_context(reading)?;
    if declared.inlets.values().any(|inlet| inlet.link.is_some()) && others_can_read(path) {
        tracing::warn!("the file has links in it and others can read it: chmod 600 it, or use link-file");
    }
    Ok(declared)
}

fn parse(text: &str) -> Result<Declared> {
    // The parser shows the line it stumbled over, which may be a link; where it is must do.
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

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_engine::api::ServiceId;

    const FILE: &str = "
        name = 'Ada'
        hubs = ['hub.example:4000']
        [services.wiki]
        target = 'localhost:3000'
        kind = 'http'
        [inlets.database]
        link-file = 'database.link'
        port = 5433";

    fn there(target: &str, path: Option<&str>) -> Snapshot {
        let service = ServiceView {
            id: ServiceId([1; 16]),
            name: "wiki".into(),
            kind: ServiceKind::Http,
            target: target.into(),
            path: path.map(str::to_owned),
            description: None,
            on: true,
            health: Default::default(),
            people: vec![],
            invitations: vec![],
            live: 0,
            created: Default::default(),
        };
        Snapshot { services: vec![service], ..Snapshot::default() }
    }

    #[test]
    fn a_declared_service_is_shared_once_and_changed_where_it_differs() {
        let declared = parse(FILE).unwrap();
        let wiki = &declared.services["wiki"];
        let requests = |snapshot: &Snapshot| service_requests(snapshot, "wiki", wiki);
        assert!(matches!(&requests(&Snapshot::default())[..], [Request::Share { name, .. }] if name == "wiki"));
        assert_eq!(requests(&there("localhost:3000", None)), []);
        let moved = requests(&there("localhost:4000", Some("/lab")));
        let patch = ServicePatch {
            target: Some("localhost:3000".into()),
            path: Some(String::new()),
            ..ServicePatch::default()
        };
        assert_eq!(moved, [Request::ChangeService { service: ServiceId([1; 16]), patch }]);
    }

    #[test]
    fn what_is_taken_out_is_switched_off() {
        let dropped = Dropped { services: vec!["wiki".into(), "blog".into()], inlets: vec![] };
        let requests = off_requests(&there("localhost:3000", None), &dropped);
        assert_eq!(requests, [Request::SetService { service: ServiceId([1; 16]), on: false }]);
    }

    #[test]
    fn a_slip_is_told_with_its_line_and_without_what_stands_there() {
        let error = parse("[inlets.x]\nlink = 'postern://join/secret'\nprot = 1").unwrap_err().to_string();
        assert!(error.contains("line ") && error.contains("prot") && !error.contains("secret"), "{error}");
        let error = parse("[inlets.x]\nlink = 'postern://join/secret").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
        assert!(parse("nmae = 'x'").is_err());
    }
}
