//! The one window: created on demand, destroyed when it has been hidden for a while.
//!
//! On macOS and Windows it is a popover at the tray icon; on Linux, where a program does not learn the position of its
//! icon, it is a normal window. To avoid a flash it is shown late: on Linux, with the page's background colour, as soon as
//! the page starts to load (a webview that is not visible does not render); elsewhere when the page has loaded.

use std::sync::atomic::{AtomicBool, Ordering};

use tauri::webview::{NewWindowResponse, PageLoadEvent};
#[cfg(target_os = "linux")]
use tauri::window::Color;
use tauri::{AppHandle, Manager, WebviewUrl, WebviewWindow, WebviewWindowBuilder};
use tracing::error;

use crate::desktop_integration::WindowSize;

/// The window's label, in the capabilities and for events.
pub(crate) const LABEL: &str = "main";
/// Its initial and its minimum size, in logical pixels: the width of a phone, for which the page's narrow layout is made.
const SIZE: (f64, f64) = (380.0, 560.0);
const MIN_SIZE: (f64, f64) = (320.0, 400.0);

/// The page-load event after which a new window is shown.
const SHOW_ON: PageLoadEvent = if cfg!(target_os = "linux") { PageLoadEvent::Started } else { PageLoadEvent::Finished };
/// The page's background colours: `--bg` in `ui/src/styles/tokens.css`.
#[cfg(target_os = "linux")]
const LIGHT: Color = Color(0xf5, 0xf5, 0xf3, 0xff);
#[cfg(target_os = "linux")]
const DARK: Color = Color(0x18, 0x19, 0x1c, 0xff);

/// Whether a window whose page is still loading should be shown; state managed by Tauri.
#[derive(Default)]
pub(crate) struct ShouldShow(AtomicBool);

/// What the panel and the window's title bar take from the height of the screen, in logical pixels: a panel of 48 and a title bar
/// of 40, as wide as common desktops make them.
const OCCUPIED: f64 = 88.0;

/// How wide and high a window can be on the screen, in logical pixels; without limit if the screen is not known.
fn room_on_screen(app: &AppHandle) -> (f64, f64) {
    let Ok(Some(screen)) = app.primary_monitor() else { return (f64::INFINITY, f64::INFINITY) };
    let size = screen.size().to_logical::<f64>(screen.scale_factor());
    (size.width, size.height - OCCUPIED)
}

/// The size of a new window and its smallest: as the user left it, but within the screen.
fn sizes(remembered: Option<WindowSize>, room: (f64, f64)) -> [(f64, f64); 2] {
    let (width, height) = remembered.map_or(SIZE, |it| (f64::from(it.width), f64::from(it.height)));
    let smallest = (MIN_SIZE.0.min(room.0), MIN_SIZE.1.min(room.1));
    [(width.min(room.0).max(smallest.0), height.min(room.1).max(smallest.1)), smallest]
}

/// The window's size without its frame, unless it fills the screen: that is no size that the user gave it.
pub(crate) fn size_of(app: &AppHandle) -> Option<WindowSize> {
    let window = app.get_webview_window(LABEL)?;
    if window.is_maximized().unwrap_or(true) || window.is_fullscreen().unwrap_or(true) {
        return None;
    }
    let size = window.inner_size().ok()?.to_logical::<u32>(window.scale_factor().ok()?);
    Some(WindowSize { width: size.width, height: size.height })
}

/// Shows the window and gives it the focus; creates it if necessary, in this size if the user gave it one.
pub(crate) fn show(app: &AppHandle, size: Option<WindowSize>) {
    set_should_show(app, true);
    on_main_thread(app, move |app| match app.get_webview_window(LABEL) {
        Some(window) => raise(&window),
        None => {
            if let Err(error) = build(app, size) {
                error!("failed to create the window: {error}");
            }
        }
    });
}

/// Hides the window.
pub(crate) fn hide(app: &AppHandle) {
    set_should_show(app, false);
    with_window(app, |window| window.hide());
}

/// Destroys the window and its browser processes.
pub(crate) fn destroy(app: &AppHandle) {
    set_should_show(app, false);
    with_window(app, WebviewWindow::destroy);
}

/// Keeps the window above other windows, or not.
pub(crate) fn pin(app: &AppHandle, on: bool) {
    with_window(app, move |window| window.set_always_on_top(on));
}

