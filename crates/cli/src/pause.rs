//! `postern pause` and `postern resume`.

use crate::engine_client::DataDirArgs;
use crate::output::Output;
use crate::resolve::{self, Entity};
use crate::terminal_text::sanitized;
use anyhow::{Result, bail};
use clap::Args;
use postern_engine::api::{Request, Snapshot};
use postern_node::identity::Identifier;
use serde::Serialize;

#[derive(Args)]
#[command(after_help = resolve::HELP)]
pub(crate) struct PauseArguments {
    /// A service, a portal, a person, or SERVICE/PERSON.
    #[arg(required_unless_present = "all")]
    what: Option<String>,
    /// Everything: your services and your portals.
    #[arg(long, conflicts_with = "what")]
    all: bool,
    #[command(flatten)]
    data_dir: DataDirArgs,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event {
    Paused { ids: Vec<String> },
    Resumed { ids: Vec<String> },
}

pub(crate) async fn pause(arguments: PauseArguments, output: Output) -> Result<()> {
    let (name, ids) = set_enabled(arguments, false).await?;
    output.print(&Event::Paused { ids }, format!("Paused {name}. Open connections were cut."));
    Ok(())
}

pub(crate) async fn resume(arguments: PauseArguments, output: Output) -> Result<()> {
    let (name, ids) = set_enabled(arguments, true).await?;
    output.print(&Event::Resumed { ids }, format!("Resumed {name}."));
    Ok(())
}

async fn set_enabled(arguments: PauseArguments, on: bool) -> Result<(String, Vec<String>)> {
    let engine = arguments.data_dir.connect().await?;
    let Some(what) = arguments.what else {
        engine.execute(Request::PauseAll { on: !on }).await?;
        return Ok(("everything".into(), Vec::new()));
    };
    let snapshot = engine.snapshot().await?;
    let mut candidates =
        [resolve::services(&snapshot), resolve::portals(&snapshot), resolve::people(&snapshot)].concat();
    candidates.extend(resolve::grants(&snapshot));
    let found = resolve::find("service, portal or person", &what, candidates)?;
    let requests = match found.value {
        Entity::Service(service) => vec![(found.id, Request::SetService { service, on })],
        Entity::Portal(inlet) => vec![(found.id, Request::SetInlet { inlet, on })],
        Entity::Grant(grant) => vec![(found.id, Request::PauseGrant { grant, on: !on })],
        Entity::Person(person) => grants_of(&snapshot, person, on),
        Entity::Invitation(_) => unreachable!("invitations are not among the candidates"),
    };
    if requests.is_empty() {
        bail!("{} has no access to anything of yours", sanitized(&found.name));
    }
    let mut ids = Vec::new();
    for (id, request) in requests {
        engine.execute(request).await?;
        ids.push(id);
    }
    Ok((sanitized(&found.name), ids))
}

fn grants_of(snapshot: &Snapshot, person: Identifier, on: bool) -> Vec<(String, Request)> {
    let theirs = snapshot.services.iter().flat_map(|service| &service.people);
    let theirs = theirs.filter(|it| it.person == person && resolve::is_live(it.state));
    theirs.map(|it| (it.grant.to_string(), Request::PauseGrant { grant: it.grant, on: !on })).collect()
}
