//! Whether there is a display.

/// Connects to the display, so that windows can be shown.
///
/// # Errors
/// The reason, for standard error.
pub(crate) fn ensure_available() -> Result<(), String> {
    let named = |variable| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
    if !named("DISPLAY") && !named("WAYLAND_DISPLAY") {
        return Err("neither DISPLAY nor WAYLAND_DISPLAY is set".into());
    }
    // The desktop matches windows to their desktop entry, and so to the icon, by this name.
    gtk::glib::set_prgname(Some(crate::APP_ID));
    gtk::init().map_err(|_| "the display cannot be opened".into())
}
