//! `postern preview`, `postern join`, `postern accept` and `postern decline`.

use crate::engine_client::{DataDirArgs, EngineClient, EngineWatch, unexpected_answer};
use crate::output::Output;
use crate::resolve;
use crate::terminal_text::{escaped, sanitized};
use crate::{link, time_format, word_groups};
use anyhow::{Result, bail};
use clap::Args;
use postern_engine::api::{
    Answer, Code, Fault, InletId, InletLink, InletView, InvitationId, InvitationPreview, ReceivedState, Request,
    Snapshot,
};
use postern_node::identity::Identifier;
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;

#[derive(Args)]
pub(crate) struct PreviewArguments {
    #[arg(help = link::HELP)]
    link: String,
    #[command(flatten)]
    data_dir: DataDirArgs,
}

#[derive(Args)]
pub(crate) struct JoinArguments {
    #[arg(help = link::HELP)]
    link: String,
    #[command(flatten)]
    options: AcceptOptions,
    #[command(flatten)]
    data_dir: DataDirArgs,
}

#[derive(Args)]
pub(crate) struct AcceptArguments {
    /// The invitation: its service, its owner, or its id.
    invitation: String,
    #[command(flatten)]
    options: AcceptOptions,
    #[command(flatten)]
    data_dir: DataDirArgs,
}

#[derive(Args)]
pub(crate) struct DeclineArguments {
    /// The invitation: its service, its owner, or its id.
    invitation: String,
    #[command(flatten)]
    data_dir: DataDirArgs,
}

