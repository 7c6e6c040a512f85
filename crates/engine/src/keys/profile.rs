//! The profile: the name of one data directory in the desktop's keychain.

use std::{fmt, io, path::Path};

use postern_env::fs;
use sha2::{Digest, Sha256};

/// The name under which the secrets of one data directory are stored in the desktop's keychain.
///
/// Each data directory has its own identity; a directory has the same profile by whatever path it is reached.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Profile(String);

impl Profile {
    /// The profile of a data directory, which must exist: 32 hex digits of SHA-256 over its canonical path.
    ///
    /// # Errors
    /// When the directory cannot be found or reached.
    pub fn of(data_dir: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(data_dir)?;
        let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
        Ok(Self(hex::encode(&digest[..16])))
    }

    /// The profile's name: 32 hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Profile({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_directory_has_one_profile() {
        let home = tempfile::tempdir().unwrap();
        let (ann, ben) = (home.path().join("ann"), home.path().join("ben"));
        assert!(Profile::of(&ann).is_err(), "a directory that does not exist has no profile");
        std::fs::create_dir(&ann).unwrap();
        std::fs::create_dir(&ben).unwrap();
        let profile = Profile::of(&ann).unwrap();
        assert_eq!(profile.as_str().len(), 32);
        assert_eq!(profile, Profile::of(&ben.join("..").join("ann")).unwrap());
        assert_ne!(profile, Profile::of(&ben).unwrap());
    }
}
