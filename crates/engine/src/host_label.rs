//! Labels of host names: a name of a person or a service as the part of a host name below `localhost`.
//!
//! In: a name in any script. Out: lower-case ASCII letters, digits and single hyphens, not longer than [`MAX_LABEL`], never at an
//! end a hyphen, so that it is a label of RFC 1123 and never one of Punycode (`xn--`), which browsers show in other scripts.

/// Longest label that is made of a name, in characters. Chosen: a host name of two fits a narrow window. The limit of RFC 1035 is
/// 63, which a number behind it does not reach.
pub(crate) const MAX_LABEL: usize = 24;
/// Labels below `localhost` that others use: Tauri's pages on some systems, and programs for their own pages.
const RESERVED: [&str; 6] = ["asset", "ipc", "localhost", "postern", "tauri", "www"];

/// The label of a name, as it is if that is not taken, else with the first number from 2 on that is free.
pub(crate) fn unique(name: &str, fallback: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let label = Some(label(name)).filter(|it| !it.is_empty()).unwrap_or_else(|| fallback.to_owned());
    let is_free = |it: &String| !is_taken(it) && !RESERVED.contains(&it.as_str());
    if is_free(&label) {
        return label;
    }
    let numbered = (2_u32..).map(|number| format!("{label}-{number}"));
    // One of the numbers is free: what is taken is finite.
    numbered.into_iter().find(is_free).unwrap_or(label)
}

/// A name in ASCII. Other scripts are transliterated: a label of digits would say nothing to anybody.
fn label(name: &str) -> String {
    let mut label = String::new();
    for letter in deunicode::deunicode_with_tofu(name, "").chars() {
        match letter.to_ascii_lowercase() {
            letter if letter.is_ascii_alphanumeric() => label.push(letter),
            // What is written within a word is not a gap: "Ann's".
            '\'' => {}
            _ if !label.is_empty() && !label.ends_with('-') => label.push('-'),
            _ => {}
        }
        if label.len() >= MAX_LABEL {
            break;
        }
    }
    label.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_become_readable_labels() {
        for (name, expected) in [
            ("Ann", "ann"),
            ("Ann's wiki (new)", "anns-wiki-new"),
            ("Ångström & Søn", "angstrom-son"),
            ("Анна", "anna"),
            ("北京", "bei-jing"),
            ("🦀", "crab"),
            ("  ", "owner"),
            ("\u{1f3fb}\u{200d}", "owner"),
            ("xn--80ak6aa92e", "xn-80ak6aa92e"),
            ("tauri", "tauri-2"),
            ("a.b/c:d@e", "a-b-c-d-e"),
        ] {
            assert_eq!(unique(name, "owner", |_| false), expected, "{name}");
        }
    }

    #[test]
    fn a_taken_label_gets_a_number() {
        let taken = ["ann", "ann-2"];
        assert_eq!(unique("ANN", "owner", |it| taken.contains(&it)), "ann-3");
        assert_eq!(unique("", "owner", |it| it == "owner"), "owner-2");
    }

    proptest! {
        #[test]
        fn whatever_the_name_it_is_a_label(name in ".{0,100}", others in 0_usize..5) {
            let taken: Vec<String> = (0..others).scan(vec![], |taken: &mut Vec<String>, _| {
                let next = unique(&name, "service", |it| taken.iter().any(|other| other == it));
                taken.push(next.clone());
                Some(next)
            }).collect();
            for label in &taken {
                prop_assert!((1..=63).contains(&label.len()));
                prop_assert!(label.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-'));
                prop_assert!(!label.starts_with('-') && !label.ends_with('-') && !label.contains("--"));
                prop_assert_eq!(taken.iter().filter(|other| *other == label).count(), 1);
            }
        }
    }
}
