//! A dialog with something to read.

use gtk::prelude::{DialogExt, GtkWindowExt, MessageDialogExt};
use gtk::{ButtonsType, DialogFlags, MessageDialog, MessageType, Window};

/// Shows what has happened and what to do next, and waits until it was read. Only where there is a screen, on the thread that
/// found it.
pub(crate) fn show(what: &str, next: &str) {
    let dialog =
        MessageDialog::new(None::<&Window>, DialogFlags::empty(), MessageType::Error, ButtonsType::Close, what);
    dialog.set_title("Postern");
    dialog.set_secondary_text(Some(next));
    dialog.run();
}
