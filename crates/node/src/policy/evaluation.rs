//! What an expression comes to. Arguments are evaluated in order, and of `and`, `or` and `if` only those that matter.

use super::expression::Expression::{self, Bool, List, Name, Sequence};
use super::{PolicyContext, Undecided};
use std::borrow::Cow;
use std::cmp::Ordering;

type Result<T> = std::result::Result<T, Undecided>;
type Evaluated<'a> = Cow<'a, Expression>;

/// Evaluates an expression. Its nesting was bounded when it was read.
pub(super) fn evaluate<'a>(expression: &'a Expression, context: &'a PolicyContext) -> Result<Evaluated<'a>> {
    match expression {
        Name(name) => context.get(name).map(Cow::Borrowed).ok_or_else(|| Undecided::Unknown(name.clone())),
        List(parts) => match parts.as_slice() {
            [] => Ok(Cow::Borrowed(expression)),
            [Name(operator), arguments @ ..] => apply(operator, arguments, context),
            _ => Err(Undecided::NoOperator),
        },
        Sequence(parts) => Ok(Cow::Owned(Sequence(all(parts, context)?.into_iter().map(Cow::into_owned).collect()))),
        value => Ok(Cow::Borrowed(value)),
    }
}

fn all<'a>(arguments: &'a [Expression], context: &'a PolicyContext) -> Result<Vec<Evaluated<'a>>> {
    arguments.iter().map(|argument| evaluate(argument, context)).collect()
}

fn apply<'a>(operator: &str, arguments: &'a [Expression], context: &'a PolicyContext) -> Result<Evaluated<'a>> {
    let decided = match (operator, arguments) {
        ("and", _) => return until("and", false, arguments, context),
        ("or", _) => return until("or", true, arguments, context),
        ("if", [test, then, otherwise]) => {
            let test = boolean("if", evaluate(test, context)?.as_ref())?;
            return evaluate(if test { then } else { otherwise }, context);
        }
        ("if", _) => return Err(Undecided::Arguments { operator: "if", takes: "three arguments" }),
        ("not", [argument]) => !boolean("not", evaluate(argument, context)?.as_ref())?,
        ("not", _) => return Err(Undecided::Arguments { operator: "not", takes: "one argument" }),
        ("=", [_, _, ..]) => pairwise(arguments, context, Expression::equals)?,
        ("<", [_, _, ..]) => pairwise(arguments, context, |a, b| Ok(a.compare(b)? == Some(Ordering::Less)))?,
        (">", [_, _, ..]) => pairwise(arguments, context, |a, b| Ok(a.compare(b)? == Some(Ordering::Greater)))?,
        ("=", _) => return Err(Undecided::Arguments { operator: "=", takes: "at least two arguments" }),
        ("<", _) => return Err(Undecided::Arguments { operator: "<", takes: "at least two arguments" }),
        (">", _) => return Err(Undecided::Arguments { operator: ">", takes: "at least two arguments" }),
        ("!=", _) => !pairwise(arguments, context, Expression::equals)?,
        ("member?", [member, sequence]) => {
            is_member(evaluate(member, context)?.as_ref(), evaluate(sequence, context)?.as_ref())?
        }
        ("member?", _) => return Err(Undecided::Arguments { operator: "member?", takes: "two arguments" }),
        ("exists?", _) => exist(arguments, context)?,
        _ => return Err(Undecided::NoSuchOperator(operator.to_owned())),
    };
    Ok(Cow::Owned(Bool(decided)))
}

/// Evaluates up to the first argument that decides. The last is the result, whatever it is.
fn until<'a>(
    operator: &'static str,
    decides: bool,
    arguments: &'a [Expression],
    context: &'a PolicyContext,
) -> Result<Evaluated<'a>> {
    let Some((last, first)) = arguments.split_last() else { return Ok(Cow::Owned(Bool(!decides))) };
    for argument in first {
        if boolean(operator, evaluate(argument, context)?.as_ref())? == decides {
            return Ok(Cow::Owned(Bool(decides)));
        }
    }
    evaluate(last, context)
}

fn boolean(operator: &'static str, value: &Expression) -> Result<bool> {
    match value {
        Bool(value) => Ok(*value),
        _ => Err(Undecided::WrongType { operator, takes: "only what is true or false" }),
    }
}

/// Whether it holds between every two neighbours. Behind the first for which it does not, types do not matter.
fn pairwise(
    arguments: &[Expression],
    context: &PolicyContext,
    holds: impl Fn(&Expression, &Expression) -> Result<bool>,
) -> Result<bool> {
    for pair in all(arguments, context)?.windows(2) {
        if !holds(&pair[0], &pair[1])? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_member(member: &Expression, sequence: &Expression) -> Result<bool> {
    let Sequence(values) = sequence else {
        return Err(Undecided::WrongType { operator: "member?", takes: "a sequence in the second place" });
    };
    for value in values {
        if member.equals(value)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn exist(names: &[Expression], context: &PolicyContext) -> Result<bool> {
    for name in names {
        match name {
            Name(name) if context.get(name).is_none() => return Ok(false),
            Name(_) => {}
            _ => return Err(Undecided::WrongType { operator: "exists?", takes: "only names" }),
        }
    }
    Ok(true)
}
