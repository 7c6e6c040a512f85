use super::*;

const NOW: Timestamp = Timestamp(1_700_000_000);
const CAPACITY: Capacity = Capacity {
    messages: 10,
    bytes: 1000,
    messages_per_recipient: 4,
    bytes_per_recipient: 300,
    messages_per_depositor: 3,
    expiry: Duration::from_secs(100),
    recipient_expiry: Duration::from_secs(1_000_000),
    recipients: 9,
};

fn who(byte: u8) -> Identifier {
    Identifier::from_bytes([byte; 32])
}

async fn memory() -> Store {
    let mut store = Store::open(None, CAPACITY).await.unwrap();
    subscribe_all(&mut store).await;
    store
}

/// Lets messages be kept for 1 to 8.
async fn subscribe_all(store: &mut Store) {
    for number in 1..=8 {
        assert!(store.subscribe(&who(number), NOW).await.unwrap());
    }
}

async fn deposit(store: &mut Store, from: u8, to: u8, sealed: &[u8]) -> Result<bool, Outcome> {
    deposit_from(store, (from, 0), to, sealed).await
}

/// From an identity at a source address.
async fn deposit_from(store: &mut Store, from: (u8, u8), to: u8, sealed: &[u8]) -> Result<bool, Outcome> {
    let depositor = Depositor { identifier: who(from.0), source: SourceId([from.1; 8]) };
    match store.deposit(&depositor, &who(to), sealed, NOW).await.unwrap() {
        Deposited::New => Ok(true),
        Deposited::Duplicate => Ok(false),
        Deposited::Refused(outcome) => Err(outcome),
    }
}

async fn sealed(store: &mut Store, to: u8, now: Timestamp) -> Vec<Vec<u8>> {
    let waiting = store.waiting(&who(to), 0, 32, now).await.unwrap();
    waiting.into_iter().map(|waiting| waiting.mail.sealed).collect()
}

#[tokio::test]
async fn everybody_gets_their_own_in_order_until_it_is_acknowledged() {
    let mut store = memory().await;
    for (to, text) in [(1, "a"), (2, "b"), (1, "c")] {
        assert_eq!(deposit(&mut store, 9, to, text.as_bytes()).await, Ok(true));
    }
    assert_eq!(sealed(&mut store, 1, NOW).await, [b"a", b"c"]);
    assert_eq!(store.totals(), (3, 3));
    // Twice the same is once.
    assert_eq!(deposit(&mut store, 9, 1, b"a").await, Ok(false));
    assert_eq!(store.totals(), (3, 3));
    // Somebody else's is not there.
    assert!(!store.acknowledge(&who(2), MailId::of(b"a")).await.unwrap());
    assert!(store.acknowledge(&who(1), MailId::of(b"a")).await.unwrap());
    assert!(!store.acknowledge(&who(1), MailId::of(b"a")).await.unwrap());
    assert_eq!(sealed(&mut store, 1, NOW).await, [b"c"]);
    assert_eq!(sealed(&mut store, 2, NOW).await, [b"b"]);
    assert_eq!(store.totals(), (2, 2));
}

#[tokio::test]
async fn a_window_slides_as_the_oldest_are_acknowledged() {
    let mut store = memory().await;
    for (from, text) in [(8, "a"), (8, "b"), (9, "c"), (9, "d")] {
        deposit(&mut store, from, 1, text.as_bytes()).await.unwrap();
    }
    let first = store.waiting(&who(1), 0, 2, NOW).await.unwrap();
    assert_eq!(first.iter().map(|it| &it.mail.sealed[..]).collect::<Vec<_>>(), [b"a", b"b"]);
    let last = first[1].row;
    assert!(store.waiting(&who(1), last, 2, NOW).await.unwrap().is_empty());
    store.acknowledge(&who(1), MailId::of(b"a")).await.unwrap();
    let next = store.waiting(&who(1), last, 2, NOW).await.unwrap();
    assert_eq!(next.iter().map(|it| &it.mail.sealed[..]).collect::<Vec<_>>(), [b"c"]);
}

