//! The S-expression form: operators in parentheses, in front of their arguments.

use super::expression::Expression::{self, List, Name, Sequence};
use super::token::{Token, Tokens};
use super::{POLICY_DEPTH_MAX, PolicyError, PolicyFault, Undecided};

const OPERATORS: [&str; 10] = ["and", "or", "not", "if", "<", ">", "=", "!=", "member?", "exists?"];

/// Reads a text as an S-expression. Several expressions in a row are one in parentheses.
pub(super) fn read(text: &str) -> Result<Expression, PolicyError> {
    let mut tokens = Tokens::of(text);
    let mut parts = until(&mut tokens, None, 0)?;
    let whole = match parts.len() {
        0 => return Err(PolicyFault::Empty.at(text.len())),
        1 => parts.remove(0),
        _ => List(parts),
    };
    if begins_with_operator(&whole) { Ok(whole) } else { Err(PolicyFault::NoOperation.at(0)) }
}

/// Reads up to the word that closes, or to the end.
fn until(tokens: &mut Tokens<'_>, end: Option<Token>, depth: usize) -> Result<Vec<Expression>, PolicyError> {
    let opened = tokens.at().saturating_sub(1);
    if depth > POLICY_DEPTH_MAX {
        return Err(PolicyFault::TooDeep.at(opened));
    }
    let mut parts = Vec::new();
    loop {
        let Some((at, token)) = tokens.next()? else {
            return if end.is_none() { Ok(parts) } else { Err(PolicyFault::Unclosed.at(opened)) };
        };
        if Some(&token) == end.as_ref() {
            return Ok(parts);
        }
        parts.push(match token {
            Token::Open => List(until(tokens, Some(Token::Close), depth + 1)?),
            Token::OpenSequence => {
                let values = until(tokens, Some(Token::CloseSequence), depth + 1)?;
                let mixed = |pair: &[Expression]| pair[0].equals(&pair[1]) == Err(Undecided::Mixed);
                if values.windows(2).any(mixed) {
                    return Err(PolicyFault::Mixed.at(at));
                }
                Sequence(values)
            }
            Token::Close | Token::CloseSequence => return Err(PolicyFault::Unopened.at(at)),
            Token::Text(text) => Expression::Text(text),
            Token::Integer(number) => Expression::Integer(number),
            Token::Float(number) => Expression::Float(number),
            Token::Bool(value) => Expression::Bool(value),
            Token::Name(name) => Name(name),
        });
    }
}

fn begins_with_operator(expression: &Expression) -> bool {
    match expression {
        Name(name) => OPERATORS.contains(&name.as_str()),
        List(parts) => parts.first().is_some_and(begins_with_operator),
        _ => false,
    }
}
