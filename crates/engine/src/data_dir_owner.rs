//! Whose a data directory is, for the message about one of another user.

use std::path::Path;

/// The name of the other user who owns a directory; nothing if it is this user's, or if it cannot be found out.
#[cfg(unix)]
pub(crate) fn other_owner(data_dir: &Path) -> Option<String> {
    other_owner_than(data_dir, rustix::process::geteuid().as_raw())
}

/// The name of the other user who owns a directory; nothing where that is not known.
#[cfg(not(unix))]
pub(crate) fn other_owner(_: &Path) -> Option<String> {
    None
}

#[cfg(unix)]
fn other_owner_than(data_dir: &Path, own: u32) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let owner = postern_env::fs::symlink_metadata(data_dir).ok()?.uid();
    if owner == own {
        return None;
    }
    let users = postern_env::fs::read("/etc/passwd").unwrap_or_default();
    Some(name_of(owner, &String::from_utf8_lossy(&users)))
}

/// A user's name in the form of passwd(5); the number, where users are listed elsewhere, as in a directory service.
#[cfg(unix)]
fn name_of(uid: u32, users: &str) -> String {
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id.parse() == Ok(uid)).then(|| crate::text_sanitizer::visible(name))
    });
    name.filter(|it| !it.is_empty()).unwrap_or_else(|| format!("the user with number {uid}"))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_somebody_else_names_them() {
        let home = tempfile::tempdir().unwrap();
        let own = rustix::process::geteuid().as_raw();
        assert_eq!(other_owner(home.path()), None);
        assert!(other_owner_than(home.path(), own.wrapping_add(1)).is_some());
        assert_eq!(other_owner(&home.path().join("nowhere")), None);
    }

    #[test]
    fn users_are_named_as_in_the_systems_list() {
        let users = "root:x:0:0::/root:/bin/sh\nbroken\nann:x:1000:1000:Ann,,,:/home/ann:/bin/sh\n";
        assert_eq!(name_of(1000, users), "ann");
        assert_eq!(name_of(1001, users), "the user with number 1001");
    }
}
