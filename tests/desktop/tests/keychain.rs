//! The identity's key: in the person's keychain, and nowhere else.

use std::fs;
use std::path::Path;

use postern_desktop_tests::{DesktopUser, Keyring};
use postern_engine::api::{Request, Snapshot};
use postern_testkit::{TIMEOUT, eventually_async};

fn set_up() -> Request {
    Request::SetUp { name: "Ann".into(), hubs: Vec::new(), this_computer: true }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_is_in_the_keychain_and_not_on_the_disk() {
    let mut ann = DesktopUser::new().await;
    ann.start(&["--hidden"]);
    ann.request(set_up()).await.unwrap();
    let stored =
        ann.desktop.command("secret-tool").args(["search", "--all", "--unlock", "service", "postern"]).output();
    let stored = stored.unwrap();
    let text = String::from_utf8_lossy(&stored.stdout).into_owned();
    let secrets: Vec<String> =
        text.lines().filter_map(|line| line.strip_prefix("secret = ")).map(str::to_owned).collect();
    assert!(!secrets.is_empty(), "{text} {}", String::from_utf8_lossy(&stored.stderr));
    assert!(secrets.iter().all(|secret| secret.len() >= 32), "a key is longer");
    let mut read = 0;
    for path in files(&ann.data_dir()) {
        let bytes = fs::read(&path).unwrap_or_default();
        read += 1;
        for secret in &secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "a key is in {}", path.display());
        }
    }
    assert!(read > 1, "the data directory was looked into");
    assert!(!ann.app().stderr().contains(secrets[0].as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_keychain_is_reported_and_no_new_key_is_created() {
    let mut ann = DesktopUser::new().await;
    ann.start(&["--hidden"]);
    ann.request(set_up()).await.unwrap();
    // Her words are known as soon as her key is.
    let with_words = |snapshot: &Snapshot| snapshot.me.clone().filter(|me| me.words.is_some());
    let me = ann.wait_for("herself", with_words).await;
    ann.stop();

    ann.desktop.start_keyring(Keyring::Locked).await;
    ann.start(&["--hidden"]);
    let locked = "keychain locked";
    eventually_async(locked, TIMEOUT, || async { ann.tray.tooltip().await?.contains(locked).then_some(()) }).await;

    ann.tray.click_icon().await;
    let window = ann.page().await;
    window.wait_for("[data-code=keychain-locked]").await;

    ann.desktop.start_keyring(Keyring::Unlocked).await;
    window.click("[data-code=keychain-locked] button").await;
    window.wait_until_gone("[data-code=keychain-locked]").await;
    eventually_async("the lock to be forgotten", TIMEOUT, || async {
        (!ann.tray.tooltip().await?.contains(locked)).then_some(())
    })
    .await;
    assert_eq!(ann.wait_for("herself again", with_words).await, me);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_keychain_nobody_is_set_up() {
    let mut ann = DesktopUser::with(Keyring::Missing).await;
    ann.start(&["--hidden"]);
    let fault = ann.request(set_up()).await.unwrap_err();
    assert_eq!(fault.code, postern_engine::api::Code::KeychainMissing, "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_keychain_a_passphrase_in_the_window_protects_the_key() {
    const PASSPHRASE: &str = "correct horse battery";
    let mut ann = DesktopUser::with(Keyring::Missing).await;
    ann.start(&[]);
    let window = ann.page().await;
    window.fill("[data-testid=name]", "Ann").await;
    window.click("[data-testid=finish]").await;
    window.wait_for("[data-testid=fault][data-code=keychain-missing]").await;
    window.fill("[data-testid=key-passphrase]", PASSPHRASE).await;
    window.fill("[data-testid=key-again]", PASSPHRASE).await;
    window.click("[data-testid=finish]:enabled").await;
    window.wait_for("[data-testid=app]").await;
    let with_words = |snapshot: &Snapshot| snapshot.me.clone().filter(|me| me.words.is_some());
    let me = ann.wait_for("herself", with_words).await;
    assert!(ann.data_dir().join("keys.age").is_file());
    ann.stop();

    // The next start asks for it, and opens nothing without it.
    ann.start(&[]);
    let window = ann.page().await;
    window.wait_for("[data-testid=no-engine][data-code=keychain-locked]").await;
    window.fill("[data-testid=unlock-passphrase]", "another").await;
    window.click("[data-testid=unlock]:enabled").await;
    window.wait_for("[data-testid=no-engine][data-code=wrong-passphrase]").await;
    window.fill("[data-testid=unlock-passphrase]", PASSPHRASE).await;
    window.click("[data-testid=unlock]:enabled").await;
    window.wait_for("[data-testid=app]").await;
    assert_eq!(ann.wait_for("herself again", with_words).await, me);
    for path in files(&ann.data_dir()) {
        let bytes = fs::read(&path).unwrap_or_default();
        assert!(!bytes.windows(PASSPHRASE.len()).any(|it| it == PASSPHRASE.as_bytes()), "{}", path.display());
    }
    assert!(!ann.app().stderr().contains(PASSPHRASE));
}

fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found
}
