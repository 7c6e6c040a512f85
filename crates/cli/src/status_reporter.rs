//! Reporting the state of a session that reconnects by itself, until the command is stopped.

use crate::output::Output;
use anyhow::Result;
use postern_node::session::{SessionError, State};
use serde::Serialize;
use std::fmt::Display;
use tokio::sync::watch;

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event {
    Down { reason: String },
}

/// Prints every change of state until Ctrl-C: `up` prints the connected state; a failure is printed as `explain` words it.
pub(crate) async fn report_until_stopped<T>(
    mut states: watch::Receiver<State<T>>,
    output: Output,
    down: &str,
    explain: impl Fn(&SessionError) -> String,
    up: impl Fn(&T),
) -> Result<()> {
    let stop = crate::shutdown_signal()?;
    tokio::pin!(stop);
    loop {
        match &*states.borrow_and_update() {
            State::Up(it) => up(it),
            State::Down(reason) => report_down(output, down, &explain(reason)),
            State::Connecting => {}
        }
        tokio::select! {
            () = &mut stop => return Ok(()),
            changed = states.changed() => changed?,
        }
    }
}

/// Prints every value that a watch takes from now on.
pub(crate) async fn report_changes<T>(mut values: watch::Receiver<T>, say: impl Fn(&T)) -> Result<()> {
    loop {
        values.changed().await?;
        say(&values.borrow_and_update());
    }
}

/// Prints why something is not connected.
pub(crate) fn report_down(output: Output, down: &str, reason: &impl Display) {
    let sentence = format!("{down}: {reason}. Retrying.");
    output.print(&Event::Down { reason: reason.to_string() }, sentence);
}
