//! A modal error dialog.

use gtk::prelude::{DialogExt, GtkWindowExt, MessageDialogExt};
use gtk::{ButtonsType, DialogFlags, MessageDialog, MessageType, Window};

/// Shows what happened and what to do next, and blocks until the user closes it. Only after
/// [`ensure_available`](super::display::ensure_available) succeeded, on the same thread.
pub(crate) fn show(what: &str, next: &str) {
    let dialog =
        MessageDialog::new(None::<&Window>, DialogFlags::empty(), MessageType::Error, ButtonsType::Close, what);
    dialog.set_title("Postern");
    dialog.set_secondary_text(Some(next));
    dialog.run();
}
