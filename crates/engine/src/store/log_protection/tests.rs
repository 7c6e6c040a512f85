//! Somebody who can write the files, and has no key, changes the log while the engine does not run.

use super::super::audit_log::Verification;
use super::super::{AnchorState, FILE};
use super::*;
use postern_node::identity::{Identity, Timestamp};
use postern_node::sealed::PostalKey;
use postern_node::vault::{MemoryStore, MemoryVault};
use std::sync::Arc;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

/// The key of somebody new.
async fn key() -> SelfMacKey {
    let now = Timestamp(1_700_000_000);
    let identity = Identity::create(Arc::new(MemoryVault::in_memory()), now).await.unwrap();
    PostalKey::open(&identity, &MemoryStore::default(), now).await.unwrap().self_mac_key(LOG_KEY).unwrap()
}

fn events(count: usize) -> Vec<(UnixMillis, AuditEvent)> {
    let event = |number| AuditEvent::Service { service: format!("wiki {number}"), what: "shared".into() };
    (0..count).map(|number| (NOW, event(number))).collect()
}

async fn open(home: &Path) -> Store {
    Store::open(home, NOW).await.unwrap().store
}

/// The engine runs, writes entries and stops: in order, or by a power cut.
async fn run(home: &Path, key: &SelfMacKey, entries: usize, stops: bool) {
    let mut store = open(home).await;
    store.protect_log(key.clone(), NOW).await.unwrap();
    store.save(&[], &events(entries)).await.unwrap();
    if stops {
        store.anchor_log(AnchorState::Stopped, NOW).await.unwrap();
    }
    store.close().await;
}

/// What a verification finds when the engine runs again, and whether a page of the log says so, too.
async fn found(home: &Path, key: &SelfMacKey) -> Verification {
    let mut store = open(home).await;
    store.protect_log(key.clone(), NOW).await.unwrap();
    let reader = store.log_reader();
    let found = reader.verify().await.unwrap();
    let (_, page_is_intact) = reader.page(None, 1_000).await.unwrap();
    assert_eq!(page_is_intact, found.is_intact(), "{found:?}");
    store.close().await;
    found
}

