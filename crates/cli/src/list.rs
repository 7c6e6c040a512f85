//! `postern ls`.

use crate::engine_client::DataDirArgs;
use crate::output::Output;
use crate::table::Table;
use crate::terminal_text::{escaped, sanitized};
use crate::{resolve, time_format, word_groups};
use anyhow::Result;
use clap::Args;
use postern_engine::api::{
    GrantState, Health, InletLink, LinkState, Notice, PathKind, PersonView, ReceivedState, SentState, SentView,
    Snapshot, Status, Terms, Traffic,
};
use postern_engine::control::Watch;
use serde::Serialize;
use std::io::IsTerminal;

#[derive(Args)]
pub(crate) struct ListArguments {
    /// Print every change until stopped.
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    data_dir: DataDirArgs,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event<'a> {
    Snapshot { snapshot: &'a Snapshot },
    Notice { notice: &'a Notice },
    Traffic { traffic: &'a Traffic },
}

pub(crate) async fn run(arguments: ListArguments, output: Output) -> Result<()> {
    let engine = arguments.data_dir.connect().await?;
    if !arguments.watch {
        let snapshot = engine.snapshot().await?;
        output.print(&Event::Snapshot { snapshot: &snapshot }, text(&snapshot).trim_end());
        return Ok(());
    }
    let mut updates = engine.watch().await?;
    let stop = crate::shutdown_signal()?;
    tokio::pin!(stop);
    loop {
        let heard = tokio::select! {
            () = &mut stop => return Ok(()),
            heard = updates.next() => heard?,
        };
        match &heard {
            Watch::Snapshot(snapshot) => {
                // Clears the screen, so that only the current state is visible.
                let clear = if std::io::stdout().is_terminal() { "\x1b[2J\x1b[H" } else { "" };
                output.print(&Event::Snapshot { snapshot }, format!("{clear}{}", text(snapshot)));
            }
            Watch::Notice(notice) if output.is_json() => output.print(&Event::Notice { notice }, ""),
            Watch::Traffic(traffic) if output.is_json() => output.print(&Event::Traffic { traffic }, ""),
            _ => {}
        }
    }
}

/// A snapshot as text.
fn text(snapshot: &Snapshot) -> String {
    let mut parts = vec![head(snapshot), services(snapshot), people(snapshot), portals(snapshot)];
    parts.extend([invitations(snapshot), knocks(snapshot), problems(snapshot)]);
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

fn head(snapshot: &Snapshot) -> String {
    let Some(me) = &snapshot.me else {
        return "Not set up yet: postern up --name NAME --hub HOST:PORT\n".to_owned();
    };
    let status = match snapshot.status {
        Status::Idle => "nothing shared",
        Status::Ready => "ready",
        Status::Live => "in use",
        Status::Attention => "needs your attention",
        Status::Offline => "offline",
        Status::Paused => "paused",
    };
    let identifier = me.identifier.to_string();
    let mut text = format!("{} ({}…): {status}\n", sanitized(&me.name), identifier.get(..9).unwrap_or(&identifier));
    let mut hubs = Table::new("");
    for hub in &snapshot.hubs {
        hubs.row(["hub".into(), hub.address.clone(), link(&hub.link)]);
    }
    if snapshot.this_computer.on {
        let how = match &snapshot.this_computer.fault {
            Some(fault) => escaped(&fault.message),
            None => "reached directly".to_owned(),
        };
        hubs.row(["here".into(), snapshot.this_computer.addresses.join(", "), how]);
    }
    text.push_str(&hubs.text());
    text
}

fn services(snapshot: &Snapshot) -> String {
    let mut table = Table::new("Services");
    for service in &snapshot.services {
        let health = match &service.health {
            _ if !service.on => "paused".to_owned(),
            Health::Unknown => "not checked yet".to_owned(),
            Health::Up => "up".to_owned(),
            Health::Down { fault, .. } => escaped(&fault.message),
        };
        let live = if service.live > 0 { format!("{} open", service.live) } else { String::new() };
        table.row([sanitized(&service.name), service.target.clone(), live, health]);
    }
    table.text()
}

fn people(snapshot: &Snapshot) -> String {
    let mut table = Table::new("Who may use them");
    for service in &snapshot.services {
        for person in &service.people {
            let name = format!("{}/{}", sanitized(&service.name), sanitized(&person.name));
            table.row([name, verified(person.verified), person_state(person), terms(&person.terms)]);
        }
        for sent in &service.invitations {
            let name = format!("{}/{}", sanitized(&service.name), sanitized(sent.name.as_deref().unwrap_or("link")));
            let id = sent.id.to_string();
            let id = if resolve::is_open(sent.state) { id.get(..8).unwrap_or(&id).to_owned() } else { String::new() };
            table.row([name, id, sent_state(sent), terms(&sent.terms)]);
        }
    }
    table.text()
}

fn person_state(person: &PersonView) -> String {
    match person.state {
        GrantState::Active if person.live > 0 => format!("{} open", person.live),
        GrantState::Active => match person.last_used {
            Some(at) => format!("last used {}", time_format::to_minute(at)),
            None => "never used".into(),
        },
        GrantState::Paused => "paused".into(),
        GrantState::Expired => "expired".into(),
        GrantState::Revoked => "revoked".into(),
        GrantState::GivenBack => "given back".into(),
    }
}

fn sent_state(sent: &SentView) -> String {
    let expires = time_format::to_minute(sent.expires);
    match sent.state {
        SentState::Created => format!("invited until {expires}"),
        SentState::Delivered => format!("in their mailbox until {expires}"),
        SentState::Seen => format!("seen, open until {expires}"),
        SentState::Knocking => "asks for access".into(),
        SentState::Accepted => "accepted".into(),
        SentState::Declined => "declined".into(),
        SentState::Expired => "invitation expired".into(),
        SentState::Revoked => "invitation revoked".into(),
    }
}

fn terms(terms: &Terms) -> String {
    let mut parts = Vec::new();
    if let Some(until) = terms.until {
        parts.push(format!("until {}", time_format::to_minute(until)));
    }
    if terms.until_quit {
        parts.push("until Postern is quit".into());
    }
    if let Some(connections) = terms.connections {
        parts.push(format!("{connections} at once"));
    }
    parts.join(", ")
}

fn portals(snapshot: &Snapshot) -> String {
    let mut table = Table::new("Portals");
    for inlet in &snapshot.inlets {
        let state = match &inlet.link {
            InletLink::Off => "off".to_owned(),
            InletLink::Connecting => "connecting".to_owned(),
            InletLink::Up { way, round_trip_ms } => up(way, *round_trip_ms),
            InletLink::Down { fault, .. } => escaped(&fault.message),
        };
        let live = if inlet.live > 0 { format!("{} open", inlet.live) } else { String::new() };
        let address = inlet.url.clone().unwrap_or_else(|| inlet.address.clone());
        let owner = format!("by {}", sanitized(&inlet.owner_name));
        table.row([sanitized(&inlet.name), owner, verified(inlet.owner_verified), escaped(&address), live, state]);
    }
    table.text()
}

fn up(way: &PathKind, round_trip_ms: Option<u32>) -> String {
    let way = match way {
        PathKind::Direct { .. } => "up, direct".to_owned(),
        PathKind::Hub { address } => format!("up, over {}", escaped(address)),
    };
    round_trip_ms.map_or_else(|| way.clone(), |milliseconds| format!("{way}, {milliseconds} ms"))
}

fn invitations(snapshot: &Snapshot) -> String {
    let mut table = Table::new("Invitations for you");
    for received in &snapshot.invitations {
        let id = received.id.to_string();
        let state = match &received.state {
            ReceivedState::New => format!("postern accept {}", id.get(..8).unwrap_or(&id)),
            ReceivedState::Accepting { fault: None } => "accepting".to_owned(),
            ReceivedState::Accepting { fault: Some(fault) } | ReceivedState::Over { fault } => escaped(&fault.message),
        };
        let owner = format!("by {}", sanitized(&received.owner_name));
        table.row([sanitized(&received.service_name), owner, verified(received.owner_verified), state]);
    }
    table.text()
}

fn knocks(snapshot: &Snapshot) -> String {
    let mut table = Table::new("Requests for access");
    for knock in &snapshot.knocks {
        let who = format!("{}/{}", sanitized(&knock.service_name), sanitized(&knock.name));
        let id = knock.invitation.to_string();
        let answer = if knock.verified { "always" } else { "allow-once" };
        let answer = format!("postern knock {answer} {}", id.get(..8).unwrap_or(&id));
        table.row([who, word_groups::line(&knock.words), crate::knock::not_the_known(knock), answer]);
    }
    table.text()
}

fn problems(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for fault in &snapshot.troubles {
        text.push_str(&format!("! {}\n", escaped(&fault.message)));
    }
    text
}

fn link(state: &LinkState) -> String {
    match state {
        LinkState::Off => "off".into(),
        LinkState::Connecting => "connecting".into(),
        LinkState::Up => "up".into(),
        LinkState::Down { fault, .. } => escaped(&fault.message),
    }
}

fn verified(verified: bool) -> String {
    if verified { "✓".into() } else { String::new() }
}
