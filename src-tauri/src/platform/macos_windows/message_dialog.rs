//! A modal error dialog.

/// Shows what happened and what to do next, and blocks until the user closes it.
pub(crate) fn show(what: &str, next: &str) {
    let text = format!("{what}\n\n{next}");
    rfd::MessageDialog::new().set_level(rfd::MessageLevel::Error).set_title("Postern").set_description(text).show();
}
