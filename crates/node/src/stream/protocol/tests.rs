use super::*;
use crate::identity::Identifier;
use proptest::prelude::*;

fn cursor(partition: Option<u64>) -> Cursor {
    Cursor { client_id: "c".into(), stream_name: "s".into(), partition }
}

fn requests(data: Vec<u8>, number: u64) -> Vec<StreamRequest> {
    vec![
        StreamRequest::Create { name: None },
        StreamRequest::Create { name: Some("s".into()) },
        StreamRequest::CreatePartitioned { name: Some("s".into()), partitions: number },
        StreamRequest::Push { request_id: number, data: data.clone() },
        StreamRequest::Pull { request_id: 1, index: number, limit: 8 },
        StreamRequest::PushBatch(PushBatch {
            request_id: 1,
            producer: [7; 16],
            sequence: number,
            records: vec![data, vec![]],
        }),
        StreamRequest::HeldPull(HeldPull {
            request_id: 1,
            consumer: [8; 16],
            index: number,
            limit: 8,
            max_bytes: 9,
            wait_ms: 10,
        }),
        StreamRequest::Share { request_id: number, identities: vec![Identifier::from_bytes([9; 32])] },
    ]
}

fn replies(data: Vec<u8>, number: u64) -> Vec<StreamReply> {
    let records = vec![Record { index: number, data }, Record { index: 5, data: vec![] }];
    vec![
        StreamReply::Created { name: "s".into() },
        StreamReply::CreatedPartition { name: "s".into(), partition: number },
        StreamReply::Pushed { request_id: 1, stored: false, index: number },
        StreamReply::Pulled { request_id: 1, records: records.clone() },
        StreamReply::BatchPushed {
            request_id: 1,
            status: Status::Full,
            next_sequence: number,
            reason: "no room".into(),
        },
        StreamReply::HeldPulled {
            request_id: 1,
            status: Status::Done,
            first: 2,
            next: number,
            records,
            reason: String::new(),
        },
        StreamReply::Shared { request_id: number, status: Status::Denied },
        StreamReply::Error { reason: "no".into() },
    ]
}

#[test]
fn the_recorded_samples_are_made_bit_for_bit() {
    let create = StreamRequest::Create { name: Some("s".into()) };
    assert_eq!(hex::encode(create.encode()), "0d73747265616d5f63726561746503010173");
    let save = IndexRequest::Save(cursor(None), 300).encode();
    assert_eq!(hex::encode(save), "0c73747265616d5f696e64657807010163 0173ac02".replace(' ', ""));
}

#[test]
fn snapshots() {
    let hex = |bytes: Vec<u8>| hex::encode(bytes);
    let envelope = |protocol: &str, data: &str| {
        let name = hex::encode(protocol);
        format!("{:02x}{name}{:02x}{data}", protocol.len(), data.len() / 2)
    };
    assert_eq!(hex(StreamRequest::Create { name: None }.encode()), envelope("stream_create", "00"));
    let expected = [
        ("stream_create", "00".to_owned()),
        ("stream_create", "010173".into()),
        ("stream_create_partitioned", "010173ac02".into()),
        ("stream_push", "ac020568656c6c6f".into()),
        ("stream_pull", "01ac0208".into()),
        ("postern_stream_push", format!("01{}ac02020568656c6c6f00", "07".repeat(16))),
        ("postern_stream_pull", format!("01{}ac0208090a", "08".repeat(16))),
        ("postern_stream_share", format!("ac0201{}", "09".repeat(32))),
    ];
    for (request, (protocol, data)) in requests(b"hello".to_vec(), 300).into_iter().zip(expected) {
        assert_eq!(hex(request.encode()), envelope(protocol, &data));
    }
    let expected = [
        ("stream_create", "0173".to_owned()),
        ("stream_create_partitioned", "0173ac02".into()),
        ("stream_push", "0101ac02".into()),
        ("stream_pull", "0102ac020568656c6c6f0500".into()),
        ("postern_stream_push", "0103ac02076e6f20726f6f6d".into()),
        ("postern_stream_pull", "010002ac0202ac020568656c6c6f050000".into()),
        ("postern_stream_share", "ac0205".into()),
        ("error", "026e6f".into()),
    ];
    for (reply, (protocol, data)) in replies(b"hello".to_vec(), 300).into_iter().zip(expected) {
        assert_eq!(hex(reply.encode()), envelope(protocol, &data));
    }
    let get = IndexRequest::Get(cursor(Some(3))).encode();
    assert_eq!(hex(get), envelope("stream_index_partitioned", "000163017303"));
    let reply = IndexReply { cursor: cursor(Some(3)), index: Some(300) }.encode();
    assert_eq!(hex(reply), envelope("stream_index_partitioned", "01630173 0301ac02".replace(' ', "").as_str()));
    let none = IndexReply { cursor: cursor(None), index: None }.encode();
    assert_eq!(hex(none), envelope("stream_index", "0163017300"));
}

