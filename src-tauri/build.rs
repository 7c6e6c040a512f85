//! Has Tauri validate its configuration, and generates permissions for our commands: one that no capability lists is denied.

const COMMANDS: &[&str] = &["request", "snapshot", "shell_state", "shell", "save_as", "open_file"];

fn main() {
    let manifest = tauri_build::AppManifest::new().commands(COMMANDS);
    tauri_build::try_build(tauri_build::Attributes::new().app_manifest(manifest))
        .expect("the configuration of the app is valid");
}
