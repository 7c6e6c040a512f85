//! `postern invite`, `postern link`, `postern resend` and `postern revoke`.

use crate::engine_client::{DataDirArgs, unexpected_answer};
use crate::output::{Output, to_stderr};
use crate::resolve::{self, Entity};
use crate::terminal_text::sanitized;
use crate::{link, time_format};
use anyhow::{Result, bail};
use clap::Args;
use postern_engine::api::{Answer, InvitationId, InviteTo, Request, Secret, Snapshot, Terms, UnixMillis};
use postern_engine::peer::ticket;
use postern_node::identity::Identifier;
use serde::Serialize;
use std::time::Duration;

#[derive(Args)]
pub(crate) struct InviteArguments {
    /// The service.
    service: String,
    /// A contact, who is invited without a link.
    #[arg(long, value_name = "CONTACT")]
    to: Option<String>,
    /// Make a link; the first person to use it gets access. This is the default without --to.
    #[arg(long, conflicts_with = "to")]
    link: bool,
    /// A note to yourself, for whom the link is.
    #[arg(long, value_name = "NAME", conflicts_with = "to")]
    note: Option<String>,
    /// Make the link an https one, to a page that opens Postern: where somebody serves join.html [default: that of `postern up --web-links`].
    /// Whoever serves the page could read the link, so you are always asked first. Put it behind the service.
    #[arg(long, value_name = "PAGE", num_args = 0..=1, conflicts_with = "to")]
    web: Option<Option<String>>,
    /// Ask you for approval before the person who accepts gets access.
    #[arg(long)]
    ask_first: bool,
    /// How long the invitation can be accepted: 15m, 12h, 7d.
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = time_format::duration)]
    expires: Duration,
    /// When access expires: 12h, 2026-12-24, 2026-12-24T18:00 [default: until you revoke it].
    #[arg(long, value_name = "TIME", value_parser = time_format::until)]
    until: Option<UnixMillis>,
    /// Access lasts until this Postern is quit.
    #[arg(long)]
    until_quit: bool,
    /// Limit of simultaneous connections.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    connections: Option<u32>,
    /// Show the link as a QR code too.
    #[arg(long, conflicts_with = "to")]
    qr: bool,
    #[command(flatten)]
    data_dir: DataDirArgs,
}

#[derive(Args)]
pub(crate) struct SentArguments {
    /// The invitation: SERVICE/NAME, or its id.
    invitation: String,
    /// Show the link as a QR code too.
    #[arg(long)]
    qr: bool,
    #[command(flatten)]
    data_dir: DataDirArgs,
}

#[derive(Args)]
pub(crate) struct ResendArguments {
    /// The invitation: SERVICE/NAME, or its id.
    invitation: String,
    #[command(flatten)]
    data_dir: DataDirArgs,
}

