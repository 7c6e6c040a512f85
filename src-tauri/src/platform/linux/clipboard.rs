//! The clipboard, through the toolkit that is there anyway.

use tauri::AppHandle;
use tracing::warn;

/// Puts a text into the clipboard.
pub(crate) fn copy(app: &AppHandle, text: String) {
    // The toolkit belongs to the main thread.
    let copied = app.run_on_main_thread(move || {
        gtk::Clipboard::get(&gtk::gdk::SELECTION_CLIPBOARD).set_text(&text);
    });
    if let Err(error) = copied {
        warn!("nothing was copied: {error}");
    }
}