#[tokio::test]
async fn no_more_waits_than_may() {
    let mut store = memory().await;
    for text in ["a", "b", "c"] {
        deposit(&mut store, 9, 1, text.as_bytes()).await.unwrap();
    }
    assert_eq!(deposit(&mut store, 9, 1, b"d").await, Err(Outcome::RateLimited));
    assert_eq!(deposit(&mut store, 8, 1, b"d").await, Ok(true));
    assert_eq!(deposit(&mut store, 8, 1, b"e").await, Err(Outcome::MailboxFull));
    assert_eq!(deposit(&mut store, 8, 2, &[7; 301]).await, Err(Outcome::MailboxFull));
    for to in 2..8 {
        assert_eq!(deposit(&mut store, 9, to, &[to; 150]).await, Ok(true));
    }
    assert_eq!(deposit(&mut store, 9, 8, b"f").await, Err(Outcome::HubFull));
    store.acknowledge(&who(2), MailId::of(&[2; 150])).await.unwrap();
    assert_eq!(deposit(&mut store, 9, 8, &[8; 300]).await, Err(Outcome::HubFull));
    assert_eq!(deposit(&mut store, 9, 8, b"f").await, Ok(true));
}

/// Identities cost nothing: a stranger with 256 of them, and recipients that nobody is, must not fill the hub.
#[tokio::test]
async fn nothing_is_kept_for_who_was_never_here_or_not_for_long() {
    let mut store = memory().await;
    assert_eq!(deposit(&mut store, 9, 77, b"a").await, Err(Outcome::UnknownRecipient));
    assert!(store.subscribe(&who(77), NOW).await.unwrap());
    assert_eq!(deposit(&mut store, 9, 77, b"a").await, Ok(true));
    // No more are remembered than may be, and those who are have precedence.
    assert!(!store.subscribe(&who(78), NOW).await.unwrap());
    let late = Timestamp(NOW.0 + 999_999);
    assert!(store.subscribe(&who(1), late).await.unwrap());
    store.expire(Timestamp(NOW.0 + 1_000_000)).await.unwrap();
    let mut known = Vec::new();
    for number in [1, 2, 77] {
        known.push(store.is_known(&who(number)).await.unwrap());
    }
    assert_eq!(known, [true, false, false]);
}

#[tokio::test]
async fn wherever_most_comes_from_makes_room_for_others() {
    let mut store = memory().await;
    // Each of these identities stays below what one may leave; together they fill the hub.
    for number in 0..10u8 {
        assert_eq!(deposit_from(&mut store, (100 + number, 1), 1 + number % 5, &[number; 100]).await, Ok(true));
    }
    assert_eq!(deposit_from(&mut store, (120, 1), 6, b"more").await, Err(Outcome::HubFull));
    assert_eq!(deposit_from(&mut store, (9, 2), 6, b"friend").await, Ok(true));
    assert_eq!(deposit_from(&mut store, (9, 2), 6, &[9; 100]).await, Ok(true));
    assert_eq!(sealed(&mut store, 6, NOW).await, [b"friend".to_vec(), vec![9; 100]]);
    // Its oldest are gone, and nobody else's.
    assert_eq!(store.totals().0, 10);
    assert_eq!(sealed(&mut store, 1, NOW).await, [vec![5; 100]]);
    assert_eq!(sealed(&mut store, 5, NOW).await, [vec![4; 100], vec![9; 100]]);
}

#[tokio::test]
async fn a_mailbox_that_one_source_filled_has_room_for_others() {
    let mut store = memory().await;
    for number in 0..4u8 {
        assert_eq!(deposit_from(&mut store, (100 + number, 1), 1, &[number]).await, Ok(true));
    }
    assert_eq!(deposit_from(&mut store, (104, 1), 1, &[4]).await, Err(Outcome::MailboxFull));
    assert_eq!(deposit_from(&mut store, (9, 2), 1, b"friend").await, Ok(true));
    assert_eq!(sealed(&mut store, 1, NOW).await, [&[1][..], &[2], &[3], b"friend"]);
}

