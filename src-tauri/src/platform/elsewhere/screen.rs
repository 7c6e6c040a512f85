//! Whether there is a screen to be on.

/// There always is.
///
/// # Errors
/// None.
pub(crate) fn find() -> Result<(), String> {
    Ok(())
}
