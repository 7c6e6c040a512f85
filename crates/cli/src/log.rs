//! `postern log`: shows and exports the audit log, whose entries form a hash chain.

use crate::engine_client::{DataDirArgs, EngineClient, unexpected_answer};
use crate::output::Output;
use crate::table::Table;
use crate::terminal_text::{byte_size, escaped, sanitized};
use crate::time_format;
use anyhow::{Context, Result, bail};
use clap::Args;
use postern_engine::api::{Answer, AuditEntry, AuditEvent, Request};
use serde::Serialize;
use std::path::PathBuf;

/// Entries per request: half of what the engine allows, so that an answer stays far below its size limit.
const PAGE: u32 = 500;

#[derive(Args)]
pub(crate) struct LogArguments {
    /// How many of the newest entries to show.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    limit: u32,
    /// Check the whole log: its hash chain, and whether entries are missing.
    #[arg(long, conflicts_with = "export")]
    verify: bool,
    /// Export all entries with their hashes, oldest first, one JSON object per line: to a file, or `-` for the standard output.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    export: Option<PathBuf>,
    #[command(flatten)]
    data_dir: DataDirArgs,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event<'a> {
    Receipts { receipts: &'a [AuditEntry], intact: bool },
    Exported { receipts: usize, intact: bool },
    Verified { intact: bool, entries: u64, authenticated: u64, problems: &'a [String], remarks: &'a [String] },
}

pub(crate) async fn run(arguments: LogArguments, output: Output) -> Result<()> {
    let engine = arguments.data_dir.connect().await?;
    if arguments.verify {
        return verify(&engine, output).await;
    }
    let wanted = if arguments.export.is_some() { u32::MAX } else { arguments.limit };
    let (mut receipts, intact) = read(&engine, wanted).await?;
    let Some(path) = arguments.export else {
        output.print(&Event::Receipts { receipts: &receipts, intact }, text(&receipts, intact));
        return Ok(());
    };
    receipts.reverse();
    let mut lines = Vec::new();
    for receipt in &receipts {
        serde_json::to_writer(&mut lines, receipt)?;
        lines.push(b'\n');
    }
    if path.as_os_str() == "-" {
        output.raw(&lines);
    } else {
        std::fs::write(&path, &lines).with_context(|| format!("Failed to write {}", path.display()))?;
        let sentence = format!("Exported {} entries to {}.", receipts.len(), path.display());
        output.print(&Event::Exported { receipts: receipts.len(), intact }, sentence);
    }
    if !intact {
        bail!("the log was tampered with: the hash chain is broken");
    }
    Ok(())
}

/// Checks the whole log.
async fn verify(engine: &EngineClient, output: Output) -> Result<()> {
    let answer = engine.request(Request::VerifyLog).await?;
    let Answer::LogVerified { intact, entries, authenticated, problems, remarks } = answer else {
        bail!(unexpected_answer())
    };
    let mut text = match intact {
        true => format!("✓ The log is intact: {entries} entries, {authenticated} of them authenticated.\n"),
        false => String::new(),
    };
    problems.iter().for_each(|problem| text.push_str(&format!("✗ {}\n", escaped(problem))));
    remarks.iter().for_each(|remark| text.push_str(&format!("! {}\n", escaped(remark))));
    let event = Event::Verified { intact, entries, authenticated, problems: &problems, remarks: &remarks };
    output.print(&event, text.trim_end());
    if !intact {
        bail!("the log was tampered with");
    }
    Ok(())
}

/// The newest entries, newest first, and whether the hash chain is intact.
async fn read(engine: &EngineClient, wanted: u32) -> Result<(Vec<AuditEntry>, bool)> {
    let (mut all, mut whole): (Vec<AuditEntry>, bool) = (Vec::new(), true);
    loop {
        let have = u32::try_from(all.len()).unwrap_or(u32::MAX);
        let limit = wanted.saturating_sub(have).min(PAGE);
        let before = all.last().map(|receipt| receipt.number);
        let answer = engine.request(Request::Log { before, limit }).await?;
        let Answer::Receipts { receipts, intact } = answer else { bail!(unexpected_answer()) };
        let last = receipts.len() < limit as usize;
        all.extend(receipts);
        whole &= intact;
        if last || all.len() >= wanted as usize {
            return Ok((all, whole));
        }
    }
}

fn text(receipts: &[AuditEntry], intact: bool) -> String {
    let mut table = Table::new("");
    for receipt in receipts.iter().rev() {
        table.row([time_format::to_second(receipt.at), sentence(&receipt.deed)]);
    }
    let mut text = table.text();
    if receipts.is_empty() {
        text.push_str("The log is empty.\n");
    }
    if !intact {
        text.push_str("! The log was tampered with: the hash chain is broken.\n");
    }
    text.trim_end().to_owned()
}

fn sentence(deed: &AuditEvent) -> String {
    match deed {
        AuditEvent::Service { service, what } => format!("{} was {what}", sanitized(service)),
        AuditEvent::Invitation { service, name, what, .. } => match name {
            Some(name) => format!("invitation of {} to {}: {what}", sanitized(name), sanitized(service)),
            None => format!("invitation to {}: {what}", sanitized(service)),
        },
        AuditEvent::Grant { service, name, what, .. } => {
            format!("access of {} to {}: {what}", sanitized(name), sanitized(service))
        }
        AuditEvent::Connection { service, name, up_bytes, down_bytes, lasted_ms, ended, count, .. } => {
            let times = if *count == 1 { String::new() } else { format!(" {count} more times, together") };
            let ended = ended.as_ref().map_or_else(String::new, |why| format!("; ended: {}", escaped(why)));
            format!(
                "{} used {}{times} for {}: {} in, {} out{ended}",
                sanitized(name),
                sanitized(service),
                time_format::elapsed(*lasted_ms),
                byte_size(*up_bytes),
                byte_size(*down_bytes),
            )
        }
        AuditEvent::Refused { count, person: None, service: None, code, .. } if *count > 1 => {
            format!("{count} more refusals in that hour, the last: {}", crate::failure::name(*code))
        }
        AuditEvent::Refused { service, person, name, code, count } => {
            let who = match (name, person) {
                (Some(name), _) => sanitized(name),
                (None, Some(person)) => person.to_string().get(..9).unwrap_or_default().to_owned(),
                (None, None) => "somebody".into(),
            };
            let service = service.as_ref().map_or_else(String::new, |service| format!(" at {}", sanitized(service)));
            let times = if *count == 1 { String::new() } else { format!(" {count} times") };
            format!("{who} was refused{times}{service}: {}", crate::failure::name(*code))
        }
        AuditEvent::Portal { portal, owner, what } => {
            format!("portal {} by {}: {what}", sanitized(portal), sanitized(owner))
        }
        AuditEvent::Contact { name, what, .. } => format!("contact {}: {what}", sanitized(name)),
        AuditEvent::Log { what, first, last } => match (first, last) {
            (Some(first), Some(last)) if first <= last => format!("log: {what}, entries {first} to {last}"),
            _ => format!("log: {what}"),
        },
    }
}
