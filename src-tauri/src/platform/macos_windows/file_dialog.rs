//! The system's file dialog.

use std::path::PathBuf;

use tauri::AppHandle;
use tokio::sync::oneshot;

/// Opens a dialog for saving a file, which proposes `name`.
pub(crate) fn save_as(_app: &AppHandle, name: String, answer: oneshot::Sender<Option<PathBuf>>) {
    tokio::spawn(async move {
        let chosen = rfd::AsyncFileDialog::new().set_file_name(name).save_file().await;
        // Fails only when the program is quitting.
        let _ = answer.send(chosen.map(|file| file.path().to_owned()));
    });
}

/// Opens a dialog for a file that exists.
pub(crate) fn open_file(_app: &AppHandle, answer: oneshot::Sender<Option<PathBuf>>) {
    tokio::spawn(async move {
        let chosen = rfd::AsyncFileDialog::new().pick_file().await;
        // Fails only when the program is quitting.
        let _ = answer.send(chosen.map(|file| file.path().to_owned()));
    });
}
