//! Streams through a real hub, in memory and in SQLite.

use postern_hub::{Hub, HubConfig};
use postern_node::Route;
use postern_node::stream::{Cursor, Record, Status, StreamReply};
use postern_testkit::streams::{self, Services, StreamClient};
use std::path::Path;

async fn hub(data: Option<&Path>, more: &str) -> (Hub, Services) {
    let data = data.map(|data| format!("data = '{}'\n", data.display())).unwrap_or_default();
    let text = format!("listen = '127.0.0.1:0'\ndrain_seconds = 0\nstatus = '127.0.0.1:0'\n{data}{more}");
    let hub = Hub::start(&HubConfig::parse(&text).unwrap()).await.unwrap();
    let services =
        Services { hub: hub.local_addr().to_string(), stream: "stream", index: "stream_index", anonymous: true };
    (hub, services)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_services_in_memory_pass_the_suite() {
    let (hub, services) = hub(None, "").await;
    streams::run(&services).await;
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_services_in_sqlite_pass_the_suite() {
    let data = postern_testkit::temp_dir();
    let (hub, services) = hub(Some(data.path()), "").await;
    streams::run(&services).await;
    hub.stop().await;
}

/// Pushes one record after the other, and expects this of each.
async fn push_all(client: &StreamClient, stream: &Route, records: &[&[u8]], expected: Status) {
    for (sequence, record) in records.iter().enumerate() {
        match client.push(stream, 1, sequence as u64, &[record]).await {
            StreamReply::BatchPushed { status, .. } if status == expected => {}
            other => panic!("{sequence}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_indexes_and_quotas_outlive_the_hub() {
    let data = postern_testkit::temp_dir();
    let (name, cursor) = ("s".to_owned(), Cursor { client_id: "c".into(), stream_name: "s".into(), partition: None });
    let (first, services) = hub(Some(data.path()), "").await;
    let client = StreamClient::connect(&services).await;
    push_all(&client, &client.create(&name).await, &[b"a", b"b"], Status::Done).await;
    client.save(&cursor, 1).await;
    // Sent behind the save, over the same connection.
    assert_eq!(client.saved(&cursor).await, Some(1));
    let owner = StreamClient::with_channel(&services).await;
    owner.create("owned").await;
    first.stop().await;
    let (second, services) = hub(Some(data.path()), "").await;
    let client = StreamClient::connect(&services).await;
    let stream = client.create(&name).await;
    assert_eq!(client.read(&stream, 0, 2).await, [b"a", b"b"]);
    assert_eq!(client.saved(&cursor).await, Some(1));
    // A producer that the new hub does not know begins where it says.
    let pushed = client.push(&stream, 9, 70, &[b"c"]).await;
    assert!(matches!(pushed, StreamReply::BatchPushed { status: Status::Done, next_sequence: 71, .. }), "{pushed:?}");
    assert_eq!(client.read(&stream, 2, 1).await, [b"c"]);
    let stranger = StreamClient::with_channel(&services).await;
    for other in [&client, &stranger] {
        let found = other.ask_to_create(Some("owned")).await.body;
        assert!(matches!(&found, StreamReply::Error { reason } if reason.contains("belongs")), "{found:?}");
    }
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_over_its_quota_loses_its_oldest_records_and_says_so() {
    let (hub, services) = hub(None, "[streams]\nbytes_per_stream = 1000").await;
    let client = StreamClient::connect(&services).await;
    let stream = client.create("s").await;
    let record = [5; 300];
    push_all(&client, &stream, &[&record[..]; 5], Status::Done).await;
    match client.pull(&stream, 0, 10_000).await {
        StreamReply::HeldPulled { status: Status::Done, first: 2, next: 2, records, .. } => assert_eq!(records, []),
        other => panic!("{other:?}"),
    }
    match client.pull(&stream, 2, 10_000).await {
        StreamReply::HeldPulled { first: 2, next: 5, records, .. } => {
            let indexes: Vec<u64> = records.iter().map(|Record { index, .. }| *index).collect();
            assert_eq!(indexes, [2, 3, 4]);
        }
        other => panic!("{other:?}"),
    }
    match client.push(&stream, 1, 5, &[&[0; 1001]]).await {
        StreamReply::BatchPushed { status: Status::Full, next_sequence: 5, reason, .. } => {
            assert!(reason.contains("hub.toml"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_over_a_quota_of_bytes_pays_with_records_of_its_own() {
    let (hub, services) = hub(None, "[streams]\nbytes = 4000").await;
    let (ann, ben) = (StreamClient::with_channel(&services).await, StreamClient::with_channel(&services).await);
    let (of_ben, of_ann) = (ben.create("ben").await, ann.create("ann").await);
    push_all(&ben, &of_ben, &[&[1; 900]], Status::Done).await;
    push_all(&ann, &of_ann, &[&[2; 900], &[2; 900]], Status::Done).await;
    // Another stream of the same identity has nothing to give.
    push_all(&ann, &ann.create("more").await, &[&[2; 900]], Status::Full).await;
    assert_eq!(ben.read(&of_ben, 0, 1).await, [[1; 900]]);
    assert!(matches!(ann.pull(&of_ann, 0, 0).await, StreamReply::HeldPulled { first: 1, .. }));
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_streams_is_limited_for_each_identity_and_for_all() {
    let (hub, services) = hub(None, "[streams]\nstreams = 6\nstreams_per_identity = 2\npartitions = 4").await;
    let refused = |reply: StreamReply| match reply {
        StreamReply::Error { reason } => assert!(reason.contains("hub.toml"), "{reason}"),
        other => panic!("{other:?}"),
    };
    let ann = StreamClient::with_channel(&services).await;
    for name in ["a1", "a2", "a1"] {
        ann.create(name).await;
    }
    refused(ann.ask_to_create(Some("a3")).await.body);
    // Those without an identity have half of them together, over whichever connections.
    for name in ["n1", "n2", "n3"] {
        StreamClient::connect(&services).await.create(name).await;
    }
    refused(StreamClient::connect(&services).await.ask_to_create(Some("n4")).await.body);
    let ben = StreamClient::with_channel(&services).await;
    let [too_many] = &ben.ask_for_partitions("b1", 5, 1).await[..] else { panic!("an answer") };
    assert!(matches!(too_many.body, StreamReply::Error { .. }));
    ben.create("b1").await;
    refused(ben.ask_to_create(Some("b2")).await.body);
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_delays_nobody() {
    let (hub, services) = hub(None, "").await;
    let (slow, fast) = (StreamClient::connect(&services).await, StreamClient::connect(&services).await);
    let stream = fast.create("s").await;
    push_all(&fast, &stream, &[&[7; 900_000]], Status::Done).await;
    let same = slow.create("s").await;
    // It asks for more than its connection holds, and takes none of the answers: its mailbox is never read.
    let mut mailbox = slow.mailbox();
    for request_id in 0..64 {
        let pull = postern_node::stream::HeldPull {
            request_id,
            consumer: [request_id as u8; 16],
            index: 0,
            limit: 1,
            max_bytes: 1_000_000,
            wait_ms: 0,
        };
        let request = postern_node::stream::StreamRequest::HeldPull(pull);
        if mailbox.send(same.clone(), request.encode()).await.is_err() {
            break;
        }
    }
    assert_eq!(fast.read(&stream, 0, 1).await, [vec![7; 900_000]]);
    hub.stop().await;
}
