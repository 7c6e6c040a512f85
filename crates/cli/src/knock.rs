//! `postern knock`: lists requests for access, and answers them.

use crate::engine_client::DataDirArgs;
use crate::output::Output;
use crate::resolve::{self, Candidate, ResolveError};
use crate::table::Table;
use crate::terminal_text::sanitized;
use crate::word_groups;
use anyhow::Result;
use clap::{Args, ValueEnum};
use postern_engine::api::{InvitationId, KnockAnswer, KnockView, Request, Snapshot};
use serde::Serialize;

#[derive(Args)]
pub(crate) struct KnockArguments {
    /// The answer [default: list who asks].
    #[arg(value_enum)]
    answer: Option<Decision>,
    /// Who asks: their name, SERVICE/NAME or the invitation's id [default: the only one who asks].
    who: Option<String>,
    #[command(flatten)]
    data_dir: DataDirArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Decision {
    /// Allow until this Postern is quit.
    AllowOnce,
    /// Allow as the invitation says.
    Always,
    /// Deny.
    Deny,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event<'a> {
    Knocks { knocks: &'a [KnockView] },
    Answered { invitation: InvitationId },
}

pub(crate) async fn run(arguments: KnockArguments, output: Output) -> Result<()> {
    let engine = arguments.data_dir.connect().await?;
    let snapshot = engine.snapshot().await?;
    let Some(answer) = arguments.answer else {
        output.print(&Event::Knocks { knocks: &snapshot.knocks }, text(&snapshot));
        return Ok(());
    };
    let (answer, sentence) = match answer {
        Decision::AllowOnce => (KnockAnswer::Once, "has access until this Postern is quit"),
        Decision::Always => (KnockAnswer::Always, "has access"),
        Decision::Deny => (KnockAnswer::Deny, "was denied"),
    };
    let knock = select_knock(&snapshot, arguments.who.as_deref())?;
    engine.execute(Request::AnswerKnock { invitation: knock.invitation, answer }).await?;
    let sentence = format!("{} {sentence}.", sanitized(&knock.name));
    output.print(&Event::Answered { invitation: knock.invitation }, sentence);
    Ok(())
}

fn select_knock<'a>(snapshot: &'a Snapshot, who: Option<&str>) -> Result<&'a KnockView> {
    let knocks = &snapshot.knocks;
    let Some(who) = who else {
        return match knocks.as_slice() {
            [only] => Ok(only),
            [] => Err(ResolveError::None("Nobody asks for access."))?,
            _ => Err(ResolveError::Several("Several people ask for access: name one, see `postern knock`."))?,
        };
    };
    let named = |kind, name: fn(&KnockView) -> String| {
        let all = knocks.iter().enumerate().map(move |(index, knock)| Candidate {
            kind,
            name: name(knock),
            id: knock.invitation.to_string(),
            value: index,
        });
        all.collect::<Vec<_>>()
    };
    let by_person = resolve::find("knock", who, named("person", |knock| knock.name.clone()));
    let found = match by_person {
        Err(_) => {
            resolve::find("knock", who, named("access", |knock| format!("{}/{}", knock.service_name, knock.name)))
        }
        found => found,
    };
    Ok(&knocks[found?.value])
}

/// That somebody else than a contact uses a name like the contact's.
pub(crate) fn not_the_known(knock: &KnockView) -> String {
    knock.looks_like.as_ref().map_or_else(String::new, |name| format!("not the {} you know", sanitized(name)))
}

fn text(snapshot: &Snapshot) -> String {
    if snapshot.knocks.is_empty() {
        return "Nobody asks for access.".into();
    }
    let mut table = Table::new("");
    for knock in &snapshot.knocks {
        let id = knock.invitation.to_string();
        let id = id.get(..8).unwrap_or(&id).to_owned();
        let who = format!("{}/{}", sanitized(&knock.service_name), sanitized(&knock.name));
        table.row([id, who, word_groups::line(&knock.words), not_the_known(knock)]);
    }
    table.text().trim_end().to_owned()
}
