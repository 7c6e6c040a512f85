//! The one window: made when it is wanted, destroyed when it was not wanted for long.
//!
//! On macOS and Windows it is a popover by the tray's icon, on Linux, where no program learns where its icon is, a window
//! like any other. It does not flash: on Linux it has the page's colour from the beginning and is shown as soon as the page
//! arrives, for what is not on the screen is not drawn; elsewhere it is shown once its page is there.

use std::sync::atomic::{AtomicBool, Ordering};

use tauri::webview::{NewWindowResponse, PageLoadEvent};
#[cfg(target_os = "linux")]
use tauri::window::Color;
use tauri::{AppHandle, Manager, WebviewUrl, WebviewWindow, WebviewWindowBuilder};
use tracing::error;

/// The window's name, in the capabilities and for events.
pub(crate) const LABEL: &str = "main";
/// Its size at first and at least, in logical pixels.
const SIZE: (f64, f64) = (380.0, 560.0);
const MIN_SIZE: (f64, f64) = (320.0, 400.0);

/// What of the page's loading the window waits for before it is shown.
const SHOW_ON: PageLoadEvent = if cfg!(target_os = "linux") { PageLoadEvent::Started } else { PageLoadEvent::Finished };
/// The page's colours: `--bg` of `ui/src/app.css`.
#[cfg(target_os = "linux")]
const LIGHT: Color = Color(0xf5, 0xf5, 0xf3, 0xff);
#[cfg(target_os = "linux")]
const DARK: Color = Color(0x18, 0x19, 0x1c, 0xff);

/// Whether a window that is being loaded is to be shown; managed by Tauri.
#[derive(Default)]
pub(crate) struct ShouldShow(AtomicBool);

/// Shows the window, in front of others; makes it first if there is none.
pub(crate) fn show(app: &AppHandle) {
    set_should_show(app, true);
    on_main_thread(app, |app| match app.get_webview_window(LABEL) {
        Some(window) => raise(&window),
        None => {
            if let Err(error) = build(app) {
                error!("the window cannot be made: {error}");
            }
        }
    });
}

/// Hides the window.
pub(crate) fn hide(app: &AppHandle) {
    set_should_show(app, false);
    with_window(app, |window| window.hide());
}

/// Takes the window away, and its processes with it.
pub(crate) fn destroy(app: &AppHandle) {
    set_should_show(app, false);
    with_window(app, WebviewWindow::destroy);
}

/// Keeps the window in front of others, or not.
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
        error!("the window cannot be shown: {error}");
    }
}

/// Under the icon when that is in the upper half of its screen, else above it; never beyond the screen's edges.
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
    // Where it cannot be put there, it is where the system puts it.
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
            error!("the window does not obey: {error}");
        }
    });
}

/// In the order in which it was asked for, on the thread that windows belong to.
fn on_main_thread(app: &AppHandle, act: impl FnOnce(&AppHandle) + Send + 'static) {
    let app_handle = app.clone();
    if let Err(error) = app.run_on_main_thread(move || act(&app_handle)) {
        error!("the window is out of reach: {error}");
    }
}
