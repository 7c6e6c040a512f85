//! The desktop's file dialog, through GTK, which Tauri uses anyway.

use std::path::PathBuf;

use gtk::prelude::{FileChooserExt, NativeDialogExt, NativeDialogExtManual};
use gtk::{FileChooserAction, FileChooserNative, ResponseType, glib};
use tauri::{AppHandle, Manager};
use tokio::sync::oneshot;
use tracing::warn;

/// Opens a dialog for saving a file, which proposes `name`.
pub(crate) fn save_as(app: &AppHandle, name: String, answer: oneshot::Sender<Option<PathBuf>>) {
    let there = app.clone();
    // GTK may be used on the main thread only.
    let asked = app.run_on_main_thread(move || {
        glib::MainContext::default().spawn_local(async move {
            // Fails only when the program is quitting.
            let _ = answer.send(ask(&there, &name).await);
        });
    });
    if let Err(error) = asked {
        warn!("failed to open the file dialog: {error}");
    }
}

async fn ask(app: &AppHandle, name: &str) -> Option<PathBuf> {
    let window = app.get_webview_window(crate::window::LABEL).and_then(|window| window.gtk_window().ok());
    let save = FileChooserAction::Save;
    let dialog = FileChooserNative::new(Some("Save as"), window.as_ref(), save, Some("Save"), Some("Cancel"));
    dialog.set_modal(true);
    dialog.set_do_overwrite_confirmation(true);
    dialog.set_current_folder(glib::home_dir());
    dialog.set_current_name(name);
    let answer = dialog.run_future().await;
    let chosen = dialog.filename().filter(|_| answer == ResponseType::Accept);
    dialog.destroy();
    chosen
}
