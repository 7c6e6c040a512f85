//! Saying how something that keeps itself up is doing, until the command is asked to stop.

use crate::output::Output;
use anyhow::Result;
use postern_node::session::State;
use serde::Serialize;
use std::fmt::Display;
use tokio::sync::watch;

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event {
    Down { reason: String },
}

/// Says every change: `up` what is up, and why something is not.
pub(crate) async fn report_until_stopped<T>(
    mut states: watch::Receiver<State<T>>,
    output: Output,
    down: &str,
    up: impl Fn(&T),
) -> Result<()> {
    let stop = crate::shutdown_signal()?;
    tokio::pin!(stop);
    loop {
        match &*states.borrow_and_update() {
            State::Up(it) => up(it),
            State::Down(reason) => report_down(output, down, reason),
            State::Connecting => {}
        }
        tokio::select! {
            () = &mut stop => return Ok(()),
            changed = states.changed() => changed?,
        }
    }
}

/// Says every value that a watch takes from now on.
pub(crate) async fn report_changes<T>(mut values: watch::Receiver<T>, say: impl Fn(&T)) -> Result<()> {
    loop {
        values.changed().await?;
        say(&values.borrow_and_update());
    }
}

/// Says why something is not up.
pub(crate) fn report_down(output: Output, down: &str, reason: &impl Display) {
    let sentence = format!("{down}: {reason}. Trying again.");
    output.print(&Event::Down { reason: reason.to_string() }, sentence);
}
