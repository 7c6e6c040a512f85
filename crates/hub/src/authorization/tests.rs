//! The matrix, walked by sending every request as every party to a running hub, and comparing what happens with the table.

use super::*;
use crate::{Hub, HubConfig};
use bytes::Bytes;
use postern_env::time::Duration;
use postern_node::identity::TrustPolicy;
use postern_node::mailbox::{MAILBOX_SERVICE, MailId, MailboxReply, Outcome};
use postern_node::session::HubOptions;
use postern_node::stream::{Cursor, HeldPull, PushBatch, Status, StreamReply};
use postern_node::{Node, Route};
use postern_testkit::in_time;
use postern_testkit::streams::{Services, StreamClient};

const PARTIES: [Party; 4] = [Owner, Shared, Stranger, Anonymous];

async fn hub() -> (Hub, Services) {
    let config = HubConfig::parse("listen = '127.0.0.1:0'\ndrain_seconds = 0").unwrap();
    let hub = Hub::start(&config).await.unwrap();
    let services =
        Services { hub: hub.local_addr().to_string(), stream: "stream", index: "stream_index", anonymous: true };
    (hub, services)
}

/// Every request that a stream takes.
fn requests_to_a_stream(other: Identifier) -> Vec<StreamRequest> {
    let pull = HeldPull { request_id: 5, consumer: [5; 16], index: 0, limit: 1, max_bytes: 1_000, wait_ms: 0 };
    let batch = PushBatch { request_id: 3, producer: [3; 16], sequence: 0, records: vec![b"a".to_vec()] };
    vec![
        StreamRequest::Push { request_id: 1, data: b"a".to_vec() },
        StreamRequest::Pull { request_id: 2, index: 0, limit: 1 },
        StreamRequest::PushBatch(batch),
        StreamRequest::Share { request_id: 4, identities: vec![other] },
        StreamRequest::HeldPull(pull),
    ]
}

/// Whether a stream did what it was asked.
fn is_done(reply: &StreamReply) -> bool {
    match reply {
        StreamReply::Pushed { stored, .. } => *stored,
        StreamReply::BatchPushed { status, .. }
        | StreamReply::HeldPulled { status, .. }
        | StreamReply::Shared { status, .. } => *status == Status::Done,
        StreamReply::Error { .. } => false,
        StreamReply::Pulled { .. } | StreamReply::Created { .. } | StreamReply::CreatedPartition { .. } => true,
    }
}

