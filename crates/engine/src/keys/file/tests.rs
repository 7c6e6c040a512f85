use super::*;

/// Light enough for tests; the format is the same.
const LIGHT: u8 = 4;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("keys.age")
    }

    fn create(&self) -> SecretFile {
        SecretFile::create_with(&self.path(), words("open sesame"), LIGHT).unwrap()
    }

    fn open(&self) -> Result<SecretFile, KeychainError> {
        let mut file = SecretFile::open(&self.path(), words("open sesame"))?;
        file.work_factor = LIGHT;
        Ok(file)
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn words(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned()).unwrap()
}

fn secret(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(bytes.to_vec())
}

fn code<T>(result: Result<T, KeychainError>) -> &'static str {
    result.err().expect("an error").code()
}

#[test]
fn create_put_reopen_delete() {
    let place = Place::new();
    let mut file = place.create();
    assert_eq!(file.get("identity"), None);
    file.put("identity", secret(b"\0swordfish\xff")).unwrap();
    file.put("other", secret(b"x")).unwrap();
    drop(file);

    let mut file = place.open().unwrap();
    assert_eq!(file.get("identity"), Some(secret(b"\0swordfish\xff")));
    file.delete("other").unwrap();
    let before = place.bytes();
    file.delete("other").unwrap();
    assert_eq!(place.bytes(), before, "deleting nothing writes nothing");

    let file = place.open().unwrap();
    assert_eq!(file.get("other"), None);
    assert_eq!(file.get("identity"), Some(secret(b"\0swordfish\xff")));
    assert_eq!(place.names(), ["keys.age"]);
}

#[test]
fn the_file_shows_neither_secret_nor_passphrase() {
    let place = Place::new();
    place.create().put("identity", secret(b"swordfish")).unwrap();
    let bytes = place.bytes();
    assert!(bytes.starts_with(b"age-encryption.org/v1\n-> scrypt "));
    for clear in [&b"swordfish"[..], b"identity", b"sesame", hex::encode("swordfish").as_bytes()] {
        assert!(!bytes.windows(clear.len()).any(|window| window == clear));
    }
}

#[test]
fn a_wrong_passphrase_opens_and_changes_nothing() {
    let place = Place::new();
    place.create().put("identity", secret(b"swordfish")).unwrap();
    let before = place.bytes();
    assert_eq!(code(SecretFile::open(&place.path(), words("open says me"))), "keychain-wrong-passphrase");
    assert_eq!(code(SecretFile::create_with(&place.path(), words("open says me"), LIGHT)), "keychain-file-exists");
    assert_eq!(place.bytes(), before);
    assert_eq!(place.names(), ["keys.age"]);
}

#[test]
fn a_damaged_file_stays_as_it_is() {
    let place = Place::new();
    place.create().put("identity", secret(b"swordfish")).unwrap();
    let whole = place.bytes();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let cut = whole[..whole.len() - 1].to_vec();
    let huge = vec![b'a'; usize::try_from(MAX_FILE).unwrap() + 1];
    for damaged in [flipped, cut, b"not a key file".to_vec(), Vec::new(), huge] {
        fs::write(place.path(), &damaged).unwrap();
        assert_eq!(code(place.open()), "keychain-file-damaged");
        assert_eq!(code(SecretFile::create_with(&place.path(), words("new"), LIGHT)), "keychain-file-exists");
        assert!(place.bytes() == damaged);
    }
}

#[test]
fn no_byte_of_the_file_can_change_unnoticed() {
    let place = Place::new();
    place.create().put("identity", secret(b"swordfish")).unwrap();
    let whole = place.bytes();
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        fs::write(place.path(), &flipped).unwrap();
        let code = code(place.open());
        assert!(["keychain-file-damaged", "keychain-wrong-passphrase"].contains(&code), "byte {at}: {code}");
    }
}

