//! What a person is told when the program cannot go on: what happened, what to do, and where the log is.
//!
//! A panic is told by a fresh process: the broken one may no longer be able to open a window.

use std::backtrace::Backtrace;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tracing::error;

/// The hidden argument by which the fresh process is told what to show.
pub(crate) const DIALOG_ARGUMENT: &str = "--tell";

/// From here on a panic is written to the log and told in a dialog.
pub(crate) fn install(log: PathBuf) {
    let previous_hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        error!("panic: {panic}\n{}", Backtrace::force_capture());
        spawn_dialog_process(&error_text("Postern has run into a mistake of its own.", "Start it again.", &log));
        previous_hook(panic);
    }));
}

/// Tells a person why the program ends, in a dialog if there is a screen, and on standard error.
pub(crate) fn report_fatal(what: &str, next: &str, log: &Path) {
    let text = error_text(what, next, log);
    print_error(&text);
    spawn_dialog_process(&text);
}

/// Says it on standard error, if somebody still reads that.
pub(crate) fn print_error(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The fresh process: shows the text and waits until it was read.
pub(crate) fn show_dialog(text: &str) {
    if crate::platform::display::ensure_available().is_ok() {
        let (what, next) = text.split_once("\n\n").unwrap_or((text, ""));
        crate::platform::message_dialog::show(what, next);
    }
}

fn spawn_dialog_process(text: &str) {
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let mut dialog = Command::new(program);
    dialog.arg(DIALOG_ARGUMENT).arg(text).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(error) = dialog.spawn() {
        error!("nobody can be told: {error}");
    }
}

fn error_text(what: &str, next: &str, log: &Path) -> String {
    format!("{what}\n\n{next} If it happens again, the log helps: {}", log.display())
}
