use super::*;
use crate::stream::settings::StreamSettings;

const EXTENT: Extent = Extent { records: 10, bytes: 1_000 };

fn quotas() -> Quotas {
    StreamSettings::default().quotas(true)
}

fn new_stream(name: &str, partitions: u64) -> NewStream {
    NewStream { name: name.into(), partitions, owner: Some(Identifier::from_bytes([1; 32])) }
}

async fn memory() -> (StreamDatabase, JoinHandle<()>) {
    StreamDatabase::open(None, quotas()).await.unwrap()
}

async fn data(database: &StreamDatabase, log: i64, from: u64) -> Vec<Vec<u8>> {
    let read = database.read(log, from, EXTENT).await.unwrap();
    read.map(|batch| batch.records.into_iter().map(|record| record.data).collect()).unwrap_or_default()
}

#[tokio::test]
async fn appends_that_wait_together_keep_their_order() {
    let (database, _) = memory().await;
    let [one, other] = database.add_stream("x", new_stream("s", 2)).await.unwrap()[..] else { panic!("two logs") };
    let mut work = Vec::new();
    for number in 0..200u8 {
        work.push((number, database.append(if number % 2 == 0 { one } else { other }, vec![vec![number]])));
    }
    for (number, work) in work {
        assert_eq!(work.await, Ok(u64::from(number / 2)));
    }
    assert_eq!(data(&database, one, 0).await, (0..10).map(|it| vec![2 * it]).collect::<Vec<_>>());
    assert_eq!(data(&database, other, 99).await, [[199]]);
    assert_eq!(database.read(one, 100, EXTENT).await, Ok(None));
}

#[tokio::test]
async fn a_batch_of_many_rows_is_whole() {
    let (database, _) = memory().await;
    let [log] = database.add_stream("x", new_stream("s", 1)).await.unwrap()[..] else { panic!("a log") };
    let records: Vec<Vec<u8>> = (0..1_000u32).map(|number| number.to_be_bytes().to_vec()).collect();
    assert_eq!(database.append(log, records.clone()).await, Ok(999));
    let all = Extent { records: 1_024, bytes: 1_000_000 };
    let batch = database.read(log, 0, all).await.unwrap().unwrap();
    assert_eq!((batch.first, batch.next), (0, 1_000));
    assert!(batch.records.iter().map(|record| &record.data).eq(&records));
    let few = database.read(log, 5, Extent { records: 1_024, bytes: 11 }).await.unwrap().unwrap();
    assert_eq!((few.records.len(), few.next), (2, 7));
}

#[tokio::test]
async fn the_catalog_and_the_end_of_an_empty_log_outlive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let (database, task) = StreamDatabase::open(Some(directory.path()), quotas()).await.unwrap();
    let [log] = database.add_stream("x", new_stream("s", 1)).await.unwrap()[..] else { panic!("a log") };
    let friend = Identifier::from_bytes([2; 32]);
    database.share("x", "s".into(), vec![friend]).await.unwrap();
    database.append(log, vec![vec![1], vec![2]]).await.unwrap();
    drop(database);
    task.await.unwrap();
    let no_days = StreamSettings { days: 0, ..StreamSettings::default() }.quotas(true);
    // Nothing is older than now, until a second has passed: the first sweep finds the records when they are.
    let (database, task) = StreamDatabase::open(Some(directory.path()), no_days).await.unwrap();
    let [entry] = &database.catalog("x").await.unwrap()[..] else { panic!("a stream") };
    assert_eq!((entry.name.as_str(), &entry.shared[..], &entry.logs[..]), ("s", &[friend][..], &[log][..]));
    assert_eq!(database.catalog("y").await.unwrap(), []);
    drop(database);
    task.await.unwrap();
    let (database, task) = StreamDatabase::open(Some(directory.path()), quotas()).await.unwrap();
    assert_eq!(database.append(log, vec![vec![3]]).await, Ok(2));
    database.delete_stream("x", "s".into()).await.unwrap();
    assert_eq!(database.catalog("x").await.unwrap(), []);
    assert!(database.append(log, vec![vec![4]]).await.is_err());
    drop(database);
    task.await.unwrap();
}

#[tokio::test]
async fn what_has_expired_is_deleted_and_the_index_goes_on() {
    let file = Database { path: None, migrations: &MIGRATIONS, content: "streams" };
    let mut connection = file.open(|options| options).await.unwrap();
    let [log] = catalog::add(&mut connection, "x", &new_stream("s", 1), Timestamp(0)).await.unwrap()[..] else {
        panic!("a log")
    };
    let mut accounts = Accounts::load(&mut connection, quotas()).await.unwrap();
    for (record, time) in [(1, 100), (2, 200), (3, 300)] {
        let append = Append { log, records: vec![vec![record]], reply: oneshot::channel().0 };
        let stored = records::append(&mut connection, &mut accounts, &append, Timestamp(time)).await.unwrap();
        assert_eq!(stored, Ok(u64::from(record) - 1));
    }
    records::expire(&mut connection, &mut accounts, Timestamp(201)).await.unwrap();
    let usage = accounts.usage(log);
    let batch = records::read(&mut connection, log, usage, 0, EXTENT).await.unwrap().unwrap();
    assert_eq!((batch.first, batch.next, batch.records.len()), (2, 2, 0));
    records::expire(&mut connection, &mut accounts, Timestamp(301)).await.unwrap();
    // The same from the file.
    let accounts = Accounts::load(&mut connection, quotas()).await.unwrap();
    let batch = records::read(&mut connection, log, accounts.usage(log), 0, EXTENT).await.unwrap().unwrap();
    assert_eq!((batch.first, batch.next), (3, 3));
}

#[tokio::test]
async fn places_are_kept_and_the_oldest_of_an_identity_make_room() {
    let (database, _) = memory().await;
    let place = |client: u32| Place {
        identity: Some(Identifier::from_bytes([1; 32])),
        client: client.to_string(),
        stream: "s".into(),
        partition: None,
    };
    for client in 0..1_100 {
        database.save_place(place(client), u64::from(client)).unwrap();
        if client % 500 == 0 {
            // So that the queue of commands is never full.
            assert_eq!(database.place(place(client)).await, Ok(Some(u64::from(client))));
        }
    }
    let look = async || {
        let mut kept = 0;
        for client in 0..1_100 {
            kept += u32::from(database.place(place(client)).await.unwrap().is_some());
        }
        (kept == 1_024).then_some(())
    };
    postern_testkit::eventually_async("the last places to be written", postern_testkit::TIMEOUT, look).await;
    assert_eq!(database.place(Place { identity: None, ..place(1) }).await, Ok(None));
}
