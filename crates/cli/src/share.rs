//! `postern share`, `postern change` and `postern close`.

use crate::engine_client::{DataDirArgs, EngineClient, unexpected_answer};
use crate::output::Output;
use crate::resolve::{self, Entity};
use crate::terminal_text::sanitized;
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use postern_engine::api::{Answer, ListeningPort, Request, ServiceKind, ServicePatch};
use postern_engine::core::ServiceTarget;
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

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// On.
    On,
    /// Off.
    Off,
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
    /// The service: a port of this machine, HOST:PORT, or the URL of a web page; its name is resolved at every connection.
    target: String,
    /// Its name, as friends see it [default: the program that listens there, see `postern ports`].
    #[arg(long)]
    name: Option<String>,
    /// Its protocol [default: detected from what listens there].
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// The path that a browser opens, for instance /lab.
    #[arg(long)]
    path: Option<String>,
    /// A description for friends.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    #[command(flatten)]
    data_dir: DataDirArgs,
}

#[derive(Args)]
pub(crate) struct ChangeArguments {
    /// The service or the portal.
    what: String,
    /// A new name.
    #[arg(long)]
    name: Option<String>,
    /// Another local port, for a portal.
    #[arg(long)]
    port: Option<u16>,
    /// Whether requests of browsers are checked, for a portal to a web page: off lets every site send requests to it, and opens it at
    /// localhost.
    #[arg(long, value_enum, value_name = "on|off")]
    browser_check: Option<Switch>,
    /// Whether it is checked that the target answers, for a service. A service of another machine is connected to for that.
    #[arg(long, value_enum, value_name = "on|off")]
    health_check: Option<Switch>,
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
    data_dir: DataDirArgs,
}

#[derive(Args)]
pub(crate) struct CloseArguments {
    /// A service, whose grants are then revoked permanently, or a portal, which is then given up.
    what: String,
    #[command(flatten)]
    data_dir: DataDirArgs,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event<'a> {
    Shared {
        service: String,
        name: &'a str,
        target: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        warning: Option<&'a str>,
    },
    Changed {
        id: String,
    },
    Closed {
        id: String,
        name: &'a str,
    },
}

pub(crate) async fn share(arguments: ShareArguments, output: Output) -> Result<()> {
    let engine = arguments.data_dir.connect().await?;
    // The engine refuses what cannot be parsed, and says why.
    let parsed = ServiceTarget::parse(&arguments.target).ok();
    let address = parsed.as_ref().map_or(arguments.target.as_str(), |it| it.address.as_str());
    let listening = listening(&engine, address).await;
    let name = arguments.name.or_else(|| listening.as_ref().map(|port| port.name.clone()));
    let name =
        name.unwrap_or_else(|| if arguments.target.contains("://") { address } else { &arguments.target }.to_owned());
    let guessed = parsed.as_ref().and_then(|it| it.kind).or(listening.as_ref().map(|port| port.kind));
    let kind = arguments.kind.map(ServiceKind::from).or(guessed).unwrap_or_default();
    let request = Request::Share {
        name: name.clone(),
        kind,
        target: arguments.target.clone(),
        path: arguments.path,
        description: arguments.description,
    };
    let Answer::Service { service } = engine.request(request).await? else { bail!(unexpected_answer()) };
    let warning = match listening.and_then(|port| port.warning) {
        None => engine.snapshot().await?.services.into_iter().find(|it| it.id == service).and_then(|it| it.warning),
        by_program => by_program,
    };
    let sentence = format!(
        "Sharing {} ({}). Nobody has access yet: postern invite {}{}",
        sanitized(&name),
        arguments.target,
        resolve::argument("service", &name),
        warning.as_ref().map(|warning| format!("\nCareful: {warning}")).unwrap_or_default()
    );
    let warning = warning.as_deref();
    output.print(
        &Event::Shared { service: service.to_string(), name: &name, target: &arguments.target, warning },
        sentence,
    );
    Ok(())
}

/// What listens at a target on this machine, if the engine knows it: for the default name and kind only.
async fn listening(engine: &EngineClient, target: &str) -> Option<ListeningPort> {
    let (host, port) = target.rsplit_once(':')?;
    let port = port.parse::<u16>().ok()?;
    let is_local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    let host = host.trim_matches(['[', ']']);
    match engine.request(Request::Ports).await {
        Ok(Answer::Ports { ports }) => ports.into_iter().find(|it| it.port == port && (is_local || it.address == host)),
        _ => None,
    }
}

pub(crate) async fn change(arguments: ChangeArguments, output: Output) -> Result<()> {
    let engine = arguments.data_dir.connect().await?;
    let snapshot = engine.snapshot().await?;
    let candidates = [resolve::services(&snapshot), resolve::portals(&snapshot)].concat();
    let found = resolve::find("service or portal", &arguments.what, candidates)?;
    let of_service = arguments.target.is_some()
        || arguments.kind.is_some()
        || arguments.path.is_some()
        || arguments.health_check.is_some();
    let of_portal = arguments.port.is_some() || arguments.browser_check.is_some();
    let requests = match found.value {
        Entity::Service(service) if !of_portal => {
            let patch = ServicePatch {
                name: arguments.name,
                kind: arguments.kind.map(Into::into),
                target: arguments.target,
                path: arguments.path,
                description: arguments.description,
                health_check: arguments.health_check.map(|it| it == Switch::On),
            };
            vec![Request::ChangeService { service, patch }]
        }
        Entity::Portal(inlet) if !of_service && arguments.description.is_none() => {
            let check = arguments.browser_check.map(|it| Request::SetInletCheck { inlet, on: it == Switch::On });
            let change = Request::ChangeInlet { inlet, name: arguments.name, port: arguments.port };
            [Some(change), check].into_iter().flatten().collect()
        }
        Entity::Service(_) => {
            bail!("{} is a service: change its port with --target HOST:PORT", sanitized(&found.name))
        }
        _ => bail!(
            "{} is a portal: only its --name, local --port and --browser-check can be changed",
            sanitized(&found.name)
        ),
    };
    for request in requests {
        engine.execute(request).await?;
    }
    output.print(&Event::Changed { id: found.id }, format!("Changed {}.", sanitized(&found.name)));
    Ok(())
}

pub(crate) async fn close(arguments: CloseArguments, output: Output) -> Result<()> {
    let engine = arguments.data_dir.connect().await?;
    let snapshot = engine.snapshot().await?;
    let candidates = [resolve::services(&snapshot), resolve::portals(&snapshot)].concat();
    let found = resolve::find("service or portal", &arguments.what, candidates)?;
    let (request, sentence) = match found.value {
        Entity::Portal(inlet) => (Request::RemoveInlet { inlet }, "removed; your access was given up"),
        Entity::Service(service) => (Request::CloseService { service }, "closed; all access to it was revoked"),
        _ => unreachable!("only services and portals are candidates"),
    };
    engine.execute(request).await?;
    output.print(
        &Event::Closed { id: found.id, name: &found.name },
        format!("{} is {sentence}.", sanitized(&found.name)),
    );
    Ok(())
}
