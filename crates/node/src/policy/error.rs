use std::fmt;

/// Why a text is no policy, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// The byte of the text at which it was noticed, from 0.
    pub at: usize,
    /// What is wrong there.
    pub fault: PolicyFault,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {})", self.fault, self.at)
    }
}

impl std::error::Error for PolicyError {}

/// What is wrong with the text of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFault {
    /// More bytes than [`POLICY_SIZE_MAX`](super::POLICY_SIZE_MAX).
    #[error("a policy has at most {} bytes", super::POLICY_SIZE_MAX)]
    TooLong,
    /// Nested deeper than [`POLICY_DEPTH_MAX`](super::POLICY_DEPTH_MAX).
    #[error("a policy is nested at most {} deep", super::POLICY_DEPTH_MAX)]
    TooDeep,
    /// Nothing is there.
    #[error("there is no expression")]
    Empty,
    /// A character that begins nothing.
    #[error("this character does not belong here")]
    Unexpected,
    /// `and`, `or` or `not` with a name right behind it.
    #[error(
        "`and`, `or` and `not` need a space behind them; for a name that begins so, write (= subject.name \"true\")"
    )]
    Glued,
    /// The short form goes on in no way it could.
    #[error("`and`, `or`, a closing parenthesis or the end was expected")]
    NoOperator,
    /// The short form wants a name.
    #[error("a name was expected: letters, digits, `.`, `-`, `_`, the first a letter, `-` or `_`")]
    NoName,
    /// The short form wants a value.
    #[error("a value was expected behind `=`")]
    NoValue,
    /// A text, or a comment, without an end.
    #[error("what begins here does not end")]
    Unfinished,
    /// An escape that does not exist.
    #[error("there is no such escape")]
    BadEscape,
    /// A text that is not UTF-8.
    #[error("this text is not UTF-8")]
    NotUtf8,
    /// A character that hides part of the text.
    #[error("a control character, or one that changes the direction of writing, must be written as an escape")]
    Hidden,
    /// A number that no value can hold, or is written in an unknown way.
    #[error("this number cannot be read")]
    BadNumber,
    /// What is neither a value nor a name.
    #[error("this is neither a value nor a name")]
    BadName,
    /// A parenthesis or bracket that is never closed.
    #[error("this is never closed")]
    Unclosed,
    /// A closing parenthesis or bracket that closes nothing, or the wrong one.
    #[error("this closes nothing that is open")]
    Unopened,
    /// A sequence of values of several types.
    #[error("the values of a sequence must be of one type")]
    Mixed,
    /// The whole begins with something that decides nothing.
    #[error("a policy begins with `and`, `or`, `not`, `if`, `<`, `>`, `=`, `!=`, `member?` or `exists?`")]
    NoOperation,
}

impl PolicyFault {
    pub(super) fn at(self, at: usize) -> PolicyError {
        PolicyError { at, fault: self }
    }
}

/// Why a policy decides nothing about the facts it was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Undecided {
    /// Nothing is known by this name.
    #[error("`{0}` is not known")]
    Unknown(String),
    /// There is no such operator.
    #[error("there is no operator `{0}`")]
    NoSuchOperator(String),
    /// A list that begins with a value.
    #[error("a list must begin with an operator")]
    NoOperator,
    /// An operator with too few or too many arguments.
    #[error("`{operator}` takes {takes}")]
    Arguments {
        /// The operator.
        operator: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// An argument of another type than the operator takes.
    #[error("`{operator}` takes {takes}")]
    WrongType {
        /// The operator.
        operator: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// Two values that cannot be compared.
    #[error("values of different types cannot be compared")]
    Mixed,
    /// The whole is neither true nor false.
    #[error("the whole is neither true nor false")]
    NotABoolean,
}
