//! The extension: batches that are stored once and in order, and pulls that wait.

use super::StreamClient;
use super::client::held_pull;
use postern_node::stream::{BATCH_BYTES_MAX, HeldPull, Record, Status, StreamReply, StreamRequest};
use std::time::{Duration, Instant};

pub(super) async fn run(client: &StreamClient) {
    a_batch_that_comes_again_is_stored_once(client).await;
    batches_on_the_way_are_stored_in_order(client).await;
    what_is_too_large_is_refused(client).await;
    a_pull_waits_for_a_record(client).await;
    a_newer_pull_replaces_the_older(client).await;
    a_reply_fits_a_frame(client).await;
    a_consumer_behind_the_end_is_told_where_it_is(client).await;
}

fn pushed(reply: StreamReply) -> (Status, u64) {
    match reply {
        StreamReply::BatchPushed { status, next_sequence, reason, .. } => {
            assert_eq!(reason.is_empty(), status == Status::Done, "{reason}");
            (status, next_sequence)
        }
        other => panic!("{other:?}"),
    }
}

fn pulled(reply: StreamReply) -> (u64, u64, Vec<Record>) {
    match reply {
        StreamReply::HeldPulled { status: Status::Done, first, next, records, reason, .. } => {
            assert_eq!(reason, "");
            (first, next, records)
        }
        other => panic!("{other:?}"),
    }
}

async fn a_batch_that_comes_again_is_stored_once(client: &StreamClient) {
    let stream = client.new_stream().await;
    assert_eq!(pushed(client.push(&stream, 1, 5, &[b"5", b"6"]).await), (Status::Done, 7));
    assert_eq!(pushed(client.push(&stream, 1, 5, &[b"5", b"6"]).await), (Status::Done, 7));
    assert_eq!(pushed(client.push(&stream, 1, 6, &[b"6", b"7"]).await), (Status::Done, 8));
    assert_eq!(pushed(client.push(&stream, 1, 9, &[b"9"]).await), (Status::OutOfOrder, 8));
    assert_eq!(pushed(client.push(&stream, 2, 0, &[b"other"]).await), (Status::Done, 1));
    assert_eq!(pushed(client.push(&stream, 1, 8, &[b"8"]).await), (Status::Done, 9));
    let read = client.read(&stream, 0, 5).await;
    assert_eq!(read, [b"5".as_slice(), b"6", b"7", b"other", b"8"]);
}

async fn batches_on_the_way_are_stored_in_order(client: &StreamClient) {
    const BATCHES: u64 = 8;
    let stream = client.new_stream().await;
    let mut mailbox = client.mailbox();
    for sequence in 0..BATCHES {
        let records = vec![vec![sequence as u8; 100]];
        let batch = postern_node::stream::PushBatch { request_id: sequence, producer: [3; 16], sequence, records };
        client.send(&mut mailbox, &stream, &StreamRequest::PushBatch(batch)).await;
    }
    for _ in 0..BATCHES {
        let (status, next) = pushed(client.receive(&mut mailbox).await.body);
        assert!(status == Status::Done && next <= BATCHES, "{status:?} {next}");
    }
    let expected: Vec<Vec<u8>> = (0..BATCHES).map(|number| vec![number as u8; 100]).collect();
    assert_eq!(client.read(&stream, 0, BATCHES as usize).await, expected);
}

async fn what_is_too_large_is_refused(client: &StreamClient) {
    let stream = client.new_stream().await;
    let large = vec![1; BATCH_BYTES_MAX + 1];
    assert_eq!(pushed(client.push(&stream, 1, 0, &[&large]).await), (Status::TooLarge, 0));
    let half = vec![1; BATCH_BYTES_MAX / 2 + 1];
    assert_eq!(pushed(client.push(&stream, 1, 0, &[&half, &half]).await), (Status::TooLarge, 0));
    assert_eq!(pushed(client.push(&stream, 1, 0, &[]).await), (Status::TooLarge, 0));
    let largest = vec![1; BATCH_BYTES_MAX];
    assert_eq!(pushed(client.push(&stream, 1, 0, &[&largest]).await), (Status::Done, 1));
    assert_eq!(client.read(&stream, 0, 1).await, [largest]);
}

