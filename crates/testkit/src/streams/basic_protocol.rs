//! The protocols without the extension.

use super::{Reply, Services, StreamClient};
use postern_node::Route;
use postern_node::stream::{Cursor, StreamReply, StreamRequest};

pub(super) async fn run(services: &Services, client: &StreamClient) {
    records_come_back_in_order(client).await;
    streams_are_found_again(services, client).await;
    bad_names_are_refused(client).await;
    partitions_are_logs_of_their_own(client).await;
    indexes_are_kept_for_each_client_and_partition(client).await;
}

async fn push(client: &StreamClient, to: &Route, request_id: u64, data: &[u8]) -> u64 {
    let request = StreamRequest::Push { request_id, data: data.to_vec() };
    match client.ask(to, &request).await {
        StreamReply::Pushed { request_id: answered, stored: true, index } if answered == request_id => index,
        other => panic!("{other:?}"),
    }
}

/// Polls until there are `count` records, as a client without the extension does.
async fn poll(client: &StreamClient, from: &Route, index: u64, limit: u64, count: usize) -> Vec<(u64, Vec<u8>)> {
    let look = async || {
        let request = StreamRequest::Pull { request_id: 9, index, limit };
        match client.ask(from, &request).await {
            StreamReply::Pulled { request_id: 9, records } if records.len() >= count => Some(records),
            StreamReply::Pulled { request_id: 9, .. } => None,
            other => panic!("{other:?}"),
        }
    };
    let records = crate::eventually_async("records in the stream", crate::TIMEOUT, look).await;
    records.into_iter().map(|record| (record.index, record.data)).collect()
}

async fn records_come_back_in_order(client: &StreamClient) {
    let stream = client.new_stream().await;
    let empty = client.ask(&stream, &StreamRequest::Pull { request_id: 1, index: 0, limit: 8 }).await;
    assert_eq!(empty, StreamReply::Pulled { request_id: 1, records: vec![] });
    for (index, data) in [b"first".as_slice(), b"", b"third"].into_iter().enumerate() {
        assert_eq!(push(client, &stream, 40 + index as u64, data).await, index as u64);
    }
    let all = [(0, b"first".to_vec()), (1, vec![]), (2, b"third".to_vec())];
    assert_eq!(poll(client, &stream, 0, 8, 3).await, all);
    assert_eq!(poll(client, &stream, 1, 8, 2).await, all[1..]);
    assert_eq!(poll(client, &stream, 0, 2, 2).await, all[..2]);
    let behind = client.ask(&stream, &StreamRequest::Pull { request_id: 2, index: 3, limit: 8 }).await;
    assert_eq!(behind, StreamReply::Pulled { request_id: 2, records: vec![] });
}

async fn streams_are_found_again(services: &Services, client: &StreamClient) {
    let name = client.new_name();
    let stream = client.create(&name).await;
    push(client, &stream, 1, b"kept").await;
    let again = client.create(&name).await;
    assert_eq!(poll(client, &again, 0, 8, 1).await, [(0, b"kept".to_vec())]);
    let Reply { body: StreamReply::Created { name }, .. } = client.ask_to_create(None).await else {
        panic!("a stream without a name at {}", services.stream);
    };
    let digits = name.strip_prefix("generated_").expect("a generated name");
    assert!(digits.len() == 16 && digits.bytes().all(|it| it.is_ascii_hexdigit()), "{name}");
}

async fn bad_names_are_refused(client: &StreamClient) {
    for name in ["", "a b", "a/b", "ü", "../up", &"x".repeat(201)] {
        let body = client.ask_to_create(Some(name)).await.body;
        assert!(matches!(&body, StreamReply::Error { reason } if !reason.is_empty()), "{name}: {body:?}");
    }
}

async fn partitions_are_logs_of_their_own(client: &StreamClient) {
    let name = client.new_name();
    let mut replies = client.ask_for_partitions(&name, 3, 3).await;
    let number = |reply: &Reply| match &reply.body {
        StreamReply::CreatedPartition { name: of, partition } if *of == name => *partition,
        other => panic!("{other:?}"),
    };
    replies.sort_by_key(number);
    assert_eq!(replies.iter().map(number).collect::<Vec<_>>(), [0, 1, 2]);
    for reply in &replies {
        let data = [number(reply) as u8];
        assert_eq!(push(client, &reply.from, 1, &data).await, 0);
        assert_eq!(poll(client, &reply.from, 0, 8, 1).await, [(0, data.to_vec())]);
    }
    for partitions in [0, 4, 1_000] {
        let [reply] = &client.ask_for_partitions(&name, partitions, 1).await[..] else { panic!("an answer") };
        assert!(matches!(reply.body, StreamReply::Error { .. }), "{partitions}: {reply:?}");
    }
}

async fn indexes_are_kept_for_each_client_and_partition(client: &StreamClient) {
    let stream_name = client.new_name();
    let _ = client.ask_for_partitions(&stream_name, 2, 2).await;
    let cursors = [None, Some(1)].map(|partition| {
        [client.new_name(), client.new_name()].map(|client_id| Cursor {
            client_id,
            stream_name: stream_name.clone(),
            partition,
        })
    });
    for cursor in cursors.as_flattened() {
        assert_eq!(client.saved(cursor).await, None);
    }
    for (index, cursor) in cursors.as_flattened().iter().enumerate() {
        client.save(cursor, 1).await;
        client.save(cursor, 300 + index as u64).await;
    }
    for (index, cursor) in cursors.as_flattened().iter().enumerate() {
        let look = async || (client.saved(cursor).await == Some(300 + index as u64)).then_some(());
        crate::eventually_async("the index that was saved", crate::TIMEOUT, look).await;
    }
}
