//! One process of the demo: this program again, as a hub, an owner or a friend.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// How long a process may take to report that it is ready. It takes less than a second; a busy machine needs more.
const READY: Duration = Duration::from_secs(15);

/// A child process that reports events as JSON lines. Dropping it kills the process.
pub(super) struct DemoProcess {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    role: String,
}

/// One event of it.
pub(super) struct EventLine(Value);

impl EventLine {
    pub(super) fn text(&self, name: &str) -> Result<String> {
        let text = self.0.get(name).and_then(Value::as_str);
        Ok(text.with_context(|| format!("`{name}` is missing in {}", self.0))?.to_owned())
    }
}

impl DemoProcess {
    pub(super) fn start(arguments: &[&str]) -> Result<Self> {
        let role = arguments.first().copied().unwrap_or_default().to_owned();
        let program = std::env::current_exe().context("Failed to find this program's own file")?;
        let mut process = Command::new(program)
            .arg("--json")
            .args(arguments)
            .env("POSTERN_LOG", std::env::var("POSTERN_LOG").unwrap_or_else(|_| "error".into()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("Failed to start the {role}"))?;
        let stdout = process.stdout.take().context("the process has no output")?;
        Ok(Self { process, lines: BufReader::new(stdout).lines(), role })
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }

    /// Waits for a line with this event.
    pub(super) async fn wait_for(&mut self, event: &str) -> Result<EventLine> {
        let event_line = tokio::time::timeout(READY, async {
            while let Some(line) = self.lines.next_line().await? {
                let parsed: Value = serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))?;
                if parsed["event"] == event {
                    return Ok(EventLine(parsed));
                }
            }
            bail!("the {} ended before it was {event}", self.role)
        });
        event_line
            .await
            .with_context(|| format!("the {} was not {event} within {} seconds", self.role, READY.as_secs()))?
    }

    /// Waits until the process ends.
    pub(super) async fn ended(&mut self) -> String {
        match self.process.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }
}
