use super::*;
use crate::api::{InvitationId, SentState, ServiceId, ServiceKind, Terms};
use crate::core::{Invitation, Profile, RecordKey, Service, TicketSecret};
use postern_node::identity::{Identity, Timestamp};
use postern_node::sealed::PostalKey;
use postern_node::vault::{MemoryStore, MemoryVault};
use std::sync::Arc;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn service(number: u8) -> Service {
    Service {
        id: ServiceId([number; 16]),
        name: format!("Übung {number}"),
        kind: ServiceKind::Http,
        target: "localhost:3000".into(),
        path: None,
        description: None,
        on: true,
        created: NOW,
        health_check: true,
    }
}

fn event(what: &str) -> AuditEvent {
    AuditEvent::Service { service: "wiki".into(), what: what.into() }
}

async fn page(path: &Path, before: Option<u64>, limit: u32) -> Result<(Vec<crate::api::AuditEntry>, bool), StoreError> {
    audit_log::Reader { path: path.to_owned(), key: None, is_doubtful: false }.page(before, limit).await
}

async fn open(home: &Path) -> OpenedStore {
    Store::open(home, NOW).await.unwrap()
}

#[tokio::test]
async fn what_was_saved_is_there_again() {
    let home = tempfile::tempdir().unwrap();
    let mut opened = open(home.path()).await;
    assert!(opened.records.is_empty() && opened.damage.is_none());
    let mut changed = service(1);
    let first = [Change::Put(Record::Service(service(1))), Change::Put(Record::Service(service(2)))];
    opened.store.save(&first, &[]).await.unwrap();
    changed.name = "renamed".into();
    let profile = Record::Profile(Profile {
        identity: None,
        name: "Ann".into(),
        hubs: vec!["hub:4000".into()],
        hub_pins: Default::default(),
        owner_labels: [("ann".to_owned(), postern_node::identity::Identifier::from_bytes([3; 32]))].into(),
        this_computer: true,
        paused: false,
        retention_days: 30,
        web_links: None,
    });
    let then = [
        Change::Put(Record::Service(changed.clone())),
        Change::Put(profile.clone()),
        Change::Delete(RecordKey::Service(ServiceId([2; 16]))),
    ];
    opened.store.save(&then, &[]).await.unwrap();
    // Not closed: a crash looks like this.
    drop(opened);
    assert_eq!(open(home.path()).await.records, [profile, Record::Service(changed)]);
}

#[tokio::test]
async fn a_transaction_that_did_not_end_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut opened = open(home.path()).await;
    opened.store.save(&[Change::Put(Record::Service(service(1)))], &[]).await.unwrap();
    let mut transaction = opened.store.connection.begin().await.unwrap();
    records::apply(&mut transaction, None, &Change::Delete(RecordKey::Service(ServiceId([1; 16])))).await.unwrap();
    // The files as a crash at this instant leaves them.
    let crashed = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(home.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), crashed.path().join(file.file_name())).unwrap();
    }
    drop(transaction);
    assert_eq!(open(crashed.path()).await.records, [Record::Service(service(1))]);
}

#[tokio::test]
async fn audit_entries_are_chained_and_read_newest_first() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join(FILE);
    let mut store = open(home.path()).await.store;
    store.save(&[], &[(NOW, event("shared")), (NOW.plus(1), event("paused"))]).await.unwrap();
    drop(store);
    let mut store = open(home.path()).await.store;
    store.save(&[], &[(NOW.plus(2), event("closed"))]).await.unwrap();

    let (receipts, intact) = page(&path, None, 2).await.unwrap();
    assert!(intact);
    let seen: Vec<_> = receipts.iter().map(|it| (it.number, it.deed.clone())).collect();
    assert_eq!(seen, [(3, event("closed")), (2, event("paused"))]);
    let (receipts, _) = page(&path, Some(2), 10).await.unwrap();
    assert_eq!(receipts.len(), 1);
    assert_eq!(receipts[0].hash, "007e185bdfd7bd5a633ed205558830de5fc981c6670a7ca0ede5308b0aa7f942");
}

#[tokio::test]
async fn a_changed_or_missing_audit_entry_is_noticed() {
    for tampering in [
        "UPDATE receipt SET deed = replace(deed, 'wiki', 'mail') WHERE number = 2",
        "UPDATE receipt SET at = at + 1 WHERE number = 1",
        "DELETE FROM receipt WHERE number = 1",
        "DELETE FROM receipt WHERE number = 2",
    ] {
        let home = tempfile::tempdir().unwrap();
        let mut store = open(home.path()).await.store;
        store.save(&[], &["a", "b", "c"].map(|what| (NOW, event(what)))).await.unwrap();
        sqlx::raw_sql(tampering).execute(&mut store.connection).await.unwrap();
        let (_, intact) = page(&home.path().join(FILE), None, 10).await.unwrap();
        assert!(!intact, "{tampering}");
    }
}

