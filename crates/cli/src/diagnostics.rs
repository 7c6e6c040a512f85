//! `postern ports` and `postern doctor`: the listening ports of this machine, and a diagnosis of problems.

use crate::engine_client::{DataDirArgs, unexpected_answer};
use crate::output::Output;
use crate::table::Table;
use crate::terminal_text::{escaped, sanitized};
use anyhow::{Result, bail};
use clap::Args;
use postern_engine::api::{Answer, Finding, ListeningPort, Request, ServiceKind, Severity};
use serde::Serialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

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
            format!("postern share {}", shareable(port)),
        ]);
    }
    let text = if ports.is_empty() { "No program listens on this machine.".to_owned() } else { table.text() };
    output.print(&Event::Ports { ports: &ports }, text.trim_end());
    Ok(())
}

/// The argument of `postern share` for what listens there: just the port where `localhost` leads to it.
fn shareable(port: &ListeningPort) -> String {
    match port.address.parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() || ip == Ipv4Addr::LOCALHOST => port.port.to_string(),
        Ok(ip) => SocketAddr::new(ip, port.port).to_string(),
        Err(_) => format!("{}:{}", port.address, port.port),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suggested_target_is_where_the_program_listens() {
        let at = |address: &str| {
            let (program, kind, name) = (None, ServiceKind::Tcp, String::new());
            let port =
                ListeningPort { warning: None, port: 80, address: address.into(), program, process: None, kind, name };
            shareable(&port)
        };
        for address in ["127.0.0.1", "0.0.0.0", "::"] {
            assert_eq!(at(address), "80", "{address}");
        }
        // `localhost` is not always ::1 too, and never another loopback address.
        assert_eq!(at("::1"), "[::1]:80");
        assert_eq!(at("127.0.0.2"), "127.0.0.2:80");
        assert_eq!(at("10.99.0.1"), "10.99.0.1:80");
    }
}
