//! Whether there is a screen to be on.

/// Makes sure that windows can be shown.
///
/// # Errors
/// What to tell a person who cannot see a window.
pub(crate) fn ensure_available() -> Result<(), String> {
    let named = |variable| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
    if !named("DISPLAY") && !named("WAYLAND_DISPLAY") {
        return Err("neither DISPLAY nor WAYLAND_DISPLAY is set".into());
    }
    // The name by which the desktop finds the entry, and so the icon, of our windows.
    gtk::glib::set_prgname(Some(crate::APP_ID));
    gtk::init().map_err(|_| "the display cannot be opened".into())
}
