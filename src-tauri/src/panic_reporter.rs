//! Reports errors that end the program: into the log, on standard error, and in a dialog that says what happened, what to
//! do, and where the log is.
//!
//! A new process shows the dialog: after a panic this one may no longer be able to open a window.

use std::backtrace::Backtrace;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tracing::error;

/// The hidden argument with the text that the dialog process shows.
pub(crate) const DIALOG_ARGUMENT: &str = "--tell";

/// Installs a panic hook that logs the panic with a backtrace and shows a dialog.
pub(crate) fn install(log: PathBuf) {
    let previous_hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        error!("panic: {panic}\n{}", Backtrace::force_capture());
        spawn_dialog_process(&error_text("Postern has crashed because of an internal error.", "Start it again.", &log));
        previous_hook(panic);
    }));
}

/// Reports why the program cannot start: in a dialog if there is a display, and on standard error.
pub(crate) fn report_fatal(what: &str, next: &str, log: &Path) {
    let text = error_text(what, next, log);
    print_error(&text);
    spawn_dialog_process(&text);
}

/// Writes to standard error; ignores that it may be closed.
pub(crate) fn print_error(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The dialog process: shows the text until the user closes it.
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
        error!("failed to start the error dialog: {error}");
    }
}

fn error_text(what: &str, next: &str, log: &Path) -> String {
    format!("{what}\n\n{next} If it happens again, see the log: {}", log.display())
}
