//! The diagnostics report that users copy for support: counts, codes and versions; no names, addresses or secrets.

use std::fmt::Write;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use postern_engine::api::{Code, Health, InletLink, LinkState, Snapshot};

use super::log_redaction::{self, redact};
use crate::tray::EngineViewState;

/// How much of the end of the log is appended, in bytes: about 150 lines, which still fit an issue or an e-mail.
const MAX_LOG_TAIL: u64 = 16 * 1024;

pub(super) fn report(state: EngineViewState<'_>, log_file: &Path) -> String {
    let mut text = String::new();
    let version = env!("CARGO_PKG_VERSION");
    line(&mut text, "Postern", format!("{version} ({} {})", std::env::consts::OS, std::env::consts::ARCH));
    let desktop = std::env::var("XDG_CURRENT_DESKTOP").unwrap_or_else(|_| "unknown".into());
    line(&mut text, "desktop", desktop);
    match state {
        EngineViewState::Starting => line(&mut text, "engine", "starting"),
        EngineViewState::Failed(fault) => line(&mut text, "engine", code(fault.code)),
        EngineViewState::Running(snapshot) => running(&mut text, snapshot),
    }
    text.push_str("\n--- end of the log\n");
    match tail(log_file) {
        Ok(log) => text.push_str(&redact(&log, &personal_texts(state))),
        Err(error) => text.push_str(&format!("unreadable: {}", error.kind())),
    }
    text
}

fn running(text: &mut String, snapshot: &Snapshot) {
    line(text, "status", format!("{:?}, paused: {}", snapshot.status, snapshot.paused));
    line(text, "set up", snapshot.me.is_some());
    line(text, "keychain", format!("{:?}", snapshot.settings.keychain));
    let hubs = snapshot.hubs.iter().map(|hub| match &hub.link {
        LinkState::Off => "off".into(),
        LinkState::Connecting => "connecting".into(),
        LinkState::Up => "up".into(),
        LinkState::Down { fault, .. } => code(fault.code),
    });
    line(text, "hubs", list(hubs));
    let services = snapshot.services.iter().map(|service| match &service.health {
        _ if !service.on => "off".into(),
        Health::Unknown => "unknown".into(),
        Health::Up => "up".into(),
        Health::Down { fault, .. } => code(fault.code),
    });
    line(text, "services", list(services));
    let portals = snapshot.inlets.iter().map(|inlet| match &inlet.link {
        InletLink::Off => "off".into(),
        InletLink::Connecting => "connecting".into(),
        InletLink::Up { .. } => "up".into(),
        InletLink::Down { fault, .. } => code(fault.code),
    });
    line(text, "portals", list(portals));
    line(text, "troubles", list(snapshot.troubles.iter().map(|fault| code(fault.code))));
    let waiting = (snapshot.invitations.len(), snapshot.knocks.len(), snapshot.contacts.len());
    line(text, "invitations, knocks, contacts", format!("{}, {}, {}", waiting.0, waiting.1, waiting.2));
}

/// What the log must not show. Without a snapshot nothing is known by name.
fn personal_texts(state: EngineViewState<'_>) -> Vec<String> {
    match state {
        EngineViewState::Running(snapshot) => log_redaction::personal_texts(snapshot),
        EngineViewState::Starting | EngineViewState::Failed(_) => Vec::new(),
    }
}

fn line(text: &mut String, name: &str, value: impl std::fmt::Display) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{name}: {value}");
}

fn list(states: impl Iterator<Item = String>) -> String {
    let states: Vec<_> = states.collect();
    match states.is_empty() {
        true => "none".into(),
        false => states.join(", "),
    }
}

fn code(code: Code) -> String {
    serde_json::to_string(&code).unwrap_or_default().replace('"', "")
}

fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MAX_LOG_TAIL)))?;
    let mut bytes = Vec::new();
    file.take(MAX_LOG_TAIL).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // The first line is probably cut.
    Ok(match (length > MAX_LOG_TAIL, text.split_once('\n')) {
        (true, Some((_, whole))) => whole.into(),
        _ => text,
    })
}
