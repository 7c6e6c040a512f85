//! The names that relays may have.

/// Longest name of a relay, in bytes, prefix included.
pub const MAX_NAME: usize = 128;

/// Whether a name may be a relay's. Everything else is refused, so that no name needs to be understood.
pub(super) fn is_valid_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:/+=".contains(&byte);
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_plain() {
        for name in ["bob", "forward_to_bob", "a.b-c:d/e+f=", &"x".repeat(MAX_NAME)] {
            assert!(is_valid_name(name), "{name}");
        }
        for name in ["", "a#b", "0#bob", "a b", "ö", "a\nb", "a\0", &"x".repeat(MAX_NAME + 1)] {
            assert!(!is_valid_name(name), "{name}");
        }
    }
}
