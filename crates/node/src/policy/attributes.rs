use super::{Expression, Value};
use crate::identity::{Attributes, Identifier};
use std::collections::BTreeMap;

/// What is known when a policy decides: values by name.
#[derive(Clone, Debug, Default)]
pub struct PolicyContext(BTreeMap<String, Expression>);

impl PolicyContext {
    /// Adds a fact, replacing one of the same name.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.insert(name.into(), value.into().into());
        self
    }

    /// Adds who the subject is, and what an authority says about it. Attributes whose names or values are not UTF-8 are left
    /// out, and none takes the place of what this node knows by itself.
    #[must_use]
    pub fn with_subject(mut self, subject: &Identifier, attributes: Option<&Attributes>) -> Self {
        for (name, value) in attributes.into_iter().flat_map(Attributes::iter) {
            if let (Ok(name), Ok(value)) = (std::str::from_utf8(name), std::str::from_utf8(value)) {
                self.0.insert(format!("subject.{name}"), Expression::Text(value.to_owned()));
            }
        }
        self.with("subject.has_credential", attributes.is_some())
            .with("subject.identifier", subject.to_string().as_str())
    }

    pub(super) fn get(&self, name: &str) -> Option<&Expression> {
        self.0.get(name)
    }
}
