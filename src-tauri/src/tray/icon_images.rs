//! The tray icon's images, rendered by `cargo xtask icons` and compiled into the program.

use tauri::image::Image;
use tauri::include_image;

use super::Icon;

/// The brightness of the panel that an image is drawn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PanelTheme {
    /// A dark panel; the image is light.
    Dark,
    /// A light panel; the image is dark.
    Light,
}

/// The images of an icon in all sizes, the smallest first.
#[must_use]
pub(super) fn images(icon: Icon, theme: PanelTheme) -> Vec<Image<'static>> {
    match (icon, theme) {
        (Icon::Idle, PanelTheme::Dark) => vec![
            include_image!("icons/tray/idle-for-dark-22.png"),
            include_image!("icons/tray/idle-for-dark-32.png"),
            include_image!("icons/tray/idle-for-dark-48.png"),
        ],
        (Icon::Idle, PanelTheme::Light) => vec![
            include_image!("icons/tray/idle-for-light-22.png"),
            include_image!("icons/tray/idle-for-light-32.png"),
            include_image!("icons/tray/idle-for-light-48.png"),
        ],
        (Icon::Ready, PanelTheme::Dark) => vec![
            include_image!("icons/tray/ready-for-dark-22.png"),
            include_image!("icons/tray/ready-for-dark-32.png"),
            include_image!("icons/tray/ready-for-dark-48.png"),
        ],
        (Icon::Ready, PanelTheme::Light) => vec![
            include_image!("icons/tray/ready-for-light-22.png"),
            include_image!("icons/tray/ready-for-light-32.png"),
            include_image!("icons/tray/ready-for-light-48.png"),
        ],
        (Icon::Live, PanelTheme::Dark) => vec![
            include_image!("icons/tray/live-for-dark-22.png"),
            include_image!("icons/tray/live-for-dark-32.png"),
            include_image!("icons/tray/live-for-dark-48.png"),
        ],
        (Icon::Live, PanelTheme::Light) => vec![
            include_image!("icons/tray/live-for-light-22.png"),
            include_image!("icons/tray/live-for-light-32.png"),
            include_image!("icons/tray/live-for-light-48.png"),
        ],
        (Icon::Attention, PanelTheme::Dark) => vec![
            include_image!("icons/tray/attention-for-dark-22.png"),
            include_image!("icons/tray/attention-for-dark-32.png"),
            include_image!("icons/tray/attention-for-dark-48.png"),
        ],
        (Icon::Attention, PanelTheme::Light) => vec![
            include_image!("icons/tray/attention-for-light-22.png"),
            include_image!("icons/tray/attention-for-light-32.png"),
            include_image!("icons/tray/attention-for-light-48.png"),
        ],
        (Icon::Offline, PanelTheme::Dark) => vec![
            include_image!("icons/tray/offline-for-dark-22.png"),
            include_image!("icons/tray/offline-for-dark-32.png"),
            include_image!("icons/tray/offline-for-dark-48.png"),
        ],
        (Icon::Offline, PanelTheme::Light) => vec![
            include_image!("icons/tray/offline-for-light-22.png"),
            include_image!("icons/tray/offline-for-light-32.png"),
            include_image!("icons/tray/offline-for-light-48.png"),
        ],
        (Icon::Paused, PanelTheme::Dark) => vec![
            include_image!("icons/tray/paused-for-dark-22.png"),
            include_image!("icons/tray/paused-for-dark-32.png"),
            include_image!("icons/tray/paused-for-dark-48.png"),
        ],
        (Icon::Paused, PanelTheme::Light) => vec![
            include_image!("icons/tray/paused-for-light-22.png"),
            include_image!("icons/tray/paused-for-light-32.png"),
            include_image!("icons/tray/paused-for-light-48.png"),
        ],
    }
}
