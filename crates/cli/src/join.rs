//! `postern preview`, `postern join`, `postern accept` and `postern decline`.

use crate::naming;
use crate::output::Output;
use crate::place::{Place, Running, Watching, unexpected};
use crate::share::quoted;
use crate::table::{escaped, shown};
use crate::{link, moment};
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
    place: Place,
}

#[derive(Args)]
pub(crate) struct JoinArguments {
    #[arg(help = link::HELP)]
    link: String,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
pub(crate) struct AcceptArguments {
    /// The invitation: its service, its owner, or its id.
    invitation: String,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
pub(crate) struct DeclineArguments {
    /// The invitation: its service, its owner, or its id.
    invitation: String,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
struct How {
    /// Where it appears on your localhost [default: the service's own port].
    #[arg(long)]
    port: Option<u16>,
    /// How long to wait for it to be up. If it is not by then, it comes up by itself.
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = moment::duration)]
    wait: Duration,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event<'a> {
    Preview { preview: &'a InvitationPreview },
    Accepted { invitation: InvitationId },
    Waiting { invitation: InvitationId, fault: Option<&'a Fault> },
    Up { inlet: InletId, name: &'a str, address: &'a str, url: Option<&'a str> },
    Declined { invitation: InvitationId },
}

pub(crate) async fn preview(arguments: PreviewArguments, output: Output) -> Result<()> {
    let engine = arguments.place.engine().await?;
    let link = link::read(arguments.link).await?;
    let Answer::Preview { preview } = engine.ask(Request::Preview { link }).await? else { bail!(unexpected()) };
    say_preview(output, &preview);
    preview.fault.map_or(Ok(()), |fault| Err(fault.into()))
}

pub(crate) async fn join(arguments: JoinArguments, output: Output) -> Result<()> {
    let engine = arguments.place.engine().await?;
    let link = link::read(arguments.link).await?;
    let Answer::Preview { preview } = engine.ask(Request::Open { link }).await? else { bail!(unexpected()) };
    say_preview(output, &preview);
    if let Some(fault) = preview.fault {
        return Err(fault.into());
    }
    let accepted = Accepted::new(preview.invitation, preview.owner, preview.service_name);
    take(&engine, accepted, arguments.how, output).await
}

pub(crate) async fn accept(arguments: AcceptArguments, output: Output) -> Result<()> {
    let engine = arguments.place.engine().await?;
    let snapshot = engine.snapshot().await?;
    let received = naming::received(&snapshot, &arguments.invitation)?;
    let accepted = Accepted::new(received.id, received.owner, received.service_name.clone());
    take(&engine, accepted, arguments.how, output).await
}

pub(crate) async fn decline(arguments: DeclineArguments, output: Output) -> Result<()> {
    let engine = arguments.place.engine().await?;
    let snapshot = engine.snapshot().await?;
    let received = naming::received(&snapshot, &arguments.invitation)?;
    engine.order(Request::Decline { invitation: received.id }).await?;
    let sentence = format!("Declined {} by {}.", shown(&received.service_name), shown(&received.owner_name));
    output.say(&Event::Declined { invitation: received.id }, sentence);
    Ok(())
}

fn say_preview(output: Output, preview: &InvitationPreview) {
    let known = match (preview.owner_known, &preview.words) {
        (true, _) => "one of your contacts".to_owned(),
        (false, Some(words)) => format!("not one of your contacts; compare these words with them: {words}"),
        (false, None) => "not one of your contacts".to_owned(),
    };
    let sentence = format!(
        "{} shares {} with you, until {}.\n{} is {known}.",
        shown(&preview.owner_name),
        shown(&preview.service_name),
        moment::shown(preview.expires),
        shown(&preview.owner_name),
    );
    output.say(&Event::Preview { preview }, sentence);
}

/// Accepts, and follows what comes of it for as long as was asked for.
async fn take(engine: &Running, mut accepted: Accepted, how: How, output: Output) -> Result<()> {
    let invitation = accepted.invitation;
    let mut watching = engine.watch().await?;
    accepted.before = watching.snapshot().await?.inlets.iter().map(|inlet| inlet.id).collect();
    engine.order(Request::Accept { invitation, port: how.port }).await?;
    output.say(&Event::Accepted { invitation }, "Accepted.");
    let mut waiting_for = None;
    match tokio::time::timeout(how.wait, accepted.follow(&mut watching, &mut waiting_for, output)).await {
        Ok(followed) => followed,
        Err(_) => {
            let why =
                waiting_for.as_ref().map_or_else(String::new, |fault: &Fault| format!(" {}", escaped(&fault.message)));
            let sentence = format!("It is not up yet.{why} It comes up by itself: see `postern ls`.");
            output.say(&Event::Waiting { invitation, fault: waiting_for.as_ref() }, sentence);
            Ok(())
        }
    }
}

/// An invitation that is being accepted.
struct Accepted {
    invitation: InvitationId,
    owner: Identifier,
    service_name: String,
    /// The portals that there were before.
    before: BTreeSet<InletId>,
}

/// What has become of it.
enum Became<'a> {
    Waiting(Option<&'a Fault>),
    Up(&'a InletView),
    /// There, and only this person can help.
    Stuck(&'a InletView, &'a Fault),
    Refused(&'a Fault),
}

impl Accepted {
    fn new(invitation: InvitationId, owner: Identifier, service_name: String) -> Self {
        Self { invitation, owner, service_name, before: BTreeSet::new() }
    }

    async fn follow(&self, watching: &mut Watching, waiting_for: &mut Option<Fault>, output: Output) -> Result<()> {
        loop {
            let snapshot = watching.snapshot().await?;
            match self.became(&snapshot) {
                Became::Waiting(why) => *waiting_for = why.cloned(),
                Became::Refused(fault) => return Err(fault.clone().into()),
                Became::Stuck(inlet, fault) => {
                    let name = quoted(&inlet.name);
                    let way_out = format!("It is accepted, but has no port: postern change {name} --port PORT");
                    return Err(anyhow::Error::from(fault.clone()).context(way_out));
                }
                Became::Up(inlet) => {
                    let sentence = match &inlet.url {
                        Some(url) => format!("{} is on {url}", shown(&inlet.name)),
                        None => format!("{} is on {}", shown(&inlet.name), inlet.address),
                    };
                    let event = Event::Up {
                        inlet: inlet.id,
                        name: &inlet.name,
                        address: &inlet.address,
                        url: inlet.url.as_deref(),
                    };
                    output.say(&event, sentence);
                    return Ok(());
                }
            }
        }
    }

    fn became<'a>(&self, snapshot: &'a Snapshot) -> Became<'a> {
        if let Some(received) = snapshot.invitations.iter().find(|received| received.id == self.invitation) {
            return match &received.state {
                ReceivedState::New => Became::Waiting(None),
                ReceivedState::Accepting { fault } => Became::Waiting(fault.as_ref()),
                ReceivedState::Over { fault } => Became::Refused(fault),
            };
        }
        let theirs = || snapshot.inlets.iter().filter(|inlet| inlet.owner == self.owner);
        // Whoever was in before and is invited again gets the same portal again.
        let again = || theirs().find(|inlet| inlet.service_name == self.service_name);
        match theirs().find(|inlet| !self.before.contains(&inlet.id)).or_else(again) {
            None => Became::Waiting(None),
            Some(inlet) => match &inlet.link {
                InletLink::Up { .. } => Became::Up(inlet),
                InletLink::Down { fault, .. } if fault.code == Code::PortTaken => Became::Stuck(inlet, fault),
                InletLink::Down { fault, .. } if !comes_by_itself(fault) => Became::Refused(fault),
                InletLink::Down { fault, .. } => Became::Waiting(Some(fault)),
                InletLink::Connecting | InletLink::Off => Became::Waiting(None),
            },
        }
    }
}

/// Whether waiting helps.
fn comes_by_itself(fault: &Fault) -> bool {
    !matches!(fault.code, Code::Revoked | Code::Expired | Code::ServiceClosed | Code::Invalid)
}
