//! `postern ports` and `postern doctor`: the listening ports of this machine, and a diagnosis of problems.

use crate::engine_client::{DataDirArgs, unexpected_answer};
use crate::output::Output;
use crate::table::Table;
use crate::terminal_text::{escaped, sanitized};
use anyhow::{Result, bail};
use clap::Args;
use postern_engine::api::{Answer, Finding, ListeningPort, Request, ServiceKind, Severity};
use serde::Serialize;

#[derive(Args)]
pub(crate) struct DiagnosticsArguments {
    #[command(flatten)]
    data_dir: DataDirArgs,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event<'a> {
    Ports { ports: &'a [ListeningPort] },
    Findings { findings: &'a [Finding] },
}

/// The diagnosis found problems, which were printed already.
#[derive(Debug, thiserror::Error)]
#[error("problems were found; each is listed with advice")]
pub(crate) struct ProblemsFound;

pub(crate) async fn ports(arguments: DiagnosticsArguments, output: Output) -> Result<()> {
    let engine = arguments.data_dir.connect().await?;
    let Answer::Ports { ports } = engine.request(Request::Ports).await? else { bail!(unexpected_answer()) };
    let mut table = Table::new("");
    for port in &ports {
        let program = port.program.as_deref().map_or_else(|| "another user's program".to_owned(), sanitized);
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
    output.print(&Event::Ports { ports: &ports }, text.trim_end());
    Ok(())
}

pub(crate) async fn doctor(arguments: DiagnosticsArguments, output: Output) -> Result<()> {
    let engine = arguments.data_dir.connect().await?;
    let Answer::Findings { findings } = engine.request(Request::Doctor).await? else { bail!(unexpected_answer()) };
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
    output.print(&Event::Findings { findings: &findings }, text.trim_end());
    match findings.iter().any(|finding| finding.severity == Severity::Bad) {
        true => Err(ProblemsFound.into()),
        false => Ok(()),
    }
}
