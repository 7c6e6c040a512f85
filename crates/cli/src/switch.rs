//! `postern pause` and `postern resume`.

use crate::naming::{self, Thing};
use crate::output::Output;
use crate::place::Place;
use crate::table::shown;
use anyhow::{Result, bail};
use clap::Args;
use postern_engine::api::{Request, Snapshot};
use postern_node::identity::Identifier;
use serde::Serialize;

#[derive(Args)]
#[command(after_help = naming::HELP)]
pub(crate) struct SwitchArguments {
    /// A service, a portal, a person, or SERVICE/PERSON.
    #[arg(required_unless_present = "all")]
    what: Option<String>,
    /// Everything, both ways.
    #[arg(long, conflicts_with = "what")]
    all: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event {
    Paused { ids: Vec<String> },
    Resumed { ids: Vec<String> },
}

pub(crate) async fn pause(arguments: SwitchArguments, output: Output) -> Result<()> {
    let (name, ids) = switch(arguments, false).await?;
    output.say(&Event::Paused { ids }, format!("Paused {name}. Open connections were cut."));
    Ok(())
}

pub(crate) async fn resume(arguments: SwitchArguments, output: Output) -> Result<()> {
    let (name, ids) = switch(arguments, true).await?;
    output.say(&Event::Resumed { ids }, format!("Resumed {name}."));
    Ok(())
}

async fn switch(arguments: SwitchArguments, on: bool) -> Result<(String, Vec<String>)> {
    let engine = arguments.place.engine().await?;
    let Some(what) = arguments.what else {
        engine.order(Request::PauseAll { on: !on }).await?;
        return Ok(("everything".into(), Vec::new()));
    };
    let snapshot = engine.snapshot().await?;
    let mut among = [naming::services(&snapshot), naming::portals(&snapshot), naming::people(&snapshot)].concat();
    among.extend(naming::grants(&snapshot));
    let found = naming::find("service, portal or person", &what, among)?;
    let requests = match found.thing {
        Thing::Service(service) => vec![(found.id, Request::SetService { service, on })],
        Thing::Portal(inlet) => vec![(found.id, Request::SetInlet { inlet, on })],
        Thing::Grant(grant) => vec![(found.id, Request::PauseGrant { grant, on: !on })],
        Thing::Person(person) => grants_of(&snapshot, person, on),
        Thing::Invitation(_) => unreachable!("invitations were not looked at"),
    };
    if requests.is_empty() {
        bail!("{} has no access to anything of yours", shown(&found.name));
    }
    let mut ids = Vec::new();
    for (id, request) in requests {
        engine.order(request).await?;
        ids.push(id);
    }
    Ok((shown(&found.name), ids))
}

fn grants_of(snapshot: &Snapshot, person: Identifier, on: bool) -> Vec<(String, Request)> {
    let theirs = snapshot.services.iter().flat_map(|service| &service.people);
    let theirs = theirs.filter(|it| it.person == person && naming::is_live(it.state));
    theirs.map(|it| (it.grant.to_string(), Request::PauseGrant { grant: it.grant, on: !on })).collect()
}