async fn tamper(home: &Path, sql: &str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(home.join(FILE));
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_log_that_nobody_changed_is_intact_over_restarts() {
    let (home, key) = (tempfile::tempdir().unwrap(), key().await);
    for _ in 0..3 {
        run(home.path(), &key, 10, true).await;
    }
    let found = found(home.path(), &key).await;
    assert_eq!((found.problems.as_slice(), found.remarks.as_slice()), ([].as_slice(), [].as_slice()));
    // The first entry says that the key starts.
    assert_eq!((found.entries, found.authenticated), (31, 31));
}

#[tokio::test]
async fn every_change_by_somebody_without_the_key_is_reported() {
    let cases = [
        ("one byte changed", "UPDATE receipt SET deed = replace(deed, 'wiki 3', 'wiki 4') WHERE number = 5"),
        ("a time changed", "UPDATE receipt SET at = at + 1 WHERE number = 5"),
        ("one row removed", "DELETE FROM receipt WHERE number = 5"),
        ("tail cut", "DELETE FROM receipt WHERE number > 15"),
        ("all removed", "DELETE FROM receipt"),
        ("all removed, and a new base", "DELETE FROM receipt; UPDATE anchor SET number = 21, hash = zeroblob(32)"),
        (
            "the oldest removed, and the base moved",
            "UPDATE anchor SET number = 5, hash = (SELECT hash FROM receipt WHERE number = 5); \
             DELETE FROM receipt WHERE number <= 5",
        ),
    ];
    for (what, sql) in cases {
        let (home, key) = (tempfile::tempdir().unwrap(), key().await);
        run(home.path(), &key, 20, true).await;
        tamper(home.path(), sql).await;
        let found = found(home.path(), &key).await;
        assert!(!found.is_intact(), "{what}");
    }
}

#[tokio::test]
async fn an_entry_written_anew_without_the_key_is_reported() {
    let (home, key) = (tempfile::tempdir().unwrap(), key().await);
    run(home.path(), &key, 20, true).await;
    tamper(home.path(), "DELETE FROM receipt WHERE number > 15").await;
    // A whole new end, with right hashes of the kind that needs no key.
    let mut store = open(home.path()).await;
    store.save(&[], &events(20)).await.unwrap();
    store.close().await;
    let found = found(home.path(), &key).await;
    assert!(!found.is_intact(), "{found:?}");
}

#[tokio::test]
async fn an_older_copy_that_is_put_back_is_reported_and_stays_reported() {
    let (home, key) = (tempfile::tempdir().unwrap(), key().await);
    run(home.path(), &key, 10, true).await;
    let path = home.path().join(FILE);
    let yesterday = std::fs::read(&path).unwrap();
    run(home.path(), &key, 10, true).await;
    std::fs::write(&path, yesterday).unwrap();
    let reported = found(home.path(), &key).await;
    assert_eq!(reported.problems.len(), 1, "{reported:?}");
    assert!(reported.problems[0].starts_with("Entries 12 to 21 are missing"), "{reported:?}");
    run(home.path(), &key, 10, true).await;
    let mut store = open(home.path()).await;
    store.protect_log(key, NOW).await.unwrap();
    assert_eq!(store.log_reader().verify().await.unwrap().problems, reported.problems);
}

#[tokio::test]
async fn an_anchor_that_is_removed_changed_or_copied_is_reported() {
    let (home, key, other) = (tempfile::tempdir().unwrap(), key().await, key().await);
    run(home.path(), &key, 10, true).await;
    let anchor = home.path().join("log-anchor.json");
    let text = std::fs::read_to_string(&anchor).unwrap();
    let of_another = tempfile::tempdir().unwrap();
    run(of_another.path(), &other, 10, true).await;
    let of_another = std::fs::read_to_string(of_another.path().join("log-anchor.json")).unwrap();
    for tampered in [
        None,
        Some(text.replace("stopped", "restored")),
        Some(text.replace("\"number\":11", "\"number\":5")),
        Some("{".into()),
        Some(of_another),
    ] {
        assert_ne!(tampered.as_ref(), Some(&text));
        match &tampered {
            None => std::fs::remove_file(&anchor).unwrap(),
            Some(tampered) => std::fs::write(&anchor, tampered).unwrap(),
        }
        let copy = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(home.path()).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
        assert!(!found(copy.path(), &key).await.is_intact(), "{tampered:?}");
    }
}

#[tokio::test]
async fn after_a_power_cut_the_tail_behind_the_anchor_is_named() {
    let (home, key) = (tempfile::tempdir().unwrap(), key().await);
    run(home.path(), &key, 10, true).await;
    run(home.path(), &key, 10, false).await;
    let reported = found(home.path(), &key).await;
    assert_eq!(reported.problems, [] as [String; 0]);
    assert!(reported.remarks[0].contains("behind number 11"), "{reported:?}");
}

#[tokio::test]
async fn entries_that_somebody_without_the_key_added_stay_remarkable() {
    let (home, key) = (tempfile::tempdir().unwrap(), key().await);
    run(home.path(), &key, 10, true).await;
    // As an engine whose keychain is closed adds them, or anybody who can write the file.
    let mut store = open(home.path()).await;
    store.save(&[], &events(2)).await.unwrap();
    store.close().await;
    for _ in 0..2 {
        run(home.path(), &key, 10, true).await;
        let reported = found(home.path(), &key).await;
        assert_eq!(reported.problems, [] as [String; 0]);
        assert!(reported.remarks.iter().any(|it| it.contains("Entries 12 to 13 are without the key")), "{reported:?}");
    }
}

#[tokio::test]
async fn entries_of_older_versions_are_kept_and_the_key_starts_behind_them() {
    let (home, key) = (tempfile::tempdir().unwrap(), key().await);
    let mut store = open(home.path()).await;
    store.save(&[], &events(5)).await.unwrap();
    let unkeyed = store.log_reader().verify().await.unwrap();
    assert_eq!((unkeyed.entries, unkeyed.authenticated, unkeyed.is_intact()), (5, 0, true));
    assert!(unkeyed.remarks[0].contains("anybody who can write the file"), "{unkeyed:?}");
    store.protect_log(key.clone(), NOW).await.unwrap();
    let (entries, _) = store.log_reader().page(None, 1).await.unwrap();
    assert!(matches!(&entries[0].deed, AuditEvent::Log { what, .. } if what == "key-started"));
    store.anchor_log(AnchorState::Stopped, NOW).await.unwrap();
    store.close().await;
    // From then on the older ones cannot be changed either.
    tamper(home.path(), "UPDATE receipt SET at = at + 1 WHERE number = 2").await;
    assert!(!found(home.path(), &key).await.is_intact());
}

#[tokio::test]
async fn retention_and_size_shorten_the_log_and_nothing_counts_as_missing() {
    let (home, key) = (tempfile::tempdir().unwrap(), key().await);
    let mut store = open(home.path()).await;
    store.protect_log(key.clone(), NOW).await.unwrap();
    store.save(&[], &events(100)).await.unwrap();
    let entry = audit_log::last_over_size(&mut store.connection, 5_000, 4_000).await.unwrap().unwrap();
    assert!((50..90).contains(&entry.number), "{entry:?}");
    assert_eq!(audit_log::last_over_size(&mut store.connection, 50_000, 4_000).await.unwrap(), None);
    store.delete_audit_entries_up_to(&entry, NOW).await.unwrap();
    let kept: (i64,) =
        sqlx::query_as("SELECT SUM(LENGTH(deed) + 64) FROM receipt").fetch_one(&mut store.connection).await.unwrap();
    assert!((3_800..=4_000).contains(&kept.0), "{kept:?}");
    store.save(&[], &events(3)).await.unwrap();
    store.anchor_log(AnchorState::Stopped, NOW).await.unwrap();
    store.close().await;
    let reported = found(home.path(), &key).await;
    assert_eq!((reported.problems.as_slice(), reported.remarks.as_slice()), ([].as_slice(), [].as_slice()));
}

#[tokio::test]
async fn a_backup_that_is_restored_has_an_entry_of_its_own() {
    let (home, key) = (tempfile::tempdir().unwrap(), key().await);
    run(home.path(), &key, 10, true).await;
    let restored = tempfile::tempdir().unwrap();
    std::fs::copy(home.path().join(FILE), restored.path().join(FILE)).unwrap();
    anchor_restored(&restored.path().join(FILE), &key, NOW).await.unwrap();
    let reported = found(restored.path(), &key).await;
    assert_eq!(reported.problems, [] as [String; 0]);
    assert!(reported.remarks[0].contains("a backup was restored"), "{reported:?}");
}

#[tokio::test]
async fn a_page_is_read_without_the_rest_of_the_log() {
    let (home, key) = (tempfile::tempdir().unwrap(), key().await);
    run(home.path(), &key, 2_000, true).await;
    // What is wrong far from the page does not show on it, because it is not read.
    tamper(home.path(), "UPDATE receipt SET at = at + 1 WHERE number = 2").await;
    let mut store = open(home.path()).await;
    store.protect_log(key, NOW).await.unwrap();
    let (entries, is_intact) = store.log_reader().page(Some(1_500), 50).await.unwrap();
    assert_eq!((entries.len(), entries[0].number, is_intact), (50, 1_499, true));
    let (_, is_intact) = store.log_reader().page(Some(5), 50).await.unwrap();
    assert!(!is_intact);
}
