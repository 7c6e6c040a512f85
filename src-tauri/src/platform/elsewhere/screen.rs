//! Whether there is a screen to be on.

/// There always is.
///
/// # Errors
/// None.
pub fn find() -> Result<(), String> {
    Ok(())
}