fn build(app: &AppHandle, remembered: Option<WindowSize>) -> tauri::Result<()> {
    let popover = cfg!(not(target_os = "linux"));
    let [size, smallest] = sizes(remembered, room_on_screen(app));
    let builder = WebviewWindowBuilder::new(app, LABEL, WebviewUrl::App("index.html".into()))
        .title("Postern")
        .inner_size(size.0, size.1)
        .min_inner_size(smallest.0, smallest.1)
        .decorations(!popover)
        .skip_taskbar(popover)
        .visible(false)
        .on_navigation(|url| matches!(url.scheme(), "tauri") || url.host_str() == Some("tauri.localhost"))
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .on_page_load(|window, load| {
            if load.event() == SHOW_ON && window.state::<ShouldShow>().0.load(Ordering::Relaxed) {
                raise(&window);
            }
        });
    #[cfg(target_os = "linux")]
    let builder = builder.background_color(if crate::platform::appearance::windows_are_dark() { DARK } else { LIGHT });
    builder.build().map(drop)
}

fn raise(window: &WebviewWindow) {
    #[cfg(not(target_os = "linux"))]
    anchor_to_tray_icon(window);
    let raised = window.show().and_then(|()| window.unminimize()).and_then(|()| window.set_focus());
    if let Err(error) = raised {
        error!("failed to show the window: {error}");
    }
}

/// Places the window below the tray icon if that is in the upper half of the screen, otherwise above it; always within the
/// screen.
#[cfg(not(target_os = "linux"))]
fn anchor_to_tray_icon(window: &WebviewWindow) {
    let app = window.app_handle();
    let Some(Ok(Some(icon))) = app.tray_by_id("postern").map(|tray| tray.rect()) else {
        return;
    };
    let Ok(Some(screen)) = window.current_monitor().map(|screen| screen.or(app.primary_monitor().ok().flatten()))
    else {
        return;
    };
    let Ok(own) = window.outer_size() else {
        return;
    };
    let origin = icon.position.to_physical::<i32>(screen.scale_factor());
    let size = icon.size.to_physical::<i32>(screen.scale_factor());
    let (width, height) = (own.width as i32, own.height as i32);
    let right = screen.position().x + screen.size().width as i32 - width;
    let x = (origin.x + (size.width - width) / 2).clamp(screen.position().x, right.max(screen.position().x));
    let upper = origin.y < screen.position().y + screen.size().height as i32 / 2;
    let y = if upper { origin.y + size.height } else { origin.y - height };
    // If this fails the window stays where the system placed it.
    let _ = window.set_position(tauri::PhysicalPosition::new(x, y));
}

fn set_should_show(app: &AppHandle, shown: bool) {
    app.state::<ShouldShow>().0.store(shown, Ordering::Relaxed);
}

fn with_window(app: &AppHandle, act: impl FnOnce(&WebviewWindow) -> tauri::Result<()> + Send + 'static) {
    on_main_thread(app, |app| {
        if let Some(window) = app.get_webview_window(LABEL)
            && let Err(error) = act(&window)
        {
            error!("a window operation failed: {error}");
        }
    });
}

/// Runs on the main thread, as windows require, in the order of the calls.
fn on_main_thread(app: &AppHandle, act: impl FnOnce(&AppHandle) + Send + 'static) {
    let app_handle = app.clone();
    if let Err(error) = app.run_on_main_thread(move || act(&app_handle)) {
        error!("failed to reach the main thread, the window operation is dropped: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_the_size_it_was_left_in_and_fits_the_screen() {
        let left = |width, height| Some(WindowSize { width, height });
        let large = (1920.0, 1080.0 - OCCUPIED);
        assert_eq!(sizes(None, large), [SIZE, MIN_SIZE]);
        assert_eq!(sizes(left(700, 600), large)[0], (700.0, 600.0));
        assert_eq!(sizes(left(3000, 2000), large)[0], large, "on a larger screen than this");
        assert_eq!(sizes(left(10, 10), large)[0], MIN_SIZE);
        // 1280x800 at a scale of 200 %.
        let small = (640.0, 400.0 - OCCUPIED);
        assert_eq!(sizes(None, small), [(SIZE.0, small.1), (MIN_SIZE.0, small.1)]);
        assert_eq!(sizes(None, (f64::INFINITY, f64::INFINITY)), [SIZE, MIN_SIZE]);
    }
}
