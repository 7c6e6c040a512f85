//! Names that can be taken for one another: the comparison with which a stranger who uses a contact's name is recognised.
//!
//! In: two names. Out: whether they look alike. The comparison is that of Unicode Technical Standard 39, section 4: both names
//! are reduced to their skeletons. Case and white space are ignored, because readers ignore them too.

use std::collections::BTreeMap;
use unicode_security::confusable_detection::skeleton;

/// What a name looks like: with and without regard to case, because a capital letter may look like another letter than its
/// small form does (`I` like `l`). Names that share one of the two can be taken for one another.
fn appearances(name: &str) -> [String; 2] {
    let seen = |text: &str| skeleton(text).filter(|letter| !letter.is_whitespace()).collect::<String>();
    [seen(&name.to_lowercase()), seen(name).to_lowercase()]
}

/// The names of known people, to be searched by what they look like.
pub struct KnownNames<K>(BTreeMap<String, Vec<(K, String)>>);

impl<K: Clone + PartialEq> KnownNames<K> {
    /// Prepares the names; a person may have several. Names are at most `MAX_NAME` characters long, which bounds the work.
    pub fn new(names: impl Iterator<Item = (K, String)>) -> Self {
        let mut known: BTreeMap<String, Vec<(K, String)>> = BTreeMap::new();
        for (key, name) in names {
            for appearance in appearances(&name) {
                known.entry(appearance).or_default().push((key.clone(), name.clone()));
            }
        }
        Self(known)
    }

    /// The name of another person than `who` that `name` can be taken for.
    pub fn taken_for(&self, who: &K, name: &str) -> Option<&str> {
        let alike = appearances(name).into_iter().filter_map(|appearance| self.0.get(&appearance)).flatten();
        alike.into_iter().find(|(key, _)| key != who).map(|(_, name)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_recognised_in_other_letters_cases_and_spaces() {
        let known = KnownNames::new([(1, "Ann Miller".to_owned()), (2, "Bill".to_owned())].into_iter());
        for name in ["Ann Miller", "ann miller", "AnnMiller", "Ann  Miller", "Аnn Miller", "Ann Mi11er", "Ann Mіller"]
        {
            assert_eq!(known.taken_for(&9, name), Some("Ann Miller"), "{name}");
        }
        for name in ["BiII", "𝗕𝗶𝗹𝗹", "BILL"] {
            assert_eq!(known.taken_for(&9, name), Some("Bill"), "{name}");
        }
    }

    #[test]
    fn other_names_and_the_person_itself_are_not_confused() {
        let known = KnownNames::new([(1, "Ann".to_owned())].into_iter());
        assert_eq!(known.taken_for(&1, "Ann"), None);
        for name in ["Anna", "Anne", "Jan", "Ben", ""] {
            assert_eq!(known.taken_for(&9, name), None, "{name}");
        }
    }
}
