//! Saying how something that keeps itself up is doing, until the command is asked to stop.

use crate::output::Output;
use anyhow::Result;
use postern_node::session::State;
use serde::Serialize;
use tokio::sync::watch;

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event {
    Down { reason: String },
}

/// Says every change: `up` what is up, and why something is not.
pub(crate) async fn follow<T>(
    mut states: watch::Receiver<State<T>>,
    output: Output,
    down: &str,
    up: impl Fn(&T),
) -> Result<()> {
    let stop = crate::asked_to_stop();
    tokio::pin!(stop);
    loop {
        match &*states.borrow_and_update() {
            State::Up(it) => up(it),
            State::Down(reason) => {
                let sentence = format!("{down}: {reason}. Trying again.");
                output.say(&Event::Down { reason: reason.to_string() }, sentence);
            }
            State::Connecting => {}
        }
        tokio::select! {
            stopped = &mut stop => return Ok(stopped?),
            changed = states.changed() => changed?,
        }
    }
}
