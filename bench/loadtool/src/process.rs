//! A program of a tunnel: started, watched for what it says on its standard output, killed, started again.

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long a program may take to say that it is up.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a program is started.
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// Where its standard error goes.
    pub(crate) log: PathBuf,
}

impl Program {
    /// A program with its arguments.
    pub(crate) fn new(path: impl Into<PathBuf>, arguments: &[&str], log: PathBuf) -> Self {
        Self { path: path.into(), arguments: arguments.iter().map(OsString::from).collect(), log }
    }
}

/// A running program; it is killed when this is dropped.
pub(crate) struct Process {
    program: Program,
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Process {
    /// Starts a program.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn start(program: Program) -> Result<Self> {
        let (child, lines) = spawn(&program)?;
        Ok(Self { program, child, lines })
    }

    /// Its process id, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Kills it without notice and waits until it is gone.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Starts it anew, as it was started before.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn restart(&mut self) -> Result<()> {
        (self.child, self.lines) = spawn(&self.program)?;
        Ok(())
    }

    /// The next line of its standard output; nothing at the end.
    pub(crate) async fn line(&mut self) -> Option<String> {
        self.lines.recv().await
    }

    /// Waits for `{"event": name, …}` on its standard output.
    ///
    /// # Errors
    /// When it ends first, or takes too long.
    pub(crate) async fn event(&mut self, name: &str) -> Result<Value> {
        let awaited = async {
            while let Some(line) = self.line().await {
                let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
                if event["event"] == name {
                    return Ok(event);
                }
            }
            let log = self.program.log.display();
            bail!("{} ended without saying `{name}`: see {log}", self.program.path.display())
        };
        timeout(PATIENCE, awaited).await.with_context(|| format!("no `{name}` in time"))?
    }
}

fn spawn(program: &Program) -> Result<(Child, mpsc::UnboundedReceiver<String>)> {
    let log = File::options().create(true).append(true).open(&program.log)?;
    let mut child = Command::new(&program.path)
        .args(&program.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {}", program.path.display()))?;
    let output = child.stdout.take().context("no standard output")?;
    let (said, lines) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut output = BufReader::new(output).lines();
        while let Ok(Some(line)) = output.next_line().await {
            let _ = said.send(line);
        }
    });
    Ok((child, lines))
}