#[test]
fn what_is_cut_is_refused() {
    for bytes in requests(vec![1; 9], 5).iter().map(StreamRequest::encode) {
        assert!((0..bytes.len()).all(|end| StreamRequest::decode(&bytes[..end]).is_none()));
    }
    for bytes in replies(vec![1; 9], 5).iter().map(StreamReply::encode) {
        assert!((0..bytes.len()).all(|end| StreamReply::decode(&bytes[..end]).is_none()));
    }
}

#[test]
fn a_list_longer_than_the_limit_is_refused() {
    let batch = |count| {
        let records = vec![vec![]; count];
        StreamRequest::PushBatch(PushBatch { request_id: 1, producer: [0; 16], sequence: 0, records }).encode()
    };
    assert!(StreamRequest::decode(&batch(BATCH_RECORDS_MAX)).is_some());
    assert_eq!(StreamRequest::decode(&batch(BATCH_RECORDS_MAX + 1)), None);
    let share = |count| {
        let identities = vec![Identifier::from_bytes([1; 32]); count];
        StreamRequest::Share { request_id: 1, identities }.encode()
    };
    assert!(StreamRequest::decode(&share(SHARE_MAX)).is_some());
    assert_eq!(StreamRequest::decode(&share(SHARE_MAX + 1)), None);
}

#[test]
fn an_unknown_status_is_read_as_unavailable() {
    let mut bytes = StreamReply::Shared { request_id: 1, status: Status::Done }.encode();
    let last = bytes.len() - 1;
    bytes[last] = 99;
    let unknown = StreamReply::Shared { request_id: 1, status: Status::Unavailable };
    assert_eq!(StreamReply::decode(&bytes), Some(unknown));
}

proptest! {
    #[test]
    fn round_trip(data: Vec<u8>, number: u64, partition: Option<u64>, index: Option<u64>) {
        for request in requests(data.clone(), number) {
            prop_assert_eq!(StreamRequest::decode(&request.encode()), Some(request));
        }
        for reply in replies(data.clone(), number) {
            prop_assert_eq!(StreamReply::decode(&reply.encode()), Some(reply));
        }
        for request in [IndexRequest::Get(cursor(partition)), IndexRequest::Save(cursor(partition), number)] {
            prop_assert_eq!(IndexRequest::decode(&request.encode()), Some(request));
        }
        let reply = IndexReply { cursor: cursor(partition), index };
        prop_assert_eq!(IndexReply::decode(&reply.encode()), Some(reply));
    }

    #[test]
    fn hostile_input_is_only_refused(data: Vec<u8>) {
        let protocols = [CREATE, CREATE_PARTITIONED, PUSH, PULL, INDEX, INDEX_PARTITIONED, PUSH_BATCH, HELD_PULL, SHARE];
        for payload in protocols.iter().map(|protocol| in_envelope(protocol, &data)).chain([data.clone()]) {
            let _ = (StreamRequest::decode(&payload), StreamReply::decode(&payload));
            let _ = (IndexRequest::decode(&payload), IndexReply::decode(&payload));
        }
    }
}