#[tokio::test]
async fn retention_removes_the_oldest_in_a_row_and_the_chain_holds() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join(FILE);
    let mut store = open(home.path()).await.store;
    // The third was written while the clock was wrong: it protects what follows it.
    let times = [0, 10, 5_000, 20, 6_000];
    store.save(&[], &times.map(|after| (NOW.plus(after), event("x")))).await.unwrap();
    store.delete_audit_entries_before(NOW.plus(1_000), NOW).await.unwrap();
    store.delete_audit_entries_before(NOW.plus(1_000), NOW).await.unwrap();
    let numbers = |receipts: Vec<crate::api::AuditEntry>| receipts.iter().map(|it| it.number).collect::<Vec<_>>();
    let (receipts, intact) = page(&path, None, 10).await.unwrap();
    assert_eq!((numbers(receipts), intact), (vec![5, 4, 3], true));
    store.delete_audit_entries_before(NOW.plus(10_000), NOW).await.unwrap();
    drop(store);
    let mut store = open(home.path()).await.store;
    store.save(&[], &[(NOW, event("y"))]).await.unwrap();
    let (receipts, intact) = page(&path, None, 10).await.unwrap();
    assert_eq!((numbers(receipts), intact), (vec![6], true));
}

#[tokio::test]
async fn a_newer_file_is_refused_and_left_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let mut store = open(home.path()).await.store;
    sqlx::raw_sql("PRAGMA user_version = 99").execute(&mut store.connection).await.unwrap();
    store.close().await;
    let before = std::fs::read(home.path().join(FILE)).unwrap();
    let fault = Store::open(home.path(), NOW).await.err().unwrap();
    assert_eq!(fault.code, Code::NewerData);
    assert!(fault.message.contains("newer version of Postern"), "{fault}");
    assert_eq!(std::fs::read(home.path().join(FILE)).unwrap(), before);
}

#[tokio::test]
async fn a_damaged_file_is_kept_under_another_name() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join(FILE);
    let mut store = open(home.path()).await.store;
    for number in 0..100 {
        store.save(&[Change::Put(Record::Service(service(number)))], &[(NOW, event("shared"))]).await.unwrap();
    }
    store.close().await;
    let whole = std::fs::read(&path).unwrap();
    let mut torn = whole.clone();
    torn[4096..12_288].fill(0x5a);
    for damaged in [b"this is no database, and was never one".repeat(200), torn, whole[..whole.len() / 2].to_vec()] {
        std::fs::write(&path, &damaged).unwrap();
        let opened = open(home.path()).await;
        assert!(opened.records.is_empty());
        let fault = opened.damage.unwrap();
        assert_eq!(fault.code, Code::DamagedData);
        opened.store.close().await;
        let kept = std::fs::read_dir(home.path()).unwrap().filter(|file| {
            let file = file.as_ref().unwrap();
            file.file_name().to_string_lossy().contains(".damaged-17") && std::fs::read(file.path()).unwrap() == damaged
        });
        assert_eq!(kept.count(), 1, "{fault}");
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_decoded_is_left_and_reported() {
    let home = tempfile::tempdir().unwrap();
    let mut store = open(home.path()).await.store;
    store.save(&[Change::Put(Record::Service(service(1)))], &[]).await.unwrap();
    let odd = "INSERT INTO record (kind, id, body) VALUES ('dream', 'x', '{}')";
    sqlx::raw_sql(odd).execute(&mut store.connection).await.unwrap();
    drop(store);
    for _ in 0..2 {
        let opened = open(home.path()).await;
        assert_eq!(opened.records.len(), 1);
        assert_eq!(opened.damage.unwrap().code, Code::DamagedData);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_reads_it() {
    use std::os::unix::fs::PermissionsExt;

    let home = tempfile::tempdir().unwrap();
    let mut store = open(home.path()).await.store;
    store.save(&[Change::Put(Record::Service(service(1)))], &[]).await.unwrap();
    for file in std::fs::read_dir(home.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.file_name());
    }
}

/// The key of somebody new.
async fn key() -> SelfSealingKey {
    let now = Timestamp(1_700_000_000);
    let identity = Identity::create(Arc::new(MemoryVault::in_memory()), now).await.unwrap();
    PostalKey::open(&identity, &MemoryStore::default(), now).await.unwrap().self_sealing_key(b"tests").unwrap()
}

fn invitation(number: u8, secret: Option<[u8; 32]>) -> Invitation {
    Invitation {
        id: InvitationId([number; 16]),
        service: ServiceId([1; 16]),
        secret: secret.map(TicketSecret::new),
        person: None,
        note: None,
        knocker: None,
        ask_first: false,
        allowed: false,
        terms: Terms::default(),
        state: SentState::Created,
        created: NOW,
        expires: NOW,
        web: None,
    }
}

/// Whether any file of a directory holds a secret, in any form it ever had.
fn is_stored_in_plaintext(home: &Path, secret: [u8; 32]) -> bool {
    let holds = |bytes: &[u8], piece: &[u8]| bytes.windows(piece.len()).any(|it| it == piece);
    std::fs::read_dir(home).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        holds(&bytes, &secret) || holds(&bytes, hex::encode(secret).as_bytes())
    })
}

