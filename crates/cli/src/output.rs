//! The output of a command: text for people, or one JSON object per line for programs.

use serde::Serialize;
use std::fmt::Display;
use std::io::Write;

/// The output of the running command.
#[derive(Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints `event` for programs, or `sentence` for people.
    ///
    /// Errors are ignored: a closed pipe is no reason to stop sharing.
    pub(crate) fn print(self, event: &impl Serialize, sentence: impl Display) {
        let mut out = std::io::stdout().lock();
        let _ = match self.json {
            true => serde_json::to_string(event).map_or(Ok(()), |line| writeln!(out, "{line}")),
            false => writeln!(out, "{sentence}"),
        };
        let _ = out.flush();
    }
}
