//! The desktop's own file dialog, through the toolkit that is there anyway.

use std::path::PathBuf;

use gtk::prelude::{FileChooserExt, NativeDialogExt, NativeDialogExtManual};
use gtk::{FileChooserAction, FileChooserNative, ResponseType, glib};
use tauri::{AppHandle, Manager};
use tokio::sync::oneshot;
use tracing::warn;

/// Asks where to write a file that is called `name` at first.
pub(crate) fn save_as(app: &AppHandle, name: String, answer: oneshot::Sender<Option<PathBuf>>) {
    let there = app.clone();
    // The toolkit belongs to the main thread.
    let asked = app.run_on_main_thread(move || {
        glib::MainContext::default().spawn_local(async move {
            // If nobody waits for it any more, the program is quitting.
            let _ = answer.send(ask(&there, &name).await);
        });
    });
    if let Err(error) = asked {
        warn!("nobody was asked where to write: {error}");
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
