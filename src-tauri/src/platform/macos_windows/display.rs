//! Whether there is a display.

/// There always is one.
///
/// # Errors
/// None.
pub(crate) fn ensure_available() -> Result<(), String> {
    Ok(())
}
