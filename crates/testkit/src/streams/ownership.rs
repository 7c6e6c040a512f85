//! Whose streams and indexes are.

use super::client::held_pull;
use super::{Services, StreamClient};
use postern_node::Route;
use postern_node::identity::Identifier;
use postern_node::stream::{Cursor, SHARE_MAX, Status, StreamReply, StreamRequest};

pub(super) async fn run(services: &Services) {
    let (owner, friend) = (StreamClient::with_channel(services).await, StreamClient::with_channel(services).await);
    let (stranger, nobody) = (StreamClient::with_channel(services).await, StreamClient::connect(services).await);
    a_stream_is_for_its_owner_and_friends(&owner, &friend, &[stranger, nobody]).await;
    an_index_is_its_identitys(&owner, &friend).await;
}

async fn share(client: &StreamClient, stream: &Route, identities: Vec<Identifier>) -> Status {
    match client.ask(stream, &StreamRequest::Share { request_id: 3, identities }).await {
        StreamReply::Shared { request_id: 3, status } => status,
        other => panic!("{other:?}"),
    }
}

/// The way to the same stream for another client: the address is the same.
fn same(client: &StreamClient, stream: &Route) -> Route {
    let address = stream.back().expect("the stream's address");
    client.route(address.as_str().expect("a text"))
}

async fn is_denied(client: &StreamClient, stream: &Route) {
    let stream = same(client, stream);
    let status = |reply| match reply {
        StreamReply::BatchPushed { status, reason, .. } | StreamReply::HeldPulled { status, reason, .. } => {
            assert!(!reason.is_empty());
            status
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(status(client.push(&stream, 66, 0, &[b"mine"]).await), Status::Denied);
    assert_eq!(status(client.pull(&stream, 0, 0).await), Status::Denied);
    let pushed = client.ask(&stream, &StreamRequest::Push { request_id: 1, data: b"mine".to_vec() }).await;
    assert_eq!(pushed, StreamReply::Pushed { request_id: 1, stored: false, index: 0 });
    let pulled = client.ask(&stream, &StreamRequest::Pull { request_id: 1, index: 0, limit: 8 }).await;
    assert!(matches!(pulled, StreamReply::Error { .. }), "{pulled:?}");
    assert_eq!(share(client, &stream, vec![client.identifier()]).await, Status::Denied);
}

async fn a_stream_is_for_its_owner_and_friends(
    owner: &StreamClient,
    friend: &StreamClient,
    others: &[StreamClient; 2],
) {
    let name = owner.new_name();
    let stream = owner.create(&name).await;
    let pushed = owner.push(&stream, 1, 0, &[b"private"]).await;
    assert!(matches!(pushed, StreamReply::BatchPushed { status: Status::Done, .. }), "{pushed:?}");
    let [stranger, nobody] = others;
    for client in [friend, stranger, nobody] {
        let found = client.ask_to_create(Some(&name)).await.body;
        assert!(matches!(found, StreamReply::Error { .. }), "{found:?}");
    }
    is_denied(friend, &stream).await;
    assert_eq!(share(owner, &stream, vec![friend.identifier()]).await, Status::Done);
    assert_eq!(friend.read(&friend.create(&name).await, 0, 1).await, [b"private"]);
    // Sharing is the owner's, not a friend's.
    let with_stranger = vec![stranger.identifier()];
    assert_eq!(share(friend, &same(friend, &stream), with_stranger).await, Status::Denied);
    is_denied(stranger, &stream).await;
    let of_nobody = StreamRequest::HeldPull(held_pull(0, 0));
    assert!(nobody.is_not_answered(&same(nobody, &stream), &of_nobody).await, "it is not exposed to connections");
    let too_many = (0..SHARE_MAX as u8 + 1).map(|byte| Identifier::from_bytes([byte; 32])).collect();
    assert!(owner.is_not_answered(&stream, &StreamRequest::Share { request_id: 3, identities: too_many }).await);
}

async fn an_index_is_its_identitys(owner: &StreamClient, other: &StreamClient) {
    let (stream_name, client_id) = (owner.new_name(), owner.new_name());
    owner.create(&stream_name).await;
    let cursor = Cursor { client_id, stream_name, partition: None };
    owner.save(&cursor, 41).await;
    other.save(&cursor, 7).await;
    for (client, index) in [(owner, 41), (other, 7)] {
        let look = async || (client.saved(&cursor).await == Some(index)).then_some(());
        crate::eventually_async("one's own index", crate::TIMEOUT, look).await;
    }
    assert_eq!(owner.saved(&cursor).await, Some(41));
}
