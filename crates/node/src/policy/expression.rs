use super::Undecided;
use std::cmp::Ordering;
use std::fmt;

/// A value that facts can have.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A text.
    Text(String),
    /// An integer.
    Integer(i64),
    /// A floating-point number.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// Several values, of one type if they are to be compared.
    Sequence(Vec<Value>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

/// An expression as it was read. What it evaluates to is one too, without names, and without lists but the empty one.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    Name(String),
    Sequence(Vec<Expression>),
    List(Vec<Expression>),
}

use Expression::{Bool, Float, Integer, List, Name, Sequence, Text};

impl Expression {
    /// The list of an operator and its arguments.
    pub(super) fn call(operator: &str, arguments: impl IntoIterator<Item = Self>) -> Self {
        List(std::iter::once(Name(operator.into())).chain(arguments).collect())
    }

    /// Whether both are the same; they must be of one type as far as it matters.
    pub(super) fn equals(&self, other: &Self) -> Result<bool, Undecided> {
        match (self, other) {
            (Text(a), Text(b)) | (Name(a), Name(b)) => Ok(a == b),
            (Integer(a), Integer(b)) => Ok(a == b),
            (Float(a), Float(b)) => Ok(a == b),
            (Bool(a), Bool(b)) => Ok(a == b),
            (Sequence(a), Sequence(b)) | (List(a), List(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (a, b) in a.iter().zip(b) {
                    if !a.equals(b)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            _ => Err(Undecided::Mixed),
        }
    }

    /// Which comes first, if either does. A shorter sequence comes before a longer one.
    pub(super) fn compare(&self, other: &Self) -> Result<Option<Ordering>, Undecided> {
        match (self, other) {
            (Text(a), Text(b)) | (Name(a), Name(b)) => Ok(Some(a.cmp(b))),
            (Integer(a), Integer(b)) => Ok(Some(a.cmp(b))),
            (Float(a), Float(b)) => Ok(a.partial_cmp(b)),
            (Bool(a), Bool(b)) => Ok(Some(a.cmp(b))),
            (Sequence(a), Sequence(b)) | (List(a), List(b)) => {
                if a.len() != b.len() {
                    return Ok(Some(a.len().cmp(&b.len())));
                }
                for (a, b) in a.iter().zip(b) {
                    match a.compare(b)? {
                        Some(Ordering::Equal) => {}
                        decided => return Ok(decided),
                    }
                }
                Ok(Some(Ordering::Equal))
            }
            _ => Err(Undecided::Mixed),
        }
    }
}

impl From<Value> for Expression {
    fn from(value: Value) -> Self {
        match value {
            Value::Text(text) => Text(text),
            Value::Integer(number) => Integer(number),
            Value::Float(number) => Float(number),
            Value::Bool(value) => Bool(value),
            Value::Sequence(values) => Sequence(values.into_iter().map(Self::from).collect()),
        }
    }
}

/// The full form, with all parentheses.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Text(text) => write_text(f, text),
            Integer(number) => write!(f, "{number}"),
            Float(number) if number.is_nan() => f.write_str("nan"),
            Float(number) if number.is_infinite() => f.write_str(if *number < 0.0 { "-inf" } else { "+inf" }),
            Float(number) => write!(f, "{number:?}"),
            Bool(value) => write!(f, "{value}"),
            Name(name) => f.write_str(name),
            Sequence(parts) => write_parts(f, '[', parts, ']'),
            List(parts) => write_parts(f, '(', parts, ')'),
        }
    }
}

fn write_parts(f: &mut fmt::Formatter<'_>, open: char, parts: &[Expression], close: char) -> fmt::Result {
    write!(f, "{open}")?;
    for (index, part) in parts.iter().enumerate() {
        let space = if index == 0 { "" } else { " " };
        write!(f, "{space}{part}")?;
    }
    write!(f, "{close}")
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for character in text.chars() {
        match character {
            '"' | '\\' => write!(f, "\\{character}")?,
            _ if is_hidden(character) => write!(f, "\\u{{{:x}}}", u32::from(character))?,
            _ => write!(f, "{character}")?,
        }
    }
    f.write_str("\"")
}

/// Whether a character must be escaped, because it would not show or show in another place.
pub(super) fn is_hidden(character: char) -> bool {
    character.is_ascii_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}')
}
