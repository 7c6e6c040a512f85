//! `postern ports` and `postern doctor`: a look at this machine and at what is wrong.

use crate::output::Output;
use crate::place::{Place, unexpected};
use crate::table::{Table, escaped, shown};
use anyhow::{Result, bail};
use clap::Args;
use postern_engine::api::{Answer, Finding, ListeningPort, Request, ServiceKind, Severity};
use serde::Serialize;

#[derive(Args)]
pub(crate) struct LookArguments {
    #[command(flatten)]
    place: Place,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event<'a> {
    Ports { ports: &'a [ListeningPort] },
    Findings { findings: &'a [Finding] },
}

/// Something is wrong, and was said already.
#[derive(Debug, thiserror::Error)]
#[error("something does not work; what to do about it stands beside it")]
pub(crate) struct Unwell;

pub(crate) async fn ports(arguments: LookArguments, output: Output) -> Result<()> {
    let engine = arguments.place.engine().await?;
    let Answer::Ports { ports } = engine.ask(Request::Ports).await? else { bail!(unexpected()) };
    let mut table = Table::new("");
    for port in &ports {
        let program = port.program.as_deref().map_or_else(|| "another user's program".to_owned(), shown);
        let kind = match port.kind {
            ServiceKind::Tcp => "",
            ServiceKind::Http => "http",
            ServiceKind::Https => "https",
        };
        table.row([
            port.port.to_string(),
            port.address.clone(),
            program,
            kind.into(),
            format!("postern share {}", port.port),
        ]);
    }
    let text = if ports.is_empty() { "No program listens on this machine.".to_owned() } else { table.text() };
    output.say(&Event::Ports { ports: &ports }, text.trim_end());
    Ok(())
}

pub(crate) async fn doctor(arguments: LookArguments, output: Output) -> Result<()> {
    let engine = arguments.place.engine().await?;
    let Answer::Findings { findings } = engine.ask(Request::Doctor).await? else { bail!(unexpected()) };
    let mut text = String::new();
    for finding in &findings {
        let mark = match finding.severity {
            Severity::Good => "✓",
            Severity::Warning => "!",
            Severity::Bad => "✗",
        };
        text.push_str(&format!("{mark} {}: {}\n", finding.subject, escaped(&finding.message)));
        if let Some(advice) = &finding.advice {
            text.push_str(&format!("    {}\n", escaped(advice)));
        }
    }
    output.say(&Event::Findings { findings: &findings }, text.trim_end());
    match findings.iter().any(|finding| finding.severity == Severity::Bad) {
        true => Err(Unwell.into()),
        false => Ok(()),
    }
}
