//! The output of a command: text for people, or one JSON object per line for programs.

use serde::Serialize;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;

/// Why the standard output could not be written, the first time.
static FAILED: OnceLock<io::Error> = OnceLock::new();

/// The output of the running command.
///
/// Failures to write are no reason to stop sharing: nothing here fails or panics. [`Output::failure`] reports the first one, for the
/// exit code of commands whose purpose is what they print.
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
    pub(crate) fn print(self, event: &impl Serialize, sentence: impl Display) {
        match self.json {
            true => serde_json::to_vec(event).map_or((), |line| self.raw(&[line.as_slice(), b"\n"].concat())),
            false => self.text(sentence),
        }
    }

    /// Prints a sentence for people; nothing for programs.
    pub(crate) fn text(self, sentence: impl Display) {
        if !self.json {
            self.raw(format!("{sentence}\n").as_bytes());
        }
    }

    /// Writes bytes as they are.
    pub(crate) fn raw(self, bytes: &[u8]) {
        let mut out = io::stdout().lock();
        remember(out.write_all(bytes).and_then(|()| out.flush()));
    }

    /// Why the standard output could not be written; nothing after a closed pipe, whose reader has read what it wanted.
    pub(crate) fn failure(self) -> Option<&'static io::Error> {
        FAILED.get()
    }
}

fn remember(written: io::Result<()>) {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => drop(FAILED.set(error)),
        _ => {}
    }
}

/// Prints a line on the standard error, or nowhere if that cannot be written.
pub(crate) fn to_stderr(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
