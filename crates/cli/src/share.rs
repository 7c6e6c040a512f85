//! `postern share`, `postern change` and `postern close`.

use crate::naming::{self, Thing};
use crate::output::Output;
use crate::place::{Place, Running, unexpected};
use crate::table::shown;
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use postern_engine::api::{Answer, ListeningPort, Request, ServiceKind, ServicePatch};
use serde::Serialize;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Anything over TCP.
    Tcp,
    /// A web page: opens in a browser.
    Http,
    /// A web page over TLS.
    Https,
}

impl From<Kind> for ServiceKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Tcp => Self::Tcp,
            Kind::Http => Self::Http,
            Kind::Https => Self::Https,
        }
    }
}

#[derive(Args)]
pub(crate) struct ShareArguments {
    /// The service: a port of this machine, or HOST:PORT; its name is resolved at every connection.
    target: String,
    /// Its name, as friends see it [default: what listens there, see `postern ports`].
    #[arg(long)]
    name: Option<String>,
    /// What it speaks [default: what listens there].
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// What a browser opens behind the address, for instance /lab.
    #[arg(long)]
    path: Option<String>,
    /// What friends read about it.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
pub(crate) struct ChangeArguments {
    /// The service or the portal.
    what: String,
    /// A new name.
    #[arg(long)]
    name: Option<String>,
    /// Another port here, for a portal.
    #[arg(long)]
    port: Option<u16>,
    /// Another target, for a service.
    #[arg(long, value_name = "HOST:PORT")]
    target: Option<String>,
    /// Another kind, for a service.
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Another path for browsers, for a service; empty removes it.
    #[arg(long)]
    path: Option<String>,
    /// Another description, for a service; empty removes it.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
pub(crate) struct CloseArguments {
    /// A service of yours, whose access is then revoked for good, or a portal, which is then given back.
    what: String,
    #[command(flatten)]
    place: Place,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event<'a> {
    Shared { service: String, name: &'a str, target: &'a str },
    Changed { id: String },
    Closed { id: String, name: &'a str },
}

pub(crate) async fn share(arguments: ShareArguments, output: Output) -> Result<()> {
    let engine = arguments.place.engine().await?;
    let listening = listening(&engine, &arguments.target).await;
    let name = arguments.name.or_else(|| listening.as_ref().map(|port| port.name.clone()));
    let name = name.unwrap_or_else(|| arguments.target.clone());
    let kind = arguments.kind.map(ServiceKind::from).or(listening.map(|port| port.kind)).unwrap_or_default();
    let request = Request::Share {
        name: name.clone(),
        kind,
        target: arguments.target.clone(),
        path: arguments.path,
        description: arguments.description,
    };
    let Answer::Service { service } = engine.ask(request).await? else { bail!(unexpected()) };
    let sentence =
        format!("Sharing {} ({}). Nobody is in yet: postern invite {}", shown(&name), arguments.target, quoted(&name));
    output.say(&Event::Shared { service: service.to_string(), name: &name, target: &arguments.target }, sentence);
    Ok(())
}

/// What listens at a target of this machine, if the engine can tell; only names and kinds depend on it.
async fn listening(engine: &Running, target: &str) -> Option<ListeningPort> {
    let (host, port) = target.rsplit_once(':').unwrap_or(("localhost", target));
    let port = port.parse::<u16>().ok()?;
    if !matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
        return None;
    }
    match engine.ask(Request::Ports).await {
        Ok(Answer::Ports { ports }) => ports.into_iter().find(|listening| listening.port == port),
        _ => None,
    }
}

pub(crate) async fn change(arguments: ChangeArguments, output: Output) -> Result<()> {
    let engine = arguments.place.engine().await?;
    let snapshot = engine.snapshot().await?;
    let among = [naming::services(&snapshot), naming::portals(&snapshot)].concat();
    let found = naming::find("service or portal", &arguments.what, among)?;
    let of_service = arguments.target.is_some() || arguments.kind.is_some() || arguments.path.is_some();
    let request = match found.thing {
        Thing::Service(service) if arguments.port.is_none() => {
            let patch = ServicePatch {
                name: arguments.name,
                kind: arguments.kind.map(Into::into),
                target: arguments.target,
                path: arguments.path,
                description: arguments.description,
            };
            Request::ChangeService { service, patch }
        }
        Thing::Portal(inlet) if !of_service && arguments.description.is_none() => {
            Request::ChangeInlet { inlet, name: arguments.name, port: arguments.port }
        }
        Thing::Service(_) => bail!("{} is a service of yours: its port is in --target HOST:PORT", shown(&found.name)),
        _ => bail!("{} is a portal: only its --name and --port here can be changed", shown(&found.name)),
    };
    engine.order(request).await?;
    output.say(&Event::Changed { id: found.id }, format!("Changed {}.", shown(&found.name)));
    Ok(())
}

pub(crate) async fn close(arguments: CloseArguments, output: Output) -> Result<()> {
    let engine = arguments.place.engine().await?;
    let snapshot = engine.snapshot().await?;
    let among = [naming::services(&snapshot), naming::portals(&snapshot)].concat();
    let found = naming::find("service or portal", &arguments.what, among)?;
    let (request, sentence) = match found.thing {
        Thing::Portal(inlet) => (Request::RemoveInlet { inlet }, "given back to its owner"),
        Thing::Service(service) => (Request::CloseService { service }, "closed; whoever had access has none any more"),
        _ => unreachable!("only services and portals were looked at"),
    };
    engine.order(request).await?;
    output.say(&Event::Closed { id: found.id, name: &found.name }, format!("{} is {sentence}.", shown(&found.name)));
    Ok(())
}

/// A name as a shell takes it.
pub(crate) fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':');
    match !name.is_empty() && !name.starts_with('-') && name.chars().all(plain) {
        true => name.to_owned(),
        false => format!("'{}'", shown(name).replace('\'', r"'\''")),
    }
}
