//! What a person is told when the program cannot go on: what happened, what to do, and where the log is.
//!
//! A panic is told by a fresh process: the broken one may no longer be able to open a window.

use std::backtrace::Backtrace;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tracing::error;

/// The hidden argument by which the fresh process is told what to show.
pub(crate) const TELL: &str = "--tell";

/// From here on a panic is written to the log and told in a dialog.
pub(crate) fn watch(log: PathBuf) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        error!("panic: {panic}\n{}", Backtrace::force_capture());
        tell_elsewhere(&sentence("Postern has run into a mistake of its own.", "Start it again.", &log));
        before(panic);
    }));
}

/// Tells a person why the program ends, in a dialog if there is a screen, and on standard error.
pub(crate) fn tell(what: &str, next: &str, log: &Path) {
    let text = sentence(what, next, log);
    say(&text);
    tell_elsewhere(&text);
}

/// Says it on standard error, if somebody still reads that.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The fresh process: shows the text and waits until it was read.
pub(crate) fn show(text: &str) {
    if crate::platform::screen::find().is_ok() {
        let (what, next) = text.split_once("\n\n").unwrap_or((text, ""));
        crate::platform::message::show(what, next);
    }
}

fn tell_elsewhere(text: &str) {
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let mut fresh = Command::new(program);
    fresh.arg(TELL).arg(text).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(error) = fresh.spawn() {
        error!("nobody can be told: {error}");
    }
}

fn sentence(what: &str, next: &str, log: &Path) -> String {
    format!("{what}\n\n{next} If it happens again, the log helps: {}", log.display())
}
