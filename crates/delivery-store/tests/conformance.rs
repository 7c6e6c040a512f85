//! What every store must do.

use bytes::Bytes;
use postern_delivery_store::SqliteDeliveryStore;
use postern_node::identity::Identifier;
use postern_node::reliable::{
    DeliveryStore, Draft, EPOCHS_MAX, Epoch, Incoming, MemoryDeliveryStore, Outgoing, Progress, Stamp, StorageKey,
    StoreError, Usage,
};
use zeroize::Zeroizing;

pub(crate) const CAPACITY: Usage = Usage { messages: 20, bytes: 10_000 };

pub(crate) fn key() -> StorageKey {
    StorageKey::from_bytes(&Zeroizing::new([7; 32]))
}

pub(crate) fn peer(number: u8) -> Identifier {
    Identifier::from_bytes([number; 32])
}

pub(crate) fn draft(to: Identifier, len: usize) -> Draft {
    Draft::new(&key(), to, Bytes::from(vec![1; len])).unwrap()
}

fn drafts(to: Identifier, count: usize) -> Vec<Vec<Draft>> {
    (0..count).map(|_| vec![draft(to, 10)]).collect()
}

fn progress(from: Identifier, epoch: u8, last: u64) -> Progress {
    let incoming = Incoming { last, stamp: Stamp::from_bytes([last as u8; 8]), begun: last + 1 };
    Progress { peer: from, epoch: Epoch::from_bytes([epoch; 16]), incoming }
}

#[tokio::test]
async fn in_memory() {
    conforms(&MemoryDeliveryStore::with_capacity(CAPACITY)).await;
}

#[tokio::test]
async fn in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("delivery.db");
    conforms(&SqliteDeliveryStore::open_with(path, CAPACITY).await.unwrap()).await;
}

async fn conforms(store: &impl DeliveryStore) {
    messages_are_kept_until_they_are_acknowledged(store).await;
    what_finds_no_room_changes_nothing(store).await;
    a_new_epoch_begins_at_one(store).await;
    progress_is_kept_for_each_epoch(store).await;
    progress_and_messages_are_one(store).await;
}

async fn messages_are_kept_until_they_are_acknowledged(store: &impl DeliveryStore) {
    let [to, other] = [peer(1), peer(2)];
    assert_eq!(store.peers().await.unwrap(), []);
    let begun = store.outgoing(&to).await.unwrap();
    assert_eq!(begun, Outgoing::new(begun.epoch));
    assert_ne!(begun.epoch, store.outgoing(&other).await.unwrap().epoch);
    let groups = drafts(to, 5);
    let stamps: Vec<Stamp> = groups.iter().flatten().map(Draft::stamp).collect();
    let appended = store.append(&to, groups).await.unwrap();
    assert_eq!((appended.first, appended.count, appended.used.messages), (1, 5, 5));
    assert_eq!(store.append(&to, drafts(to, 1)).await.unwrap().first, 6);
    assert_eq!(store.append(&other, drafts(other, 1)).await.unwrap().first, 1);
    let mut waiting = store.peers().await.unwrap();
    waiting.sort();
    assert_eq!(waiting, [to, other]);

    let read = store.read(&to, 2, 2, 10_000).await.unwrap();
    assert_eq!(read.iter().map(|it| (it.sequence, it.stamp)).collect::<Vec<_>>(), [(3, stamps[2]), (4, stamps[3])]);
    assert_eq!(store.read(&to, 2, 10, 1).await.unwrap().len(), 1);
    assert_eq!(store.read(&to, 2, 10, 2 * read[0].sealed.len()).await.unwrap().len(), 2);
    assert_eq!(store.read(&to, 6, 10, 10_000).await.unwrap(), []);
    assert_eq!(store.stamp(&to, 5).await.unwrap(), Some(stamps[4]));

    let used = store.acknowledge(&to, 4, stamps[3]).await.unwrap();
    assert_eq!((used.messages, used.bytes), (2, 2 * read[0].sealed.len() as u64));
    assert_eq!(store.stamp(&to, 4).await.unwrap(), None);
    assert_eq!(store.read(&to, 4, 10, 10_000).await.unwrap().first().map(|it| it.sequence), Some(5));
    let now = store.outgoing(&to).await.unwrap();
    let expected = Outgoing { next: 7, acknowledged: 4, acknowledged_stamp: stamps[3], used, ..begun };
    assert_eq!(now, expected);
    // With all gone the numbers go on.
    store.acknowledge(&to, 6, stamps[3]).await.unwrap();
    assert_eq!(store.append(&to, drafts(to, 1)).await.unwrap().first, 7);
    assert_eq!(store.peers().await.unwrap().len(), 2);
}

