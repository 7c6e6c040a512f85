//! A dialog with something to read.

/// Shows what has happened and what to do next, and waits until it was read.
pub(crate) fn show(what: &str, next: &str) {
    let text = format!("{what}\n\n{next}");
    rfd::MessageDialog::new().set_level(rfd::MessageLevel::Error).set_title("Postern").set_description(text).show();
}
