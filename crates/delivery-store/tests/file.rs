//! What only a file can show.

use crate::conformance::{CAPACITY, draft, peer};
use postern_delivery_store::{OpenError, SqliteDeliveryStore};
use postern_node::reliable::{DeliveryStore, Epoch, Incoming, Progress, Stamp, StoreError};
use std::fs;

#[tokio::test]
async fn everything_is_there_again_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("delivery.db");
    let [to, from] = [peer(1), peer(2)];
    let incoming = Incoming { last: 4, stamp: Stamp::from_bytes([4; 8]), begun: 5 };
    let progress = Progress { peer: from, epoch: Epoch::from_bytes([1; 16]), incoming };
    let store = SqliteDeliveryStore::open(&path).await.unwrap();
    store.append(&to, (1..=5).map(|len| vec![draft(to, len * 1_000)]).collect()).await.unwrap();
    store.acknowledge(&to, 2, Stamp::from_bytes([2; 8])).await.unwrap();
    store.commit(None, progress, vec![draft(to, 7)]).await.unwrap();
    let outgoing = store.outgoing(&to).await.unwrap();
    assert_eq!(outgoing.used.messages, 4);
    let read = store.read(&to, 2, 10, 100_000).await.unwrap();
    store.close().await;
    assert!(store.sync().await.is_err());

    let store = SqliteDeliveryStore::open(&path).await.unwrap();
    assert_eq!(store.outgoing(&to).await.unwrap(), outgoing);
    assert_eq!(store.read(&to, 2, 10, 100_000).await.unwrap(), read);
    assert_eq!(store.incoming(&from, &progress.epoch).await.unwrap(), incoming);
    assert_eq!(store.peers().await.unwrap(), [to]);
}

#[tokio::test]
async fn a_transaction_is_all_or_nothing_and_others_wait_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteDeliveryStore::open_with(directory.path().join("delivery.db"), CAPACITY).await.unwrap();
    let mut setup = store.transaction().await.unwrap();
    sqlx::query("CREATE TABLE effects (number INTEGER)").execute(setup.connection()).await.unwrap();
    setup.commit().await.unwrap();
    let to = peer(1);
    let progress =
        Progress { peer: to, epoch: Epoch::from_bytes([1; 16]), incoming: Incoming { last: 1, ..Incoming::default() } };
    for is_kept in [false, true] {
        let mut transaction = store.begin().await.unwrap();
        sqlx::query("INSERT INTO effects VALUES (1)").execute(transaction.connection()).await.unwrap();
        let waiting = tokio::spawn({
            let store = store.clone();
            async move { store.append(&to, vec![vec![draft(to, 1)]]).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        match is_kept {
            true => drop(store.commit(Some(transaction), progress, Vec::new()).await.unwrap()),
            false => drop(transaction),
        }
        waiting.await.unwrap().unwrap();
        let mut look = store.transaction().await.unwrap();
        let counted = sqlx::query_as("SELECT COUNT(*) FROM effects").fetch_one(look.connection()).await;
        let (effects,): (i64,) = counted.unwrap();
        assert_eq!(effects, i64::from(is_kept));
        drop(look);
        assert_eq!(store.incoming(&to, &progress.epoch).await.unwrap().last, u64::from(is_kept));
    }
    // Without room for a message, its effect is undone too.
    let mut transaction = store.begin().await.unwrap();
    sqlx::query("INSERT INTO effects VALUES (2)").execute(transaction.connection()).await.unwrap();
    let too_many = (0..30).map(|_| draft(to, 1)).collect();
    assert!(store.commit(Some(transaction), progress, too_many).await.is_err());
    let mut look = store.transaction().await.unwrap();
    let (effects,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM effects").fetch_one(look.connection()).await.unwrap();
    assert_eq!(effects, 1);
}

#[tokio::test]
async fn what_cannot_be_opened_is_told_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("delivery.db");
    let store = SqliteDeliveryStore::open(&path).await.unwrap();
    store.append(&peer(1), vec![vec![draft(peer(1), 1)]]).await.unwrap();
    assert!(matches!(SqliteDeliveryStore::open(&path).await.err(), Some(OpenError::InUse { .. })));
    let mut newer = store.transaction().await.unwrap();
    sqlx::query("PRAGMA user_version = 99").execute(newer.connection()).await.unwrap();
    newer.commit().await.unwrap();
    store.close().await;
    assert!(matches!(SqliteDeliveryStore::open(&path).await.err(), Some(OpenError::Newer { .. })));
    let damaged = directory.path().join("damaged.db");
    fs::write(&damaged, [9; 5_000]).unwrap();
    assert!(matches!(SqliteDeliveryStore::open(&damaged).await.err(), Some(OpenError::Damaged { .. })));
    assert_eq!(fs::read(&damaged).unwrap(), [9; 5_000]);
    let missing = SqliteDeliveryStore::open(directory.path().join("no/such")).await.err();
    assert!(matches!(missing, Some(OpenError::Failed { .. })));
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
}

/// SQLite reports a limit on its pages as it does a disk without room.
#[tokio::test]
async fn a_full_disk_is_told_and_loses_nothing() {
    async fn limit(store: &SqliteDeliveryStore, pages: u32) {
        let mut transaction = store.transaction().await.unwrap();
        let pragma = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::query(pragma).execute(transaction.connection()).await.unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteDeliveryStore::open(directory.path().join("delivery.db")).await.unwrap();
    let to = peer(1);
    store.append(&to, vec![vec![draft(to, 10_000)]; 3]).await.unwrap();
    let before = (store.outgoing(&to).await.unwrap(), store.read(&to, 0, 10, 100_000).await.unwrap());
    limit(&store, 20).await;
    let full = store.append(&to, vec![vec![draft(to, 10_000)]; 20]).await.unwrap_err();
    assert!(matches!(full, StoreError::DiskFull), "{full}");
    assert!(full.to_string().contains("free some space"), "{full}");
    let incoming = Incoming { last: 1, ..Incoming::default() };
    let progress = Progress { peer: to, epoch: Epoch::from_bytes([1; 16]), incoming };
    let transaction = store.begin().await.unwrap();
    let refused = store.commit(Some(transaction), progress, vec![draft(to, 200_000)]).await.unwrap_err();
    assert!(matches!(refused, StoreError::DiskFull), "{refused}");
    assert_eq!((store.outgoing(&to).await.unwrap(), store.read(&to, 0, 10, 100_000).await.unwrap()), before);
    assert_eq!(store.incoming(&to, &progress.epoch).await.unwrap(), Incoming::default());
    limit(&store, 1_000_000).await;
    assert_eq!(store.append(&to, vec![vec![draft(to, 10_000)]; 20]).await.unwrap().first, 4);
}

/// The file itself, and its write-ahead log, hold no body in plain text.
#[tokio::test]
async fn bodies_are_not_on_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteDeliveryStore::open(directory.path().join("delivery.db")).await.unwrap();
    let secret = b"a secret that nobody may find".repeat(4);
    let draft = postern_node::reliable::Draft::new(&crate::conformance::key(), peer(1), secret.clone().into()).unwrap();
    store.append(&peer(1), vec![vec![draft]]).await.unwrap();
    for entry in fs::read_dir(directory.path()).unwrap() {
        let content = fs::read(entry.unwrap().path()).unwrap();
        assert!(!content.windows(16).any(|window| window == &secret[..16]));
    }
}
