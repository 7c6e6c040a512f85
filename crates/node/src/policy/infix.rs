//! The infix form: names, `and`, `or`, `not` and parentheses.

use super::expression::Expression;
use super::{POLICY_DEPTH_MAX, PolicyError, PolicyFault};
use crate::identity::Identifier;

/// Each parenthesis and each `not` counts, so that every `(not …)` of the full form may have both.
const DEPTH_MAX: usize = 2 * POLICY_DEPTH_MAX;

/// Reads a text as the infix form.
pub(super) fn read(text: &str) -> Result<Expression, PolicyError> {
    let mut reader = InfixReader { text, at: 0, glued: None, too_deep: None, furthest: PolicyFault::NoName.at(0) };
    let read = reader.any(0);
    if let Some(at) = reader.too_deep {
        return Err(PolicyFault::TooDeep.at(at));
    }
    match read {
        Some(expression) if reader.at == text.len() => match reader.glued {
            None => Ok(expression),
            Some(at) => Err(PolicyFault::Glued.at(at)),
        },
        Some(_) => Err(reader.furthest_with(PolicyFault::NoOperator)),
        None => Err(reader.furthest),
    }
}

/// What is read, and how far.
struct InfixReader<'a> {
    text: &'a str,
    at: usize,
    /// Where the first operator is that a name follows without a space.
    glued: Option<usize>,
    /// Where it was nested too deep.
    too_deep: Option<usize>,
    /// What was wrong at the furthest place at which something was.
    furthest: PolicyError,
}

impl<'a> InfixReader<'a> {
    /// What is joined by `or`.
    fn any(&mut self, depth: usize) -> Option<Expression> {
        self.joined("or", |reader| reader.all(depth))
    }

    /// What is joined by `and`.
    fn all(&mut self, depth: usize) -> Option<Expression> {
        self.joined("and", |reader| reader.one(depth))
    }

    fn joined(&mut self, operator: &str, mut read: impl FnMut(&mut Self) -> Option<Expression>) -> Option<Expression> {
        let first = read(self)?;
        let mut more = Vec::new();
        while let Some(next) = self.attempt(|reader| reader.operator(operator).and_then(|()| read(reader))) {
            more.push(next);
        }
        match more.is_empty() {
            true => Some(first),
            false => Some(Expression::call(operator, std::iter::once(first).chain(more))),
        }
    }

    fn one(&mut self, depth: usize) -> Option<Expression> {
        if depth > DEPTH_MAX {
            self.too_deep.get_or_insert(self.at);
            return None;
        }
        let negated = self.attempt(|reader| {
            reader.operator("not")?;
            Some(Expression::call("not", [reader.one(depth + 1)?]))
        });
        let nested = |reader: &mut Self| {
            reader.parenthesis("(")?;
            let nested = reader.any(depth + 1)?;
            reader.parenthesis(")")?;
            Some(nested)
        };
        negated.or_else(|| self.attempt(nested)).or_else(|| self.attempt(Self::name))
    }

    /// Reads something, or stays where it is.
    fn attempt<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let before = (self.at, self.glued);
        let read = read(self);
        if read.is_none() {
            (self.at, self.glued) = before;
        }
        read
    }

    fn operator(&mut self, operator: &str) -> Option<()> {
        self.skip_blanks();
        let start = self.at;
        self.literal(operator)?;
        if self.rest().starts_with(is_name) {
            self.glued.get_or_insert(start);
        }
        self.skip_blanks();
        Some(())
    }

    fn parenthesis(&mut self, which: &str) -> Option<()> {
        self.skip_blanks();
        if self.literal(which).is_none() {
            return self.fail(PolicyFault::NoOperator);
        }
        self.skip_blanks();
        Some(())
    }

    fn name(&mut self) -> Option<Expression> {
        if !self.rest().starts_with(|first: char| is_name(first) && !first.is_ascii_digit() && first != '.') {
            return self.fail(PolicyFault::NoName);
        }
        let name = self.word();
        if name.parse::<Identifier>().is_ok() {
            return Some(is("identifier", name));
        }
        if self.literal("=").is_none() {
            return Some(is(name, "true"));
        }
        let value = match self.literal("\"") {
            Some(()) => {
                let value = self.rest().split_once('"').map(|(value, _)| value);
                self.at += value.map_or(0, |value| value.len() + 1);
                value.unwrap_or_default()
            }
            None => self.word(),
        };
        if value.is_empty() { self.fail(PolicyFault::NoValue) } else { Some(is(name, value)) }
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let word = &rest[..rest.find(|character| !is_name(character)).unwrap_or(rest.len())];
        self.at += word.len();
        word
    }

    fn literal(&mut self, literal: &str) -> Option<()> {
        let found = self.rest().starts_with(literal);
        self.at += if found { literal.len() } else { 0 };
        found.then_some(())
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn fail<T>(&mut self, fault: PolicyFault) -> Option<T> {
        self.furthest = self.furthest_with(fault);
        None
    }

    fn furthest_with(&self, fault: PolicyFault) -> PolicyError {
        if self.at >= self.furthest.at { fault.at(self.at) } else { self.furthest }
    }
}

fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-')
}

/// That an attribute of the subject has this value.
fn is(attribute: &str, value: &str) -> Expression {
    let name = Expression::Name(format!("subject.{attribute}"));
    Expression::call("=", [name, Expression::Text(value.to_owned())])
}