#[derive(Args)]
struct AcceptOptions {
    /// The local port where the service appears [default: the service's own port].
    #[arg(long)]
    port: Option<u16>,
    /// How long to wait for the portal. If it is not up by then, it keeps trying in the background.
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = time_format::duration)]
    wait: Duration,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event<'a> {
    Preview { preview: &'a InvitationPreview },
    Accepted { invitation: InvitationId },
    Waiting { invitation: InvitationId, fault: Option<&'a Fault> },
    Up { inlet: InletId, name: &'a str, address: &'a str, url: Option<&'a str>, host: Option<&'a str> },
    Declined { invitation: InvitationId },
}

pub(crate) async fn preview(arguments: PreviewArguments, output: Output) -> Result<()> {
    let engine = arguments.data_dir.connect().await?;
    let link = link::read(arguments.link).await?;
    let Answer::Preview { preview } = engine.request(Request::Preview { link }).await? else {
        bail!(unexpected_answer())
    };
    print_preview(output, &preview);
    preview.fault.map_or(Ok(()), |fault| Err(fault.into()))
}

pub(crate) async fn join(arguments: JoinArguments, output: Output) -> Result<()> {
    let engine = arguments.data_dir.connect().await?;
    let link = link::read(arguments.link).await?;
    let Answer::Preview { preview } = engine.request(Request::Open { link }).await? else { bail!(unexpected_answer()) };
    print_preview(output, &preview);
    if let Some(fault) = preview.fault {
        return Err(fault.into());
    }
    let accepted = PendingPortal::new(preview.invitation, preview.owner, preview.service_name);
    accept_and_wait(&engine, accepted, arguments.options, output).await
}

pub(crate) async fn accept(arguments: AcceptArguments, output: Output) -> Result<()> {
    let engine = arguments.data_dir.connect().await?;
    let snapshot = engine.snapshot().await?;
    let received = resolve::received_invitation(&snapshot, &arguments.invitation)?;
    let accepted = PendingPortal::new(received.id, received.owner, received.service_name.clone());
    accept_and_wait(&engine, accepted, arguments.options, output).await
}

pub(crate) async fn decline(arguments: DeclineArguments, output: Output) -> Result<()> {
    let engine = arguments.data_dir.connect().await?;
    let snapshot = engine.snapshot().await?;
    let received = resolve::received_invitation(&snapshot, &arguments.invitation)?;
    engine.execute(Request::Decline { invitation: received.id }).await?;
    let sentence = format!("Declined {} by {}.", sanitized(&received.service_name), sanitized(&received.owner_name));
    output.print(&Event::Declined { invitation: received.id }, sentence);
    Ok(())
}

fn print_preview(output: Output, preview: &InvitationPreview) {
    let known = match (preview.owner_known, &preview.words) {
        (true, _) => "one of your contacts".to_owned(),
        (false, Some(words)) => {
            format!("not one of your contacts; compare these words with them: {}", word_groups::line(words))
        }
        (false, None) => "not one of your contacts".to_owned(),
    };
    let known = match &preview.looks_like {
        Some(name) => format!("not the {} you know, but {known}", sanitized(name)),
        None => known,
    };
    let sentence = format!(
        "{} shares {} with you, until {}.\n{} is {known}.",
        sanitized(&preview.owner_name),
        sanitized(&preview.service_name),
        time_format::to_minute(preview.expires),
        sanitized(&preview.owner_name),
    );
    output.print(&Event::Preview { preview }, sentence);
}

/// Accepts an invitation, and waits for the portal for as long as `--wait` says.
async fn accept_and_wait(
    engine: &EngineClient,
    mut accepted: PendingPortal,
    options: AcceptOptions,
    output: Output,
) -> Result<()> {
    let invitation = accepted.invitation;
    let mut updates = engine.watch().await?;
    accepted.before = updates.snapshot().await?.inlets.iter().map(|inlet| inlet.id).collect();
    engine.execute(Request::Accept { invitation, port: options.port }).await?;
    output.print(&Event::Accepted { invitation }, "Accepted.");
    let mut last_fault = None;
    match tokio::time::timeout(options.wait, accepted.wait_until_up(&mut updates, &mut last_fault, output)).await {
        Ok(finished) => finished,
        Err(_) => {
            let why =
                last_fault.as_ref().map_or_else(String::new, |fault: &Fault| format!(" {}", escaped(&fault.message)));
            let sentence = format!("The portal is not up yet.{why} It keeps trying: see `postern ls`.");
            output.print(&Event::Waiting { invitation, fault: last_fault.as_ref() }, sentence);
            Ok(())
        }
    }
}

/// An invitation that is being accepted.
struct PendingPortal {
    invitation: InvitationId,
    owner: Identifier,
    service_name: String,
    /// Portals that existed before.
    before: BTreeSet<InletId>,
}

/// How far an accepted invitation has come.
enum Progress<'a> {
    Waiting(Option<&'a Fault>),
    Up(&'a InletView),
    /// The portal exists, but needs this person's help.
    Stuck(&'a InletView, &'a Fault),
    Refused(&'a Fault),
}

impl PendingPortal {
    fn new(invitation: InvitationId, owner: Identifier, service_name: String) -> Self {
        Self { invitation, owner, service_name, before: BTreeSet::new() }
    }

    async fn wait_until_up(
        &self,
        updates: &mut EngineWatch,
        last_fault: &mut Option<Fault>,
        output: Output,
    ) -> Result<()> {
        loop {
            let snapshot = updates.snapshot().await?;
            match self.progress(&snapshot) {
                Progress::Waiting(why) => *last_fault = why.cloned(),
                Progress::Refused(fault) => return Err(fault.clone().into()),
                Progress::Stuck(inlet, fault) => {
                    let name = resolve::argument("portal", &inlet.name);
                    let advice = format!("Accepted, but the local port is in use: postern change {name} --port PORT");
                    return Err(anyhow::Error::from(fault.clone()).context(advice));
                }
                Progress::Up(inlet) => {
                    let sentence = match &inlet.url {
                        Some(url) => {
                            format!("{} is on {url} (for programs: {})", sanitized(&inlet.name), inlet.address)
                        }
                        None => format!("{} is on {}", sanitized(&inlet.name), inlet.address),
                    };
                    let event = Event::Up {
                        inlet: inlet.id,
                        name: &inlet.name,
                        address: &inlet.address,
                        url: inlet.url.as_deref(),
                        host: inlet.host.as_deref(),
                    };
                    output.print(&event, sentence);
                    return Ok(());
                }
            }
        }
    }

    fn progress<'a>(&self, snapshot: &'a Snapshot) -> Progress<'a> {
        if let Some(received) = snapshot.invitations.iter().find(|received| received.id == self.invitation) {
            return match &received.state {
                ReceivedState::New => Progress::Waiting(None),
                ReceivedState::Accepting { fault } => Progress::Waiting(fault.as_ref()),
                ReceivedState::Over { fault } => Progress::Refused(fault),
            };
        }
        let theirs = || snapshot.inlets.iter().filter(|inlet| inlet.owner == self.owner);
        // Somebody who had access before and is invited again keeps the same portal.
        let again = || theirs().find(|inlet| inlet.service_name == self.service_name);
        match theirs().find(|inlet| !self.before.contains(&inlet.id)).or_else(again) {
            None => Progress::Waiting(None),
            Some(inlet) => match &inlet.link {
                InletLink::Up { .. } => Progress::Up(inlet),
                InletLink::Down { fault, .. } if fault.code == Code::PortTaken => Progress::Stuck(inlet, fault),
                InletLink::Down { fault, .. } if !is_transient(fault) => Progress::Refused(fault),
                InletLink::Down { fault, .. } => Progress::Waiting(Some(fault)),
                InletLink::Connecting | InletLink::Off => Progress::Waiting(None),
            },
        }
    }
}

/// Whether the portal can still come up without this person's help.
fn is_transient(fault: &Fault) -> bool {
    !matches!(fault.code, Code::Revoked | Code::Expired | Code::ServiceClosed | Code::Invalid)
}
