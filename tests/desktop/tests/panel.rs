//! The tray icon in a real panel, XFCE's, with its light and its dark colours.

use std::collections::HashMap;

use postern_desktop_tests::{DesktopUser, PANEL_HEIGHT, XfcePanel};
use postern_testkit::{TIMEOUT, eventually_async};

/// What WCAG 2.2 asks of graphical objects (1.4.11).
const CONTRAST: f64 = 3.0;
/// Pixels of the icon that have to stand out: two sides of the smallest picture.
const LEAST: usize = 2 * 22;

type Colour = [u8; 3];

/// The relative luminance of a colour, as WCAG defines it.
fn luminance(colour: Colour) -> f64 {
    let [red, green, blue] = colour.map(|part| match f64::from(part) / 255.0 {
        dark if dark <= 0.04045 => dark / 12.92,
        light => ((light + 0.055) / 1.055).powf(2.4),
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// The pixels of the panel, row by row.
fn panel(ann: &DesktopUser) -> Vec<Colour> {
    ann.desktop.upper_rows(PANEL_HEIGHT)
}

/// The most frequent colour.
fn background(pixels: &[Colour]) -> Option<Colour> {
    let mut counts = HashMap::<Colour, usize>::new();
    for pixel in pixels {
        *counts.entry(*pixel).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(colour, _)| colour)
}

/// Pixels that differ from those of before and stand out from what is behind them.
fn standing_out(before: &[Colour], now: &[Colour]) -> usize {
    let behind = luminance(background(before).unwrap());
    let changed = before.iter().zip(now).filter(|(before, now)| before != now);
    let front = changed.map(|(_, now)| luminance(*now));
    front.filter(|front| (front.max(behind) + 0.05) / (front.min(behind) + 0.05) >= CONTRAST).count()
}

async fn is_seen_on(dark: bool) {
    let mut ann = DesktopUser::new().await;
    ann.tray.crash().await;
    let _panel = XfcePanel::start(&ann.desktop, dark).await;
    // Until then the screen behind it is seen, which is black; a picture that could not be taken is empty.
    let drawn = |pixels: &[Colour]| background(pixels).is_some_and(|it| (luminance(it) < 0.2) == dark && it != [0; 3]);
    let empty = eventually_async("the panel to be drawn", TIMEOUT, || async {
        let pixels = panel(&ann);
        drawn(&pixels).then_some(pixels)
    })
    .await;
    ann.start(&["--hidden"]);
    let seen = || async { (standing_out(&empty, &panel(&ann)) >= LEAST).then_some(()) };
    eventually_async("the icon to be seen", TIMEOUT, seen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_icon_is_seen_on_a_light_panel() {
    is_seen_on(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_icon_is_seen_on_a_dark_panel() {
    is_seen_on(true).await;
}
