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

/// Shows the window and gives it the focus; creates it if necessary.
pub(crate) fn show(app: &AppHandle) {
    set_should_show(app, true);
    on_main_thread(app, |app| match app.get_webview_window(LABEL) {
        Some(window) => raise(&window),
        None => {
            if let Err(error) = build(app) {
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

fn build(app: &AppHandle) -> tauri::Result<()> {
    let popover = cfg!(not(target_os = "linux"));
    let builder = WebviewWindowBuilder::new(app, LABEL, WebviewUrl::App("index.html".into()))
        .title("Postern")
        .inner_size(SIZE.0, SIZE.1)
        .min_inner_size(MIN_SIZE.0, MIN_SIZE.1)
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
