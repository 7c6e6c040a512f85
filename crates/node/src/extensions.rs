//! Values by type: one of each, made when it is first asked for.

use crate::sync::lock;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// A value of each type that was asked for.
#[derive(Default)]
pub(crate) struct Extensions(Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Extensions {
    /// The value of this type.
    pub(crate) fn get<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut values = lock(&self.0);
        let value = values.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default()));
        value.clone().downcast().expect("a value is stored under its own type")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU8, AtomicU16, Ordering};

    #[test]
    fn there_is_one_value_of_each_type() {
        let extensions = Extensions::default();
        extensions.get::<AtomicU8>().store(7, Ordering::Relaxed);
        assert_eq!(extensions.get::<AtomicU8>().load(Ordering::Relaxed), 7);
        assert_eq!(extensions.get::<AtomicU16>().load(Ordering::Relaxed), 0);
    }
}
