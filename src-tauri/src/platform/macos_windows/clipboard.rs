//! The clipboard.

use tauri::AppHandle;
use tracing::warn;

/// Puts a text into the clipboard.
pub(crate) fn copy(_app: &AppHandle, text: String) {
    if let Err(error) = arboard::Clipboard::new().and_then(|mut clipboard| clipboard.set_text(text)) {
        warn!("nothing was copied: {error}");
    }
}
