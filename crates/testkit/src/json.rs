//! Reading the JSON that `postern --json` prints.

use serde_json::Value;

/// The element of a list that has this `name`.
#[must_use]
pub fn find<'a>(list: &'a Value, name: &str) -> Option<&'a Value> {
    list.as_array()?.iter().find(|it| it["name"] == name)
}

/// A string.
///
/// # Panics
/// When the value is none.
#[track_caller]
#[must_use]
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a string: {value}"))
}
