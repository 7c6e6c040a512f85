//! A hub that lies gains nothing: it carries what it cannot read, cannot pass for anybody, and cannot say things twice.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use postern_engine::peer::ticket::Ticket;
use postern_engine::peer::{PeerAddress, relay_name};
use postern_node::relay::{RelayService, RelayServiceOptions};
use postern_node::{Context, Node, Origin, Routed, SecureChannelOptions, Worker, WorkerError};
use postern_testkit::json::{find, text};
use postern_testkit::port::free_port;
use postern_testkit::{Hub, Person, Service, TIMEOUT, World, eventually, temp_dir};

/// Counts what it is told.
struct Heard(Arc<AtomicUsize>);

impl Worker for Heard {
    type Message = Vec<u8>;

    async fn handle_message(&mut self, _: &mut Context, _: Routed<Vec<u8>>) -> Result<(), WorkerError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// A hub that gives a person's relay to somebody else, who answers as that person's Postern would.
struct Liar {
    _runtime: tokio::runtime::Runtime,
    _nodes: [Node; 2],
    address: String,
    heard: Arc<AtomicUsize>,
}

impl Liar {
    fn in_place_of(relay: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let heard = Arc::new(AtomicUsize::new(0));
        let (nodes, address) = runtime.block_on(async {
            let (hub, mallory) = (Node::new(), Node::new());
            let listener = hub.tcp_listen("127.0.0.1:0").await.unwrap();
            // An honest hub gives a name that is an identifier to that identity only; this one puts the name together itself.
            let (prefix, rest) = relay.split_at(1);
            let options = RelayServiceOptions { prefix: prefix.into(), ..RelayServiceOptions::default() };
            RelayService::start(&hub, options, &[listener.origin()]).unwrap();
            let identity = mallory.create_identity().await.unwrap();
            let anyone = SecureChannelOptions::trust_anyone();
            let channels = mallory.create_secure_channel_listener(&identity, "api", anyone).await.unwrap();
            mallory.start_worker("desk", Heard(heard.clone())).unwrap();
            mallory.expose("desk", &channels).unwrap();
            let connection = mallory.tcp_connect(listener.local_addr().to_string()).await.unwrap();
            mallory.expose("api", &connection).unwrap();
            mallory.create_relay(&connection, Some(rest)).await.unwrap();
            ([hub, mallory], listener.local_addr().to_string())
        });
        Self { _runtime: runtime, _nodes: nodes, address, heard }
    }
}

#[test]
fn an_impostor_behind_the_owners_relay_receives_no_secret() {
    let World { hub, ann, ben: _, service: _service } = World::sharing("notes");
    let link = ann.invite("notes", &[]);
    let mut ticket = Ticket::decode(&link).unwrap();
    let liar = Liar::in_place_of(&relay_name(&ticket.owner));
    // A loopback hub is used only by who has chosen it.
    let mut ben = Person::stopped("Ben", &["--hub", &hub.address().to_string(), "--hub", &liar.address]);
    ben.up();
    let good = ticket.reach.clone();
    ticket.reach = vec![PeerAddress::Hub { address: liar.address.clone(), relay: relay_name(&ticket.owner) }];
    ben.run_with_input(&["join", "-", "--port", &free_port().to_string(), "--wait", "1s"], ticket.encode().reveal());
    let code = ben.wait_for("the reason", |seen| {
        let state = &seen["invitations"][0]["state"];
        (state["state"] == "accepting" && state["fault"].is_object()).then(|| text(&state["fault"]["code"]).to_owned())
    });
    assert_eq!(code, "not-trusted");
    assert_eq!(liar.heard.load(Ordering::Relaxed), 0, "the liar heard something");
    assert_eq!(ben.snapshot()["inlets"], serde_json::json!([]));
    assert_eq!(find(&ann.snapshot()["services"], "notes").unwrap()["people"], serde_json::json!([]));

    // With a way that leads to the owner beside it, the liar is only a detour.
    ticket.reach.extend(good);
    ben.run_with_input(&["join", "-", "--port", &free_port().to_string(), "--wait", "60s"], ticket.encode().reveal());
    ben.wait_until_up("notes");
    assert_eq!(liar.heard.load(Ordering::Relaxed), 0, "the liar heard something");
}

#[test]
fn tickets_that_were_swapped_or_mixed_open_nothing() {
    let hub = Hub::start();
    let (ann, eve, ben) = (Person::start(&hub, "Ann"), Person::start(&hub, "Eve"), Person::start(&hub, "Ben"));
    let service = Service::echo_after_end();
    ann.share(service.address(), "one");
    ann.share(service.address(), "two");
    eve.share(service.address(), "eves");
    let [one, two] = ["one", "two"].map(|name| Ticket::decode(&ann.invite(name, &[])).unwrap());
    let eves = Ticket::decode(&eve.invite("eves", &[])).unwrap();
    let mixed = [
        // The secret of one invitation for another.
        Ticket { secret: two.secret, ..one.clone() },
        // Ann's invitation, said to be Eve's; and Eve's, said to be Ann's.
        Ticket { owner: eves.owner, reach: eves.reach.clone(), ..one.clone() },
        Ticket { owner: one.owner, reach: one.reach.clone(), ..eves.clone() },
        // A guess.
        Ticket { secret: [7; 32], ..two.clone() },
    ];
    for (number, ticket) in mixed.iter().enumerate() {
        let port = free_port().to_string();
        let refusal = ben.fails_with_input(&["join", "-", "--port", &port, "--wait", "60s"], ticket.encode().reveal());
        assert_ne!(refusal.code, "expired", "{number}: {refusal:?}");
        let invitation = ben.snapshot()["invitations"].as_array().and_then(|all| all.first().cloned());
        if let Some(id) = invitation.as_ref().and_then(|it| it["id"].as_str()) {
            ben.run(&["decline", id]);
        }
    }
    for (owner, service) in [(&ann, "one"), (&ann, "two"), (&eve, "eves")] {
        assert_eq!(find(&owner.snapshot()["services"], service).unwrap()["people"], serde_json::json!([]), "{service}");
    }
    assert_eq!(ben.snapshot()["inlets"], serde_json::json!([]));
}

#[test]
fn mail_that_a_hub_delivers_again_changes_nothing() {
    let directory = temp_dir();
    let (data, kept) = (directory.path().join("hub"), directory.path().join("kept"));
    let hub = Hub::start_at_in(([127, 0, 0, 1], 0).into(), &data);
    let place = hub.address();
    let (ann, mut ben) = (Person::start(&hub, "Ann"), Person::start(&hub, "Ben"));
    let service = Service::echo_after_end();
    ann.share(service.address(), "one");
    ann.share(service.address(), "two");
    ben.join(&ann.invite("one", &[]));
    ann.wait_for("a contact that can be mailed", |seen| {
        (find(&seen["contacts"], "Ben")?["can_be_mailed"] == true).then_some(())
    });
    ben.stop();
    ann.run(&["invite", "two", "--to", "Ben"]);
    ann.wait_for("the mail to be delivered", |seen| {
        (find(&seen["services"], "two")?["invitations"][0]["state"] == "delivered").then_some(())
    });
    end(hub);
    copy(&data, &kept);

    let hub = Hub::start_at_in(place, &data);
    ben.up();
    ben.wait_for("the invitation", |seen| seen["invitations"].get(0).map(drop));
    ben.run(&["decline", "two"]);
    ann.wait_for("the answer", |seen| {
        (find(&seen["services"], "two")?["invitations"][0]["state"] == "declined").then_some(())
    });
    collected(&hub);

    // The hub puts back what it had, and delivers it once more.
    end(hub);
    fs::remove_dir_all(&data).unwrap();
    copy(&kept, &data);
    let hub = Hub::start_at_in(place, &data);
    collected(&hub);
    ben.wait_for("the hub", |seen| (seen["hubs"][0]["link"]["state"] == "up").then_some(()));
    assert_eq!(ben.snapshot()["invitations"], serde_json::json!([]), "asked twice");
    let told = ben.process().stdout().lines().filter(|line| line.contains("\"notice\":\"invited\"")).count();
    assert_eq!(told, 1, "told twice");
    let seen = ann.snapshot();
    assert_eq!(find(&seen["services"], "two").unwrap()["people"], serde_json::json!([]));
}

/// Waits until nothing waits in the hub's mailboxes that it has pushed.
fn collected(hub: &Hub) {
    let number = |metrics: &str, name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("postern_hub_{name} ")))?.to_owned();
        line.parse::<u64>().ok()
    };
    eventually("the mail to be collected", TIMEOUT, || {
        let (_, metrics) = hub.status("/metrics").ok()?;
        let acknowledged = number(&metrics, "mailbox_acknowledged_total")?;
        (number(&metrics, "mailbox_messages")? == 0 && acknowledged > 0).then_some(())
    });
}

fn end(hub: Hub) {
    hub.process().terminate();
    hub.process().wait(TIMEOUT);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
