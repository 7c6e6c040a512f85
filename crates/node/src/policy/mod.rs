//! Policies: expressions for attribute-based access control (ABAC).
//!
//! ```text
//! text ─► infix, or else S-expression ─► Policy ─┐
//! identifier, attributes ──────► PolicyContext ──┴─► true: allowed
//!                                                    anything else, errors too: denied
//! ```
//!
//! The language is that of `ockam` 0.150, in both its forms:
//!
//! - **S-expression**: `(and (= subject.group "friends") (member? subject.role ["admin" "guest"]))`. The operators are `and`, `or`,
//!   `not`, `if`, `<`, `>`, `=`, `!=`, `member?` and `exists?`; values are texts, integers, floats, `true`, `false` and
//!   sequences of values of one type; everything else is the name of an attribute. Types are never mixed: comparing a text
//!   with a number is an error, and so a refusal. `;;` begins a comment. The outermost parentheses may be left out.
//! - **Infix**: `friend and not (role=guest or I…)`, in this order of precedence: `not`, `and`, `or`. A name stands for
//!   `(= subject.name "true")`, `name=value` for `(= subject.name "value")`, an identifier for `(= subject.identifier "I…")`.
//!   What can be read so is read so.
//!
//! Attributes are `subject.identifier`, `subject.has_credential`, `subject.` and the name of each attribute that an authority attests
//! (texts all of them), and whatever the program adds, by convention under `resource.` and `action.`.
//!
//! A few things are stricter here. In the short form `and`, `or` and `not` need something between them and a name: `ockam`
//! reads `notary` as `not ary`. In the full form no name begins with `$` or `@`, and nothing is closed that was not opened.
//! And no attribute can take the place of `subject.identifier` or `subject.has_credential`.
//!
//! Nothing here blocks, panics, or reads the clock. A text is bounded before it is read, so that a policy from anywhere can be.
//!
//! # Example
//!
//! ```
//! use postern_node::policy::{Policy, PolicyContext};
//!
//! let policy: Policy = "friend and not role=guest".parse()?;
//! let context = PolicyContext::default().with("subject.friend", "true").with("subject.role", "editor");
//! assert!(policy.allows(&context));
//! assert!(!policy.allows(&context.with("subject.role", "guest")));
//! // What cannot be decided is denied.
//! assert!(!policy.allows(&PolicyContext::default()));
//! # Ok::<(), postern_node::policy::PolicyError>(())
//! ```

mod attributes;
mod error;
mod evaluation;
mod expression;
mod infix;
mod sexpr;
mod token;

pub use attributes::PolicyContext;
pub use error::{PolicyError, PolicyFault, Undecided};
pub use expression::Value;

use crate::identity::TrustPolicy;
use expression::Expression;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest text of a policy, in bytes.
pub const POLICY_SIZE_MAX: usize = 8 * 1024;
/// How deep a policy's expression may be nested.
pub const POLICY_DEPTH_MAX: usize = 32;

/// An expression that decides who may.
///
/// Its text round-trips through [`Display`](fmt::Display) and [`FromStr`]. By default it wants some credential of a trusted
/// authority, with any attributes.
#[derive(Clone)]
pub struct Policy(Arc<Parsed>);

struct Parsed {
    text: String,
    expression: Expression,
}

impl Policy {
    /// Whether the facts allow it. What cannot be decided is denied, and logged.
    pub fn allows(&self, context: &PolicyContext) -> bool {
        self.decide(context).unwrap_or_else(|reason| {
            tracing::debug!(policy = %self, %reason, "undecided, and so denied");
            false
        })
    }

    /// What the facts decide.
    ///
    /// # Errors
    /// [`Undecided`]: a fact is missing, or an operator was given what it cannot take. That is a refusal too.
    pub fn decide(&self, context: &PolicyContext) -> Result<bool, Undecided> {
        match &*evaluation::evaluate(&self.0.expression, context)? {
            Expression::Bool(decided) => Ok(*decided),
            _ => Err(Undecided::NotABoolean),
        }
    }

    /// The policy as the access decision of an outlet, a relay service or a listener, with facts of its own beside those
    /// about the peer.
    #[must_use]
    pub fn with_context(self, context: PolicyContext) -> TrustPolicy {
        TrustPolicy::Attested(Arc::new(move |identifier, attributes| {
            self.allows(&context.clone().with_subject(identifier, attributes))
        }))
    }
}

/// Decides from nothing but what is known about the peer.
impl From<Policy> for TrustPolicy {
    fn from(policy: Policy) -> Self {
        policy.with_context(PolicyContext::default())
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::from_str("(= subject.has_credential true)").expect("it can be read")
    }
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        if text.len() > POLICY_SIZE_MAX {
            return Err(PolicyFault::TooLong.at(POLICY_SIZE_MAX));
        }
        let expression = match infix::read(text) {
            Ok(expression) => expression,
            // Read as the other form it might say something else.
            Err(error) if matches!(error.fault, PolicyFault::Glued | PolicyFault::TooDeep) => return Err(error),
            // A text without an operator in front was meant as the infix form.
            Err(infix) => sexpr::read(text).map_err(|sexpr| match sexpr.fault {
                PolicyFault::NoOperation => infix,
                _ => sexpr,
            })?,
        };
        Ok(Self(Arc::new(Parsed { text: text.to_owned(), expression })))
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Policy({})", self.0.expression)
    }
}

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl Eq for Policy {}

#[cfg(test)]
mod tests;
