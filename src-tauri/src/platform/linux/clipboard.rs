//! The clipboard, through GTK, which Tauri uses anyway.

use tauri::AppHandle;
use tracing::warn;

/// Copies a text to the clipboard.
pub(crate) fn copy(app: &AppHandle, text: String) {
    // GTK may be used on the main thread only.
    let copied = app.run_on_main_thread(move || {
        gtk::Clipboard::get(&gtk::gdk::SELECTION_CLIPBOARD).set_text(&text);
    });
    if let Err(error) = copied {
        warn!("failed to copy to the clipboard: {error}");
    }
}
