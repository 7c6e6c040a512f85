use super::*;

/// Light enough for tests; the format is the same.
const LIGHT: u8 = 4;

struct KeyFile {
    directory: tempfile::TempDir,
}

impl KeyFile {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("keys.age")
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
        std::fs::read(self.path()).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path()).unwrap();
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
    let key_file = KeyFile::new();
    let mut file = key_file.create();
    assert_eq!(file.get("identity"), None);
    file.put("identity", secret(b"\0swordfish\xff")).unwrap();
    file.put("other", secret(b"x")).unwrap();
    drop(file);

    let mut file = key_file.open().unwrap();
    assert_eq!(file.get("identity"), Some(secret(b"\0swordfish\xff")));
    file.delete("other").unwrap();
    let before = key_file.bytes();
    file.delete("other").unwrap();
    assert_eq!(key_file.bytes(), before, "deleting nothing writes nothing");

    let file = key_file.open().unwrap();
    assert_eq!(file.get("other"), None);
    assert_eq!(file.get("identity"), Some(secret(b"\0swordfish\xff")));
    assert_eq!(key_file.names(), ["keys.age"]);
}

#[test]
fn the_file_shows_neither_secret_nor_passphrase() {
    let key_file = KeyFile::new();
    key_file.create().put("identity", secret(b"swordfish")).unwrap();
    let bytes = key_file.bytes();
    assert!(bytes.starts_with(b"age-encryption.org/v1\n-> scrypt "));
    for clear in [&b"swordfish"[..], b"identity", b"sesame", hex::encode("swordfish").as_bytes()] {
        assert!(!bytes.windows(clear.len()).any(|window| window == clear));
    }
}

#[test]
fn a_wrong_passphrase_opens_and_changes_nothing() {
    let key_file = KeyFile::new();
    key_file.create().put("identity", secret(b"swordfish")).unwrap();
    let before = key_file.bytes();
    assert_eq!(code(SecretFile::open(&key_file.path(), words("open says me"))), "keychain-wrong-passphrase");
    assert_eq!(code(SecretFile::create_with(&key_file.path(), words("open says me"), LIGHT)), "keychain-file-exists");
    assert_eq!(key_file.bytes(), before);
    assert_eq!(key_file.names(), ["keys.age"]);
}

#[test]
fn a_damaged_file_stays_as_it_is() {
    let key_file = KeyFile::new();
    key_file.create().put("identity", secret(b"swordfish")).unwrap();
    let whole = key_file.bytes();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let cut = whole[..whole.len() - 1].to_vec();
    let huge = vec![b'a'; usize::try_from(MAX_FILE).unwrap() + 1];
    for damaged in [flipped, cut, b"not a key file".to_vec(), Vec::new(), huge] {
        std::fs::write(key_file.path(), &damaged).unwrap();
        assert_eq!(code(key_file.open()), "keychain-file-damaged");
        assert_eq!(code(SecretFile::create_with(&key_file.path(), words("new"), LIGHT)), "keychain-file-exists");
        assert!(key_file.bytes() == damaged);
    }
}

#[test]
fn no_byte_of_the_file_can_change_unnoticed() {
    let key_file = KeyFile::new();
    key_file.create().put("identity", secret(b"swordfish")).unwrap();
    let whole = key_file.bytes();
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        std::fs::write(key_file.path(), &flipped).unwrap();
        let code = code(key_file.open());
        assert!(["keychain-file-damaged", "keychain-wrong-passphrase"].contains(&code), "byte {at}: {code}");
    }
}

#[test]
fn a_file_changed_behind_our_back_is_not_overwritten() {
    let key_file = KeyFile::new();
    let mut mine = key_file.create();
    let mut theirs = key_file.open().unwrap();
    theirs.put("identity", secret(b"theirs")).unwrap();
    let before = key_file.bytes();
    assert_eq!(code(mine.put("identity", secret(b"mine"))), "keychain-file-changed");
    assert_eq!(mine.get("identity"), None, "what was not stored is not shown as stored");
    assert_eq!(key_file.bytes(), before);

    std::fs::remove_file(key_file.path()).unwrap();
    assert_eq!(code(theirs.delete("identity")), "keychain-file-changed");
    assert_eq!(theirs.get("identity"), Some(secret(b"theirs")));
    assert_eq!(key_file.names().len(), 0, "no file comes back, no temporary file stays");
}

