//! Links of strangers: what they name is not connected to before they are accepted, counted by the kernel.

use std::future::Future;

use postern_engine::api::{Answer, InvitationId, Request, Secret, ServiceKind, UnixMillis};
use postern_engine::control::Client;
use postern_engine::peer::PeerAddress;
use postern_engine::peer::ticket::Ticket;
use postern_node::identity::Identifier;
use postern_testkit::network_namespace::{self, packets_sent};
use postern_testkit::{Person, TIMEOUT, eventually, skipped};

/// Addresses of every kind, public ones and names included: in the namespace of the test, a connection to any of them is counted.
const NAMED: &[&str] = &[
    "127.0.0.1:22",
    "[::1]:631",
    "169.254.169.254:80",
    "0.0.0.0:1",
    "10.0.0.1:80",
    "192.168.1.1:443",
    "1.1.1.1:443",
    "[2606:4700::1111]:443",
    "tracker.example:443",
    "localhost:4000",
];
/// One of them that may be dialed for whoever accepts.
const PUBLIC: usize = 6;

/// The link number `number` of somebody whose computer and hub are this address.
fn hostile(number: usize) -> Secret {
    let address = NAMED[number % NAMED.len()].to_owned();
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    let ticket = Ticket {
        id: InvitationId(id),
        secret: [7; 32],
        owner: Identifier::from_bytes([0x66; 32]),
        owner_name: "Eve".into(),
        reach: vec![
            PeerAddress::Direct { address: address.clone() },
            PeerAddress::Hub { address, relay: "relay".into() },
        ],
        service_name: "wiki".into(),
        service_kind: ServiceKind::Http,
        port: 80,
        expires: UnixMillis(u64::MAX / 4),
    };
    ticket.encode()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Previews and opens a link, and declines what it offers.
async fn open_and_decline(client: &mut Client, link: Secret) {
    client.request(Request::Preview { link: link.clone() }).await.unwrap();
    let Answer::Preview { preview } = client.request(Request::Open { link }).await.unwrap() else {
        panic!("no preview");
    };
    // Everything that waits for its next attempt is tried.
    client.request(Request::Retry).await.unwrap();
    client.request(Request::Decline { invitation: preview.invitation }).await.unwrap();
}

#[test]
fn previewing_opening_and_declining_a_thousand_links_sends_no_packet() {
    if let Some(why) = network_namespace::unavailable() {
        return skipped(&why);
    }
    let mut ben = Person::stopped("Ben", &["--this-computer"]);
    ben.isolate();
    ben.up();
    let sent = || packets_sent(ben.process().id());
    let before = sent();
    wait(async {
        let mut client = Client::connect(&ben.data_dir()).await.unwrap();
        for number in 0..1_000 {
            open_and_decline(&mut client, hostile(number)).await;
        }
    });
    assert_eq!(ben.snapshot()["invitations"], serde_json::json!([]));
    assert_eq!(sent(), before, "packets were sent because of links");

    // The same counter sees what accepting does.
    wait(async {
        let mut client = Client::connect(&ben.data_dir()).await.unwrap();
        let link = hostile(1_000 + PUBLIC);
        let Answer::Preview { preview } = client.request(Request::Open { link }).await.unwrap() else {
            panic!("no preview");
        };
        client.request(Request::Accept { invitation: preview.invitation, port: None }).await.unwrap();
    });
    eventually("packets to what an accepted link names", TIMEOUT, || (sent() > before).then_some(()));
}