async fn what_finds_no_room_changes_nothing(store: &impl DeliveryStore) {
    let to = peer(3);
    let many = vec![drafts(to, 8).concat(), drafts(to, 8).concat(), drafts(to, 8).concat(), drafts(to, 1).concat()];
    let appended = store.append(&to, many).await.unwrap();
    assert_eq!((appended.first, appended.count), (1, 16));
    let full = store.append(&to, vec![drafts(to, 5).concat()]).await.unwrap_err();
    assert!(matches!(full, StoreError::Full { used: Usage { messages: 16, .. }, capacity: CAPACITY }), "{full}");
    assert!(store.append(&to, vec![vec![draft(to, 10_001)]]).await.is_err());
    let before = store.incoming(&to, &Epoch::from_bytes([1; 16])).await.unwrap();
    let refused = store.commit(None, progress(to, 1, 9), drafts(to, 5).concat()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Full { .. }));
    assert_eq!(store.incoming(&to, &Epoch::from_bytes([1; 16])).await.unwrap(), before);
    assert_eq!(store.append(&to, drafts(to, 4)).await.unwrap().count, 4);
    store.acknowledge(&to, 20, Stamp::default()).await.unwrap();
    assert_eq!(store.append(&to, drafts(to, 1)).await.unwrap().first, 21);
}

async fn a_new_epoch_begins_at_one(store: &impl DeliveryStore) {
    let to = peer(4);
    store.append(&to, drafts(to, 5)).await.unwrap();
    store.acknowledge(&to, 2, Stamp::from_bytes([2; 8])).await.unwrap();
    let before = store.outgoing(&to).await.unwrap();
    let after = store.new_epoch(&to).await.unwrap();
    assert_eq!(after, before.in_epoch(after.epoch));
    assert_eq!((after.base, after.next, after.acknowledged_stamp), (2, 6, Stamp::default()));
    assert_ne!(after.epoch, before.epoch);
    assert_eq!(store.outgoing(&to).await.unwrap(), after);
    assert_eq!(store.read(&to, 2, 10, 10_000).await.unwrap().len(), 3);
}

async fn progress_is_kept_for_each_epoch(store: &impl DeliveryStore) {
    let from = peer(5);
    let epoch = |number: u8| Epoch::from_bytes([number; 16]);
    assert_eq!(store.incoming(&from, &epoch(1)).await.unwrap(), Incoming::default());
    for (number, last) in [(1, 3), (2, 1), (1, 4)] {
        store.commit(None, progress(from, number, last), Vec::new()).await.unwrap();
    }
    assert_eq!(store.incoming(&from, &epoch(1)).await.unwrap(), progress(from, 1, 4).incoming);
    assert_eq!(store.incoming(&from, &epoch(2)).await.unwrap(), progress(from, 2, 1).incoming);
    assert_eq!(store.incoming(&peer(6), &epoch(1)).await.unwrap(), Incoming::default());
    // Writes may be executed in another order than they were begun: progress never goes back.
    store.commit(None, progress(from, 1, 2), Vec::new()).await.unwrap();
    assert_eq!(store.incoming(&from, &epoch(1)).await.unwrap(), progress(from, 1, 4).incoming);
    let announced = Incoming { begun: 9, ..progress(from, 1, 4).incoming };
    for begun in [9, 7] {
        let write = Progress { incoming: Incoming { begun, ..announced }, ..progress(from, 1, 4) };
        store.commit(None, write, Vec::new()).await.unwrap();
        assert_eq!(store.incoming(&from, &epoch(1)).await.unwrap(), announced);
    }
    for number in 3..=EPOCHS_MAX as u8 + 1 {
        store.commit(None, progress(from, number, 1), Vec::new()).await.unwrap();
    }
    assert_eq!(store.incoming(&from, &epoch(1)).await.unwrap(), Incoming::default());
    assert_eq!(store.incoming(&from, &epoch(2)).await.unwrap(), progress(from, 2, 1).incoming);
    store.sync().await.unwrap();
}

async fn progress_and_messages_are_one(store: &impl DeliveryStore) {
    let [from, to] = [peer(7), peer(8)];
    let transaction = store.begin().await.unwrap();
    drop(transaction);
    let transaction = store.begin().await.unwrap();
    let sequences = store.commit(Some(transaction), progress(from, 1, 1), drafts(to, 2).concat()).await.unwrap();
    assert_eq!(sequences, [1, 2]);
    assert_eq!(store.outgoing(&to).await.unwrap().next, 3);
    assert_eq!(store.incoming(&from, &Epoch::from_bytes([1; 16])).await.unwrap().last, 1);
}