/// A client of each party, and its way to a stream that it is this party of.
async fn client_of(party: Party, services: &Services) -> (StreamClient, String, Route) {
    let owner = match party {
        Anonymous => StreamClient::connect(services).await,
        _ => StreamClient::with_channel(services).await,
    };
    let name = owner.new_name();
    let stream = owner.create(&name).await;
    if matches!(party, Owner | Anonymous) {
        return (owner, name, stream);
    }
    let client = StreamClient::with_channel(services).await;
    if party == Shared {
        let share = StreamRequest::Share { request_id: 1, identities: vec![client.identifier()] };
        assert!(is_done(&owner.ask(&stream, &share).await));
    }
    // A stranger may have heard the address from somebody.
    let address = stream.back().unwrap();
    let route = client.route(address.as_str().unwrap());
    (client, name, route)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_to_a_stream_is_answered_as_the_matrix_says() {
    let (hub, services) = hub().await;
    for party in PARTIES {
        for request in requests_to_a_stream(Identifier::from_bytes([9; 32])) {
            let (client, _, stream) = client_of(party, &services).await;
            let reply = client.ask(&stream, &request).await;
            let allowed = of_stream(&request, party).allows(true);
            assert_eq!(is_done(&reply), allowed, "{request:?} of {party:?}: {reply:?}");
        }
        for partitions in [None, Some(1)] {
            let (client, name, _) = client_of(party, &services).await;
            let (request, found) = match partitions {
                None => (StreamRequest::Create { name: Some(name.clone()) }, client.ask_to_create(Some(&name)).await),
                Some(partitions) => (
                    StreamRequest::CreatePartitioned { name: Some(name.clone()), partitions },
                    client.ask_for_partitions(&name, partitions, 1).await.remove(0),
                ),
            };
            let allowed = of_stream(&request, party).allows(true);
            assert_eq!(is_done(&found.body), allowed, "{request:?} of {party:?}: {found:?}");
        }
    }
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_without_an_identity_does_not_reach_a_stream_with_an_owner() {
    let (hub, services) = hub().await;
    let (_, _, owned) = client_of(Owner, &services).await;
    let nobody = StreamClient::connect(&services).await;
    let stream = nobody.route(owned.back().unwrap().as_str().unwrap());
    for request in requests_to_a_stream(Identifier::from_bytes([9; 32])) {
        assert!(nobody.is_not_answered(&stream, &request).await, "{request:?}");
    }
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_index_service_keeps_is_found_by_who_saved_it_only() {
    let (hub, services) = hub().await;
    let cursor = Cursor { client_id: "c".into(), stream_name: "s".into(), partition: None };
    let (owner, other) = (StreamClient::with_channel(&services).await, StreamClient::with_channel(&services).await);
    let nobody = StreamClient::connect(&services).await;
    for (number, client) in [&owner, &other, &nobody].into_iter().enumerate() {
        let party = Party::of_index((number < 2).then(|| client.identifier()).as_ref());
        for request in [IndexRequest::Get(cursor.clone()), IndexRequest::Save(cursor.clone(), 1)] {
            assert!(of_index(&request, party).allows(true), "{request:?} of {party:?}");
        }
        // Nobody sees what those before have saved.
        assert_eq!(client.saved(&cursor).await, None, "{number}");
        client.save(&cursor, number as u64 + 1).await;
        assert_eq!(client.saved(&cursor).await, Some(number as u64 + 1));
    }
    hub.stop().await;
}

/// Asks the mailbox service; nothing if it does not answer.
async fn ask_mailbox(client: &StreamClient, request: &MailboxRequest) -> Option<Outcome> {
    let mut context = client.mailbox();
    in_time(context.send(client.route(MAILBOX_SERVICE), request.encode(1))).await.unwrap();
    loop {
        let message = context.receive_within::<Bytes>(Duration::from_millis(300)).await.ok()?;
        if let Some(MailboxReply::Answer(1, outcome)) = MailboxReply::decode(message.body()) {
            return Some(outcome);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_to_the_mailbox_is_answered_as_the_matrix_says() {
    let (hub, services) = hub().await;
    let owner = StreamClient::with_channel(&services).await;
    assert_eq!(ask_mailbox(&owner, &MailboxRequest::Subscribe).await, Some(Outcome::Done));
    let (stranger, nobody) = (StreamClient::with_channel(&services).await, StreamClient::connect(&services).await);
    let requests = [
        MailboxRequest::Deposit { to: owner.identifier(), sealed: b"sealed".to_vec() },
        MailboxRequest::Subscribe,
        MailboxRequest::Acknowledge(MailId::of(b"another")),
    ];
    for (client, peer) in
        [(&owner, Some(owner.identifier())), (&stranger, Some(stranger.identifier())), (&nobody, None)]
    {
        for request in &requests {
            let party = Party::of_mailbox(request, peer.as_ref());
            let done = ask_mailbox(client, request).await == Some(Outcome::Done);
            assert_eq!(done, of_mailbox(request, party) == Allowed, "{request:?} of {party:?}");
        }
    }
    hub.stop().await;
}

/// A relay name, as seen by who asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Free,
    /// Another client has it.
    Taken,
    /// The identifier of who asks.
    OwnIdentifier,
    /// The identifier of somebody who is not there.
    OthersIdentifier,
}

/// The verdict on registering a relay, over a channel or without one.
fn of_registration(name: Name, party: Party) -> Verdict {
    match (name, party) {
        (Name::Free, Owner | Shared | Stranger | Anonymous) => Allowed,
        // Whoever has no identity has no identifier to prove.
        (Name::OwnIdentifier, Owner | Shared | Stranger) => Allowed,
        (Name::OwnIdentifier, Anonymous) | (Name::OthersIdentifier | Name::Taken, _) => Refused,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_registration_of_a_relay_is_answered_as_the_matrix_says() {
    let (hub, services) = hub().await;
    let node = Node::new();
    let holder = node.tcp_connect(services.hub.as_str()).await.unwrap();
    node.create_relay(&holder, Some("taken")).await.unwrap();
    for name in [Name::Free, Name::Taken, Name::OwnIdentifier, Name::OthersIdentifier] {
        for party in [Stranger, Anonymous] {
            let node = Node::new();
            let identity = node.create_identity().await.unwrap();
            let wanted = match name {
                Name::Free => format!("free-{party:?}"),
                Name::Taken => "taken".into(),
                Name::OwnIdentifier => identity.identifier().to_string(),
                Name::OthersIdentifier => Identifier::from_bytes([9; 32]).to_string(),
            };
            let done = if party == Anonymous {
                let connection = node.tcp_connect(services.hub.as_str()).await.unwrap();
                // A refusal is silent.
                let wait = Duration::from_millis(300);
                tokio::time::timeout(wait, node.create_relay(&connection, Some(&wanted))).await.is_ok()
            } else {
                let options = HubOptions { relay: Some(wanted), trust: TrustPolicy::Anyone };
                let session = node.keep_connected_as(&identity, services.hub.as_str(), options).await.unwrap();
                in_time(session.up()).await.is_ok()
            };
            assert_eq!(done, of_registration(name, party) == Allowed, "{name:?} of {party:?}");
        }
    }
    hub.stop().await;
}
