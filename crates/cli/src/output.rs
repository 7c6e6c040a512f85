//! What a command says: sentences for people, or one JSON object a line for programs.

use serde::Serialize;
use std::fmt::Display;
use std::io::Write;

/// Where a command says what happens.
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

    /// Says something: `event` to programs, `sentence` to people.
    ///
    /// Whoever reads may be gone already; that is no reason to stop sharing.
    pub(crate) fn print(self, event: &impl Serialize, sentence: impl Display) {
        let mut out = std::io::stdout().lock();
        let _ = match self.json {
            true => serde_json::to_string(event).map_or(Ok(()), |line| writeln!(out, "{line}")),
            false => writeln!(out, "{sentence}"),
        };
        let _ = out.flush();
    }
}