#[test]
fn a_file_changed_behind_our_back_is_not_overwritten() {
    let place = Place::new();
    let mut mine = place.create();
    let mut theirs = place.open().unwrap();
    theirs.put("identity", secret(b"theirs")).unwrap();
    let before = place.bytes();
    assert_eq!(code(mine.put("identity", secret(b"mine"))), "keychain-file-changed");
    assert_eq!(mine.get("identity"), None, "what was not stored is not shown as stored");
    assert_eq!(place.bytes(), before);

    fs::remove_file(place.path()).unwrap();
    assert_eq!(code(theirs.delete("identity")), "keychain-file-changed");
    assert_eq!(theirs.get("identity"), Some(secret(b"theirs")));
    assert_eq!(place.names().len(), 0, "no file comes back, no temporary file stays");
}

#[test]
fn a_crash_between_writing_and_renaming_keeps_the_old_secrets() {
    let place = Place::new();
    place.create().put("identity", secret(b"old")).unwrap();
    let mut secrets = Secrets::default();
    secrets.put("identity", secret(b"new"));
    let sealed = seal(&secrets, &words("open sesame"), LIGHT).unwrap();
    // A killed process runs no destructors.
    let staged = stage(&place.path(), &sealed).unwrap();
    std::mem::forget(staged);
    assert_eq!(place.names().len(), 2);

    let mut file = place.open().unwrap();
    assert_eq!(file.get("identity"), Some(secret(b"old")));
    file.put("identity", secret(b"newer")).unwrap();
    assert_eq!(place.open().unwrap().get("identity"), Some(secret(b"newer")));
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::new();
    let mode = || fs::metadata(place.path()).unwrap().permissions().mode() & 0o7777;
    let mut file = place.create();
    assert_eq!(mode(), 0o600);
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o644)).unwrap();
    file.put("identity", secret(b"swordfish")).unwrap();
    assert_eq!(mode(), 0o600);
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_stays_a_link() {
    let place = Place::new();
    drop(place.create());
    let link = place.folder.path().join("link");
    std::os::unix::fs::symlink("keys.age", &link).unwrap();
    let mut file = SecretFile::open(&link, words("open sesame")).unwrap();
    file.work_factor = LIGHT;
    file.put("identity", secret(b"swordfish")).unwrap();
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(place.open().unwrap().get("identity"), Some(secret(b"swordfish")));
}

#[test]
fn missing_places_are_told_apart() {
    let place = Place::new();
    assert_eq!(code(place.open()), "keychain-file-missing");
    let nowhere = place.folder.path().join("nowhere").join("keys.age");
    assert_eq!(code(SecretFile::create_with(&nowhere, words("x"), LIGHT)), "keychain-file-failed");
    assert_eq!(code(SecretFile::open(place.folder.path(), words("x"))), "keychain-file-failed");
}

#[test]
fn too_much_work_is_refused() {
    let place = Place::new();
    drop(place.create());
    let dear = String::from_utf8_lossy(&place.bytes()[..60]).replace(" 4\n", " 30\n");
    let mut bytes = dear.into_bytes();
    bytes.extend(&place.bytes()[60..]);
    fs::write(place.path(), bytes).unwrap();
    assert_eq!(code(place.open()), "keychain-file-damaged");
}

#[tokio::test]
async fn the_keychain_carries_it_with_the_real_work_factor() {
    let place = Place::new();
    let keychain = crate::keys::Keychain::create_file(place.path(), words("open sesame")).await.unwrap();
    keychain.put("identity", b"swordfish").await.unwrap();
    assert_eq!(format!("{keychain:?}"), "Keychain(file)");
    assert!(String::from_utf8_lossy(&place.bytes()[..80]).contains(" 17\n"));
    let again = crate::keys::Keychain::open_file(place.path(), words("open sesame")).await.unwrap();
    assert_eq!(again.get("identity").await.unwrap().unwrap().as_slice(), b"swordfish");
    again.delete("identity").await.unwrap();
    assert_eq!(again.get("identity").await.unwrap(), None);
    assert_eq!(keychain.put("identity", b"late").await.unwrap_err().code(), "keychain-file-changed");
}