#[derive(Args)]
#[command(after_help = resolve::HELP)]
pub(crate) struct RevokeArguments {
    /// SERVICE/PERSON, a person (all their access), or an invitation.
    what: String,
    #[command(flatten)]
    data_dir: DataDirArgs,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event<'a> {
    Invited { invitation: String, link: Option<&'a str> },
    Resent { invitation: String },
    Revoked { ids: Vec<String> },
}

pub(crate) async fn invite(arguments: InviteArguments, output: Output) -> Result<()> {
    let engine = arguments.data_dir.connect().await?;
    let snapshot = engine.snapshot().await?;
    let service = resolve::service(&snapshot, &arguments.service)?;
    let to = match &arguments.to {
        Some(contact) => InviteTo::Contact { person: resolve::person(&snapshot, contact)? },
        None => match arguments.web {
            Some(base) => InviteTo::WebLink { note: arguments.note, base },
            None => InviteTo::Link { note: arguments.note },
        },
    };
    let request = Request::Invite {
        service,
        to,
        ask_first: arguments.ask_first,
        valid_for: Some(arguments.expires.as_secs()),
        terms: Terms { until: arguments.until, until_quit: arguments.until_quit, connections: arguments.connections },
    };
    let Answer::Invitation { invitation, link } = engine.request(request).await? else { bail!(unexpected_answer()) };
    print_invitation(output, invitation, link, arguments.qr, arguments.ask_first)
}

pub(crate) async fn link(arguments: SentArguments, output: Output) -> Result<()> {
    let engine = arguments.data_dir.connect().await?;
    let snapshot = engine.snapshot().await?;
    let invitation = resolve_sent(&snapshot, &arguments.invitation)?;
    let sent = snapshot.services.iter().flat_map(|service| &service.invitations).find(|sent| sent.id == invitation);
    let asks = sent.is_some_and(|sent| sent.ask_first);
    let answer = engine.request(Request::InvitationLink { invitation }).await?;
    let Answer::Invitation { invitation, link } = answer else { bail!(unexpected_answer()) };
    print_invitation(output, invitation, link, arguments.qr, asks)
}

pub(crate) async fn resend(arguments: ResendArguments, output: Output) -> Result<()> {
    let engine = arguments.data_dir.connect().await?;
    let invitation = resolve_sent(&engine.snapshot().await?, &arguments.invitation)?;
    engine.request(Request::Resend { invitation }).await?;
    output.print(&Event::Resent { invitation: invitation.to_string() }, "Sent again, with a new expiry.");
    Ok(())
}

fn resolve_sent(snapshot: &Snapshot, word: &str) -> Result<InvitationId> {
    match resolve::find("invitation", word, resolve::invitations(snapshot))?.value {
        Entity::Invitation(invitation) => Ok(invitation),
        _ => unreachable!("only invitations are candidates"),
    }
}

/// Prints a new invitation. The link is on a line of its own, to be copied or piped.
fn print_invitation(
    output: Output,
    invitation: InvitationId,
    link: Option<Secret>,
    qr: bool,
    asks: bool,
) -> Result<()> {
    let id = invitation.to_string();
    let event = Event::Invited { invitation: id.clone(), link: link.as_ref().map(Secret::reveal) };
    match &link {
        None => output.print(&event, "Invited. The invitation is in their mailbox."),
        Some(link) if qr && !output.is_json() => {
            output.print(&event, format!("{}\n{}", link::qr_code(link)?, link.reveal()));
        }
        Some(link) => output.print(&event, link.reveal()),
    }
    if let Some(link) = link.filter(|_| !output.is_json()) {
        let short = id.get(..8).unwrap_or(&id);
        let is_web = !link.reveal().starts_with(ticket::PREFIX);
        if is_web {
            to_stderr(
                "You are asked before anybody gets access: whoever serves the page could read the link. Compare the words with the \
                 person you invited before you allow it.",
            );
        }
        let who = match asks || is_web {
            true => "It works for one person, after you approve them.",
            false => "The first person to use this link gets access.",
        };
        to_stderr(format_args!("{who} Revoke it with: postern revoke {short}"));
    }
    Ok(())
}

pub(crate) async fn revoke(arguments: RevokeArguments, output: Output) -> Result<()> {
    let engine = arguments.data_dir.connect().await?;
    let snapshot = engine.snapshot().await?;
    let mut revoked = Vec::new();
    for (id, request) in revocations(&snapshot, &arguments.what)? {
        engine.execute(request).await?;
        revoked.push(id);
    }
    output.print(&Event::Revoked { ids: revoked }, "Revoked. Open connections were cut.");
    Ok(())
}

fn revocations(snapshot: &Snapshot, what: &str) -> Result<Vec<(String, Request)>> {
    let candidates = [resolve::grants(snapshot), resolve::people(snapshot)].concat();
    // A grant wins over an invitation of the same name, which may be an old one.
    let found = match resolve::find("access", what, candidates) {
        Err(resolve::ResolveError::Unknown { .. }) => {
            let all = [resolve::grants(snapshot), resolve::people(snapshot), resolve::invitations(snapshot)].concat();
            resolve::find("access or invitation", what, all)?
        }
        found => found?,
    };
    let requests = match found.value {
        Entity::Grant(grant) => vec![(found.id, Request::RevokeGrant { grant })],
        Entity::Invitation(invitation) => vec![(found.id, Request::RevokeInvitation { invitation })],
        Entity::Person(person) => everything_of(snapshot, person),
        _ => unreachable!("only access, people and invitations are candidates"),
    };
    if requests.is_empty() {
        bail!("{} has no access and no open invitation", sanitized(&found.name));
    }
    Ok(requests)
}

fn everything_of(snapshot: &Snapshot, person: Identifier) -> Vec<(String, Request)> {
    let mut requests = Vec::new();
    for service in &snapshot.services {
        for theirs in service.people.iter().filter(|it| it.person == person && resolve::is_live(it.state)) {
            requests.push((theirs.grant.to_string(), Request::RevokeGrant { grant: theirs.grant }));
        }
        for sent in service.invitations.iter().filter(|it| it.to == Some(person) && resolve::is_open(it.state)) {
            requests.push((sent.id.to_string(), Request::RevokeInvitation { invitation: sent.id }));
        }
    }
    requests
}
