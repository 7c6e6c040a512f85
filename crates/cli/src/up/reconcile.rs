//! Reconciliation of the engine's state with `portals.toml`: compares what is declared with a snapshot, and requests the
//! difference.
//!
//! It adds, changes and switches off. It never closes a service that is no longer declared: closing revokes access
//! permanently.

use super::declared::{DeclaredInlet, DeclaredPortals, DeclaredService};
use anyhow::{Context, Result, bail};
use postern_engine::api::{
    Answer, Code, EngineApi, Fault, InletView, Request, Secret, ServicePatch, ServiceView, Snapshot,
};
use postern_engine::core::ServiceTarget;
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long a new portal is waited for in order to name it: an owner who is online answers well within it.
const NAME_WITHIN: Duration = Duration::from_secs(5);

/// What was declared before and is no longer.
#[derive(Default)]
pub(super) struct Removed {
    pub(super) services: Vec<String>,
    pub(super) inlets: Vec<String>,
}

impl Removed {
    /// The names that `old` declares and `new` does not.
    pub(super) fn between(old: &DeclaredPortals, new: &DeclaredPortals) -> Self {
        let services = old.services.keys().filter(|name| !new.services.contains_key(*name));
        let inlets = old.inlets.keys().filter(|name| !new.inlets.contains_key(*name));
        Self { services: services.cloned().collect(), inlets: inlets.cloned().collect() }
    }
}

/// The requests that make a service what is declared.
pub(super) fn service_requests(snapshot: &Snapshot, name: &str, declared: &DeclaredService) -> Vec<Request> {
    let DeclaredService { target, kind, path, description, on } = declared.clone();
    let Some(current) = snapshot.services.iter().find(|service| service.name == name) else {
        return vec![Request::Share { name: name.to_owned(), kind, target, path, description }];
    };
    let mut requests = Vec::new();
    let patch = difference(current, declared);
    if patch != ServicePatch::default() {
        requests.push(Request::ChangeService { service: current.id, patch });
    }
    if current.on != on {
        requests.push(Request::SetService { service: current.id, on });
    }
    requests
}

/// What has to change in a service.
fn difference(current: &ServiceView, declared: &DeclaredService) -> ServicePatch {
    // A text that is absent from the file is removed from the service.
    let text = |current: &Option<String>, declared: &Option<String>| match current == declared {
        true => None,
        false => Some(declared.clone().unwrap_or_default()),
    };
    ServicePatch {
        name: None,
        kind: (current.kind != declared.kind).then_some(declared.kind),
        target: (!is_at(&current.target, &declared.target)).then(|| declared.target.clone()),
        path: text(&current.path, &declared.path),
        description: text(&current.description, &declared.description),
        health_check: None,
    }
}

/// The requests that switch off what is no longer declared.
pub(super) fn disable_requests(snapshot: &Snapshot, removed: &Removed) -> Vec<Request> {
    let services = snapshot.services.iter().filter(|it| it.on && removed.services.contains(&it.name));
    let inlets = snapshot.inlets.iter().filter(|it| it.on && removed.inlets.contains(&it.name));
    let services = services.map(|it| Request::SetService { service: it.id, on: false });
    services.chain(inlets.map(|it| Request::SetInlet { inlet: it.id, on: false })).collect()
}

/// Makes an inlet what is declared: accepts its link the first time, and afterwards adjusts its port and switch.
pub(super) async fn reconcile_inlet<E: EngineApi>(
    engine: &E,
    directory: &Path,
    name: &str,
    declared: &DeclaredInlet,
) -> Result<()> {
    let current = engine.snapshot().borrow().inlets.iter().find(|inlet| inlet.name == name).cloned();
    let Some(current) = current else { return accept(engine, directory, name, declared).await };
    if let Some(port) = declared.port.filter(|port| *port != current.port) {
        engine.request(Request::ChangeInlet { inlet: current.id, name: None, port: Some(port) }).await?;
    }
    if let Some(on) = declared.browser_check.filter(|on| *on != current.checked) {
        engine.request(Request::SetInletCheck { inlet: current.id, on }).await?;
    }
    if current.on != declared.on {
        engine.request(Request::SetInlet { inlet: current.id, on: declared.on }).await?;
    }
    Ok(())
}

/// Accepts an inlet's invitation, and names the portal as declared.
async fn accept<E: EngineApi>(engine: &E, directory: &Path, name: &str, declared: &DeclaredInlet) -> Result<()> {
    let link = match (&declared.link, &declared.link_file) {
        (Some(link), None) => link.clone(),
        (None, Some(file)) => read_link(&directory.join(file))?,
        _ => bail!("an inlet has either a link or a link-file"),
    };
    let preview = match engine.request(Request::Open { link }).await {
        Ok(Answer::Preview { preview }) => preview,
        Ok(_) => bail!(crate::engine_client::unexpected_answer()),
        // Accepted in an earlier run, and renamed since.
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
    // The owner may be offline for long. The portal gets its declared name if it appears soon; otherwise it keeps the
    // service's.
    let is_new = |inlet: &&InletView| inlet.owner == preview.owner && !before.contains(&inlet.id);
    let named = tokio::time::timeout(NAME_WITHIN, async {
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

/// Whether a declared target, a port or a URL too, is where the service is.
fn is_at(current: &str, declared: &str) -> bool {
    ServiceTarget::parse(declared).map_or(declared == current, |declared| declared.address == current)
}

#[cfg(test)]
mod tests {
    use super::super::declared::parse;
    use super::*;
    use postern_engine::api::{ServiceId, ServiceKind};

    const FILE: &str = "
        name = 'Ada'
        hubs = ['hub.example:4000']
        [services.wiki]
        target = 'localhost:3000'
        kind = 'http'
        [inlets.database]
        link-file = 'database.link'
        port = 5433";

    fn stored(target: &str, path: Option<&str>) -> Snapshot {
        let service = ServiceView {
            id: ServiceId([1; 16]),
            name: "wiki".into(),
            kind: ServiceKind::Http,
            target: target.into(),
            path: path.map(str::to_owned),
            description: None,
            warning: None,
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
        assert_eq!(requests(&stored("localhost:3000", None)), []);
        let moved = requests(&stored("localhost:4000", Some("/lab")));
        let patch = ServicePatch {
            target: Some("localhost:3000".into()),
            path: Some(String::new()),
            ..ServicePatch::default()
        };
        assert_eq!(moved, [Request::ChangeService { service: ServiceId([1; 16]), patch }]);
    }

    #[test]
    fn what_is_taken_out_is_switched_off() {
        let removed = Removed { services: vec!["wiki".into(), "blog".into()], inlets: vec![] };
        let requests = disable_requests(&stored("localhost:3000", None), &removed);
        assert_eq!(requests, [Request::SetService { service: ServiceId([1; 16]), on: false }]);
    }
}
