//! The clipboard.

use tauri::AppHandle;
use tracing::warn;

/// Copies a text to the clipboard.
pub(crate) fn copy(_app: &AppHandle, text: String) {
    if let Err(error) = arboard::Clipboard::new().and_then(|mut clipboard| clipboard.set_text(text)) {
        warn!("failed to copy to the clipboard: {error}");
    }
}
