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

/// The reason that was reported last: attempts that fail for the same reason are one report.
#[derive(Default)]
struct Repeats(Option<String>);

impl Repeats {
    fn is_new(&mut self, reason: &str) -> bool {
        let is_new = self.0.as_deref() != Some(reason);
        self.0 = Some(reason.to_owned());
        is_new
    }
}

/// Prints every change of state until Ctrl-C: `up` prints the connected state; a failure is printed as `explain` words it, and again
/// when the reason changes or after the connected state.
pub(crate) async fn report_until_stopped<T>(
    mut states: watch::Receiver<State<T>>,
    output: Output,
    down: &str,
    explain: impl Fn(&SessionError) -> String,
    up: impl Fn(&T),
) -> Result<()> {
    let stop = crate::shutdown_signal()?;
    tokio::pin!(stop);
    let mut reported = Repeats::default();
    loop {
        match &*states.borrow_and_update() {
            State::Up(it) => {
                reported = Repeats::default();
                up(it);
            }
            State::Down(reason) if reported.is_new(&reason.to_string()) => report_down(output, down, &explain(reason)),
            State::Down(_) | State::Connecting => {}
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_that_fail_for_the_same_reason_are_one_report() {
        let mut reported = Repeats::default();
        let reasons = ["refused", "refused", "no route", "refused", "refused"];
        let new: Vec<_> = reasons.into_iter().filter(|reason| reported.is_new(reason)).collect();
        assert_eq!(new, ["refused", "no route", "refused"]);
    }
}