async fn a_pull_waits_for_a_record(client: &StreamClient) {
    let stream = client.new_stream().await;
    let begun = Instant::now();
    let (first, next, records) = pulled(client.pull(&stream, 0, 200).await);
    assert_eq!((first, next, records), (0, 0, vec![]));
    assert!(begun.elapsed() >= Duration::from_millis(200));
    let mut mailbox = client.mailbox();
    client.send(&mut mailbox, &stream, &StreamRequest::HeldPull(held_pull(0, 30_000))).await;
    let begun = Instant::now();
    assert_eq!(pushed(client.push(&stream, 1, 0, &[b"now"]).await), (Status::Done, 1));
    let (_, next, records) = pulled(client.receive(&mut mailbox).await.body);
    assert_eq!((next, records), (1, vec![Record { index: 0, data: b"now".to_vec() }]));
    assert!(begun.elapsed() < Duration::from_secs(30), "the record, not the time, ended the wait");
}

async fn a_newer_pull_replaces_the_older(client: &StreamClient) {
    let stream = client.new_stream().await;
    let (mut older, mut newer) = (client.mailbox(), client.mailbox());
    client.send(&mut older, &stream, &StreamRequest::HeldPull(held_pull(0, 30_000))).await;
    let pull = HeldPull { request_id: 8, ..held_pull(0, 30_000) };
    client.send(&mut newer, &stream, &StreamRequest::HeldPull(pull)).await;
    assert_eq!(pushed(client.push(&stream, 1, 0, &[b"x"]).await), (Status::Done, 1));
    let reply = client.receive(&mut newer).await.body;
    assert!(matches!(reply, StreamReply::HeldPulled { request_id: 8, .. }), "{reply:?}");
    assert!(client_is_silent(&mut older).await, "the older pull was answered");
}

async fn client_is_silent(context: &mut postern_node::Context) -> bool {
    tokio::time::timeout(Duration::from_millis(200), context.receive::<bytes::Bytes>()).await.is_err()
}

async fn a_reply_fits_a_frame(client: &StreamClient) {
    const RECORDS: u64 = 4;
    let stream = client.new_stream().await;
    let record = vec![9; BATCH_BYTES_MAX * 2 / 5];
    for sequence in 0..RECORDS {
        assert_eq!(pushed(client.push(&stream, 1, sequence, &[&record]).await), (Status::Done, sequence + 1));
    }
    let (_, next, records) = pulled(client.pull(&stream, 0, 10_000).await);
    assert!((1..=2).contains(&records.len()) && next == records.len() as u64, "{} up to {next}", records.len());
    let limited = HeldPull { limit: 1, ..held_pull(1, 10_000) };
    let (_, next, records) = pulled(client.ask(&stream, &StreamRequest::HeldPull(limited)).await);
    assert_eq!((next, records.len()), (2, 1));
    let short = HeldPull { max_bytes: 1, ..held_pull(2, 10_000) };
    let (_, next, records) = pulled(client.ask(&stream, &StreamRequest::HeldPull(short)).await);
    assert_eq!((next, records.len()), (3, 1));
    assert_eq!(client.read(&stream, 0, RECORDS as usize).await, vec![record; RECORDS as usize]);
}

async fn a_consumer_behind_the_end_is_told_where_it_is(client: &StreamClient) {
    let stream = client.new_stream().await;
    assert_eq!(pushed(client.push(&stream, 1, 0, &[b"a", b"b"]).await), (Status::Done, 2));
    let begun = Instant::now();
    let (first, next, records) = pulled(client.pull(&stream, 300, 30_000).await);
    assert_eq!((first, next, records), (0, 2, vec![]));
    assert!(begun.elapsed() < Duration::from_secs(30), "the answer comes at once");
}