#[tokio::test]
async fn secrets_are_stored_encrypted_and_only_their_key_decrypts_them() {
    let home = tempfile::tempdir().unwrap();
    let key = key().await;
    let (one, two) = ([0xa1; 32], [0xb2; 32]);
    let id = |number: u8| RecordKey::Invitation(InvitationId([number; 16]));
    let mut store = open(home.path()).await.store;
    let put = |number, secret| [Change::Put(Record::Invitation(invitation(number, secret)))];
    assert!(matches!(store.save(&put(1, Some(one)), &[]).await, Err(StoreError::NoKey)));
    assert_eq!(store.unlock(key.clone()).await.unwrap(), []);
    store.save(&put(1, Some(one)), &[]).await.unwrap();
    store.save(&put(2, Some(two)), &[]).await.unwrap();
    assert!(!is_stored_in_plaintext(home.path(), one) && !is_stored_in_plaintext(home.path(), two));
    drop(store);

    // Without the key nothing is known, and nothing is lost by writing.
    let opened = open(home.path()).await;
    assert_eq!(opened.records, [1, 2].map(|it| Record::Invitation(invitation(it, None))));
    let mut store = opened.store;
    store.save(&put(1, None), &[]).await.unwrap();
    assert_eq!(store.unlock(self::key().await).await.unwrap(), [], "of somebody else");
    let secrets = store.unlock(key.clone()).await.unwrap();
    assert_eq!(secrets, [(id(1), TicketSecret::new(one)), (id(2), TicketSecret::new(two))]);

    // Nor does one open in the place of another.
    let swap = "UPDATE record SET secret = (SELECT secret FROM record WHERE id LIKE '01%') WHERE id LIKE '02%'";
    sqlx::raw_sql(swap).execute(&mut store.connection).await.unwrap();
    assert_eq!(store.unlock(key).await.unwrap(), [(id(1), TicketSecret::new(one))]);
}

#[tokio::test]
async fn secrets_in_plaintext_are_encrypted_and_wiped() {
    let home = tempfile::tempdir().unwrap();
    let secret = [0xc3; 32];
    let path = home.path().join(FILE);
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal);
    let mut old = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(MIGRATIONS[0]).execute(&mut old).await.unwrap();
    sqlx::raw_sql("PRAGMA user_version = 1").execute(&mut old).await.unwrap();
    let mut body = serde_json::to_value(invitation(1, None)).unwrap();
    body["secret"] = hex::encode(secret).into();
    for kind in ["invitation", "received"] {
        let insert = sqlx::query("INSERT INTO record VALUES (?, ?, ?)").bind(kind).bind("01".repeat(16));
        insert.bind(body.to_string()).execute(&mut old).await.unwrap();
    }
    sqlx::raw_sql("DELETE FROM record WHERE kind = 'received'").execute(&mut old).await.unwrap();
    old.close().await.unwrap();
    assert!(is_stored_in_plaintext(home.path(), secret));

    let opened = open(home.path()).await;
    assert_eq!(opened.records, [Record::Invitation(invitation(1, None))]);
    let mut store = opened.store;
    // It may change before the key is there.
    let changed = Invitation { state: SentState::Expired, ..invitation(1, None) };
    store.save(&[Change::Put(Record::Invitation(changed))], &[]).await.unwrap();
    let key = key().await;
    let secrets = store.unlock(key.clone()).await.unwrap();
    assert_eq!(secrets, [(RecordKey::Invitation(InvitationId([1; 16])), TicketSecret::new(secret))]);
    assert!(!is_stored_in_plaintext(home.path(), secret));
    drop(store);
    assert_eq!(open(home.path()).await.store.unlock(key).await.unwrap(), secrets);
}

/// Lets the database grow by so many pages; the file system is not asked.
async fn limit_growth(store: &mut Store, more: i64) {
    let (pages,): (i64,) = sqlx::query_as("PRAGMA page_count").fetch_one(&mut store.connection).await.unwrap();
    let limit = AssertSqlSafe(format!("PRAGMA max_page_count = {}", pages + more));
    sqlx::raw_sql(limit).execute(&mut store.connection).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_no_damage_and_passes() {
    let home = tempfile::tempdir().unwrap();
    let mut store = open(home.path()).await.store;
    store.save(&[], &[(NOW, event("shared"))]).await.unwrap();
    limit_growth(&mut store, 0).await;
    let large = Service { description: Some("x".repeat(100_000)), ..service(1) };
    let changes = [Change::Put(Record::Service(large))];
    for _ in 0..2 {
        let error = store.save(&changes, &[(NOW, event("changed"))]).await.unwrap_err();
        assert!(error.may_pass(), "{error}");
        assert_eq!(error.write_fault(home.path()).code, Code::Storage);
    }
    let error = store.save(&changes, &[]).await.unwrap_err();
    assert!(error.may_pass(), "{error}");
    // There is room again: a new connection has no limit.
    store.reconnect().await.unwrap();
    store.save(&changes, &[(NOW, event("changed"))]).await.unwrap();
    store.close().await;
    let opened = open(home.path()).await;
    assert_eq!(opened.records.len(), 1);
    let (entries, intact) = page(&home.path().join(FILE), None, 10).await.unwrap();
    assert!(intact && entries.len() == 2, "{entries:?}");
}