#[test]
fn a_crash_between_writing_and_renaming_keeps_the_old_secrets() {
    let key_file = KeyFile::new();
    key_file.create().put("identity", secret(b"old")).unwrap();
    let mut secrets = Secrets::default();
    secrets.put("identity", secret(b"new"));
    let sealed = seal(&secrets, &words("open sesame"), LIGHT).unwrap();
    // A killed process runs no destructors.
    let staged = stage(&key_file.path(), &sealed).unwrap();
    std::mem::forget(staged);
    assert_eq!(key_file.names().len(), 2);

    let mut file = key_file.open().unwrap();
    assert_eq!(file.get("identity"), Some(secret(b"old")));
    file.put("identity", secret(b"newer")).unwrap();
    assert_eq!(key_file.open().unwrap().get("identity"), Some(secret(b"newer")));
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read() {
    use std::os::unix::fs::PermissionsExt;

    let key_file = KeyFile::new();
    let mode = || std::fs::metadata(key_file.path()).unwrap().permissions().mode() & 0o7777;
    let mut file = key_file.create();
    assert_eq!(mode(), 0o600);
    std::fs::set_permissions(key_file.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
    file.put("identity", secret(b"swordfish")).unwrap();
    assert_eq!(mode(), 0o600);
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_stays_a_link() {
    let key_file = KeyFile::new();
    drop(key_file.create());
    let link = key_file.directory.path().join("link");
    std::os::unix::fs::symlink("keys.age", &link).unwrap();
    let mut file = SecretFile::open(&link, words("open sesame")).unwrap();
    file.work_factor = LIGHT;
    file.put("identity", secret(b"swordfish")).unwrap();
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(key_file.open().unwrap().get("identity"), Some(secret(b"swordfish")));
}

#[test]
fn missing_key_files_are_told_apart() {
    let key_file = KeyFile::new();
    assert_eq!(code(key_file.open()), "keychain-file-missing");
    let nowhere = key_file.directory.path().join("nowhere").join("keys.age");
    assert_eq!(code(SecretFile::create_with(&nowhere, words("x"), LIGHT)), "keychain-file-failed");
    assert_eq!(code(SecretFile::open(key_file.directory.path(), words("x"))), "keychain-file-failed");
}

#[test]
fn too_much_work_is_refused() {
    let key_file = KeyFile::new();
    drop(key_file.create());
    let dear = String::from_utf8_lossy(&key_file.bytes()[..60]).replace(" 4\n", " 30\n");
    let mut bytes = dear.into_bytes();
    bytes.extend(&key_file.bytes()[60..]);
    std::fs::write(key_file.path(), bytes).unwrap();
    assert_eq!(code(key_file.open()), "keychain-file-damaged");
}

#[tokio::test]
async fn the_keychain_carries_it_with_the_real_work_factor() {
    let key_file = KeyFile::new();
    let keychain = crate::keys::Keychain::create_file(key_file.path(), words("open sesame")).await.unwrap();
    keychain.put("identity", b"swordfish").await.unwrap();
    assert_eq!(format!("{keychain:?}"), "Keychain(file)");
    assert!(String::from_utf8_lossy(&key_file.bytes()[..80]).contains(" 17\n"));
    let again = crate::keys::Keychain::open_file(key_file.path(), words("open sesame")).await.unwrap();
    assert_eq!(again.get("identity").await.unwrap().unwrap().as_slice(), b"swordfish");
    again.delete("identity").await.unwrap();
    assert_eq!(again.get("identity").await.unwrap(), None);
    assert_eq!(keychain.put("identity", b"late").await.unwrap_err().code(), "keychain-file-changed");
}