/// As the hub before this wrote it: nobody who has mail loses their mailbox, and the mail stays.
#[tokio::test]
async fn an_older_file_is_opened_and_those_with_mail_are_recipients() {
    let data = tempfile::tempdir().unwrap();
    let file = Database { path: Some(data.path().join(FILE)), migrations: &MIGRATIONS[..1], content: "mailboxes" };
    let mut older = file.open(|options| options).await.unwrap();
    sqlx::query(
        "INSERT INTO mail (recipient, digest, depositor, deposited, expires, sealed) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(&who(50).as_bytes()[..])
    .bind(&MailId::of(b"old").as_bytes()[..])
    .bind(&who(9).as_bytes()[..])
    .bind(NOW.0 as i64)
    .bind(NOW.0 as i64 + 100)
    .bind(&b"old"[..])
    .execute(&mut older)
    .await
    .unwrap();
    older.close().await.unwrap();
    let mut store = Store::open(Some(data.path()), CAPACITY).await.unwrap();
    assert_eq!(store.totals(), (1, 3));
    assert_eq!(sealed(&mut store, 50, NOW).await, [b"old"]);
    assert_eq!(deposit(&mut store, 9, 50, b"new").await, Ok(true));
    assert_eq!(deposit(&mut store, 9, 51, b"new").await, Err(Outcome::UnknownRecipient));
}

#[tokio::test]
async fn what_is_too_old_is_neither_given_nor_kept() {
    let mut store = memory().await;
    deposit(&mut store, 9, 1, b"a").await.unwrap();
    let (almost, over) = (Timestamp(NOW.0 + 99), Timestamp(NOW.0 + 100));
    assert_eq!(sealed(&mut store, 1, almost).await, [b"a"]);
    assert!(sealed(&mut store, 1, over).await.is_empty());
    assert_eq!(store.expire(almost).await.unwrap(), 0);
    assert_eq!(store.expire(over).await.unwrap(), 1);
    assert_eq!(store.totals(), (0, 0));
}

#[tokio::test]
async fn a_file_is_opened_again_by_one_hub_at_a_time() {
    let data = tempfile::tempdir().unwrap();
    let mut store = Store::open(Some(data.path()), CAPACITY).await.unwrap();
    subscribe_all(&mut store).await;
    deposit(&mut store, 9, 1, b"a").await.unwrap();
    let refused = Store::open(Some(data.path()), CAPACITY).await.map(drop).unwrap_err().to_string();
    assert!(refused.contains("another hub"), "{refused}");
    store.close().await;
    let mut store = Store::open(Some(data.path()), CAPACITY).await.unwrap();
    assert_eq!(sealed(&mut store, 1, NOW).await, [b"a"]);
    assert_eq!(store.totals(), (1, 1));
    // A hub that is killed closes nothing.
    deposit(&mut store, 9, 1, b"b").await.unwrap();
    drop(store);
    let path = data.path().join(FILE);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_newer_or_damaged_file_is_refused_and_left_as_it_is() {
    let data = tempfile::tempdir().unwrap();
    let mut store = Store::open(Some(data.path()), CAPACITY).await.unwrap();
    sqlx::raw_sql("PRAGMA user_version = 7").execute(&mut store.connection).await.unwrap();
    store.close().await;
    let path = data.path().join(FILE);
    let newer = std::fs::read(&path).unwrap();
    let refused = Store::open(Some(data.path()), CAPACITY).await.map(drop).unwrap_err().to_string();
    assert!(refused.contains("newer") && refused.contains(FILE), "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), newer);

    std::fs::write(&path, vec![7; 8192]).unwrap();
    let refused = Store::open(Some(data.path()), CAPACITY).await.map(drop).unwrap_err().to_string();
    assert!(refused.contains("damaged"), "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), vec![7; 8192]);
}
