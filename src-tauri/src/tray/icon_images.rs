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

#[cfg(test)]
mod tests {
    use super::*;

    const ICONS: [Icon; 6] = [Icon::Idle, Icon::Ready, Icon::Live, Icon::Attention, Icon::Offline, Icon::Paused];
    /// What WCAG 2.2 asks of graphical objects (1.4.11).
    const CONTRAST: f64 = 3.0;
    /// Panels as desktops draw them: white, XFCE's, GNOME's, black.
    const PANELS: [[u8; 3]; 4] = [[255; 3], [246, 245, 244], [46, 52, 54], [0; 3]];

    /// The relative luminance of a colour, as WCAG defines it.
    fn luminance(colour: [f64; 3]) -> f64 {
        let [red, green, blue] = colour.map(|part| match part / 255.0 {
            dark if dark <= 0.04045 => dark / 12.92,
            light => ((light + 0.055) / 1.055).powf(2.4),
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// The pixels of a picture that stand out from the panel behind it.
    fn visible(image: &Image<'_>, panel: [u8; 3]) -> usize {
        let behind = luminance(panel.map(f64::from));
        let stands_out = |pixel: &&[u8]| {
            let alpha = f64::from(pixel[3]) / 255.0;
            let over = |part: usize| f64::from(pixel[part]) * alpha + f64::from(panel[part]) * (1.0 - alpha);
            let front = luminance([over(0), over(1), over(2)]);
            (front.max(behind) + 0.05) / (front.min(behind) + 0.05) >= CONTRAST
        };
        image.rgba().chunks_exact(4).filter(stands_out).count()
    }

    /// Not every desktop says how bright its panel is, so every picture must suit every panel.
    #[test]
    fn every_icon_is_seen_on_light_and_dark_panels() {
        for icon in ICONS {
            for theme in [PanelTheme::Dark, PanelTheme::Light] {
                for image in images(icon, theme) {
                    // As much as a line of a pixel around a quarter of the icon's area.
                    let least = 2 * image.width() as usize;
                    for panel in PANELS {
                        let seen = visible(&image, panel);
                        let width = image.width();
                        assert!(seen >= least, "{icon:?} for {theme:?} at {width} on {panel:?}: {seen} pixels");
                    }
                }
            }
        }
    }
}
