//! The tray's pictures, drawn by `cargo xtask icons` and built into the program.

use tauri::image::Image;
use tauri::include_image;

use super::Icon;

/// What a picture is drawn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shade {
    /// A dark panel: the mark is light.
    ForDark,
    /// A light panel: the mark is dark.
    ForLight,
}

/// The pictures of a state, the smallest first.
#[must_use]
pub(super) fn of(icon: Icon, shade: Shade) -> Vec<Image<'static>> {
    match (icon, shade) {
        (Icon::Idle, Shade::ForDark) => vec![
            include_image!("icons/tray/idle-for-dark-22.png"),
            include_image!("icons/tray/idle-for-dark-32.png"),
            include_image!("icons/tray/idle-for-dark-48.png"),
        ],
        (Icon::Idle, Shade::ForLight) => vec![
            include_image!("icons/tray/idle-for-light-22.png"),
            include_image!("icons/tray/idle-for-light-32.png"),
            include_image!("icons/tray/idle-for-light-48.png"),
        ],
        (Icon::Ready, Shade::ForDark) => vec![
            include_image!("icons/tray/ready-for-dark-22.png"),
            include_image!("icons/tray/ready-for-dark-32.png"),
            include_image!("icons/tray/ready-for-dark-48.png"),
        ],
        (Icon::Ready, Shade::ForLight) => vec![
            include_image!("icons/tray/ready-for-light-22.png"),
            include_image!("icons/tray/ready-for-light-32.png"),
            include_image!("icons/tray/ready-for-light-48.png"),
        ],
        (Icon::Live, Shade::ForDark) => vec![
            include_image!("icons/tray/live-for-dark-22.png"),
            include_image!("icons/tray/live-for-dark-32.png"),
            include_image!("icons/tray/live-for-dark-48.png"),
        ],
        (Icon::Live, Shade::ForLight) => vec![
            include_image!("icons/tray/live-for-light-22.png"),
            include_image!("icons/tray/live-for-light-32.png"),
            include_image!("icons/tray/live-for-light-48.png"),
        ],
        (Icon::Attention, Shade::ForDark) => vec![
            include_image!("icons/tray/attention-for-dark-22.png"),
            include_image!("icons/tray/attention-for-dark-32.png"),
            include_image!("icons/tray/attention-for-dark-48.png"),
        ],
        (Icon::Attention, Shade::ForLight) => vec![
            include_image!("icons/tray/attention-for-light-22.png"),
            include_image!("icons/tray/attention-for-light-32.png"),
            include_image!("icons/tray/attention-for-light-48.png"),
        ],
        (Icon::Offline, Shade::ForDark) => vec![
            include_image!("icons/tray/offline-for-dark-22.png"),
            include_image!("icons/tray/offline-for-dark-32.png"),
            include_image!("icons/tray/offline-for-dark-48.png"),
        ],
        (Icon::Offline, Shade::ForLight) => vec![
            include_image!("icons/tray/offline-for-light-22.png"),
            include_image!("icons/tray/offline-for-light-32.png"),
            include_image!("icons/tray/offline-for-light-48.png"),
        ],
        (Icon::Paused, Shade::ForDark) => vec![
            include_image!("icons/tray/paused-for-dark-22.png"),
            include_image!("icons/tray/paused-for-dark-32.png"),
            include_image!("icons/tray/paused-for-dark-48.png"),
        ],
        (Icon::Paused, Shade::ForLight) => vec![
            include_image!("icons/tray/paused-for-light-22.png"),
            include_image!("icons/tray/paused-for-light-32.png"),
            include_image!("icons/tray/paused-for-light-48.png"),
        ],
    }
}
