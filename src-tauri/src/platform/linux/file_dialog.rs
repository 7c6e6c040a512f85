//! The desktop's file dialog, through GTK, which Tauri uses anyway.

use std::path::PathBuf;

use gtk::prelude::{FileChooserExt, NativeDialogExt, NativeDialogExtManual};
use gtk::{FileChooserAction, FileChooserNative, ResponseType, glib};
use tauri::{AppHandle, Manager};
use tokio::sync::oneshot;
use tracing::warn;

/// What the file is chosen for.
enum Purpose {
    /// Writing a file, for which a name is proposed.
    Save(String),
    /// Reading one that exists.
    Open,
}

/// Opens a dialog for saving a file, which proposes `name`.
pub(crate) fn save_as(app: &AppHandle, name: String, answer: oneshot::Sender<Option<PathBuf>>) {
    choose(app, Purpose::Save(name), answer);
}

/// Opens a dialog for a file that exists.
pub(crate) fn open_file(app: &AppHandle, answer: oneshot::Sender<Option<PathBuf>>) {
    choose(app, Purpose::Open, answer);
}

fn choose(app: &AppHandle, purpose: Purpose, answer: oneshot::Sender<Option<PathBuf>>) {
    let there = app.clone();
    // GTK may be used on the main thread only.
    let asked = app.run_on_main_thread(move || {
        glib::MainContext::default().spawn_local(async move {
            // Fails only when the program is quitting.
            let _ = answer.send(ask(&there, &purpose).await);
        });
    });
    if let Err(error) = asked {
        warn!("failed to open the file dialog: {error}");
    }
}

async fn ask(app: &AppHandle, purpose: &Purpose) -> Option<PathBuf> {
    let window = app.get_webview_window(crate::window::LABEL).and_then(|window| window.gtk_window().ok());
    let (title, action, accept) = match purpose {
        Purpose::Save(_) => ("Save as", FileChooserAction::Save, "Save"),
        Purpose::Open => ("Open", FileChooserAction::Open, "Open"),
    };
    let dialog = FileChooserNative::new(Some(title), window.as_ref(), action, Some(accept), Some("Cancel"));
    dialog.set_modal(true);
    dialog.set_current_folder(glib::home_dir());
    if let Purpose::Save(name) = purpose {
        dialog.set_do_overwrite_confirmation(true);
        dialog.set_current_name(name);
    }
    let answer = dialog.run_future().await;
    let chosen = dialog.filename().filter(|_| answer == ResponseType::Accept);
    dialog.destroy();
    chosen
}
