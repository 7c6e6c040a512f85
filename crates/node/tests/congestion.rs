//! Windows of the peers behind a connection: one slow peer holds up nobody else on it.

use crate::raw::{Raw, bytes};
use postern_node::portal::OutletOptions;
use postern_node::relay::{RelayService, RelayServiceOptions};
use postern_node::session::HubSession;
use postern_node::{Context, Echoer, Node, Origin, Route, TcpListener, route};
use postern_testkit::{eventually_async, in_time};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const MESSAGE: usize = 256 * 1024;
/// Far more than what sockets and queues hold.
const MESSAGES: usize = 256;
/// Messages of a size that portals without the extension expect.
const PAYLOAD: usize = 60 * 1024;
const PAYLOADS: usize = 400;
/// Exchanges with others while one peer is slow.
const EXCHANGES: usize = 100;

/// A hub, and a node there whose relay is `shared`.
struct Shared {
    node: Node,
    listener: TcpListener,
    session: HubSession,
    _hub: Node,
}

impl Shared {
    async fn start() -> Self {
        let hub = Node::new();
        let listener = hub.tcp_listen("127.0.0.1:0").await.unwrap();
        RelayService::start(&hub, RelayServiceOptions::default(), &[listener.origin()]).unwrap();
        let node = Node::new();
        let session = node.keep_connected(listener.local_addr().to_string(), Some("shared".into()));
        session.up().await.unwrap();
        node.start_worker("echoer", Echoer).unwrap();
        node.expose("echoer", &session).unwrap();
        Self { node, listener, session, _hub: hub }
    }

    /// A context that peers of the hub reach.
    fn context(&self) -> Context {
        let context = self.node.context().unwrap();
        self.node.expose(context.address().clone(), &self.session).unwrap();
        context
    }

    /// Others get their answers over the connection that is shared.
    async fn serves_others(&self) {
        let other = Node::new();
        let hub = other.tcp_connect(self.listener.local_addr().to_string()).await.unwrap();
        let context = other.context().unwrap();
        for _ in 0..EXCHANGES {
            let echo = context.send_and_receive::<String>(route![&hub, "shared", "echoer"], "hello".to_owned());
            assert_eq!(in_time(echo).await.unwrap().body(), "hello");
        }
    }
}

/// A message along several hops.
fn message(onward: &[&[u8]], back: &str, payload: &[u8]) -> Vec<u8> {
    let hop = |hop: &[u8]| [&b"\x82\0"[..], &bytes(hop)].concat();
    let hops: Vec<u8> = onward.iter().flat_map(|address| hop(address)).collect();
    let onward = [&[0x80 | onward.len() as u8][..], &hops].concat();
    [&b"\x84"[..], &onward, b"\x81", &hop(back.as_bytes()), &bytes(payload), b"\x62{}"].concat()
}

/// Waits until a number has stayed the same for as long as others need for all they do.
async fn stands_still(shared: &Shared, count: &AtomicUsize) -> usize {
    eventually_async("nothing more is taken", postern_testkit::TIMEOUT, async || {
        let before = count.load(Ordering::Relaxed);
        shared.serves_others().await;
        (before > 0 && count.load(Ordering::Relaxed) == before).then_some(before)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_does_not_read_holds_up_no_other() {
    let shared = Shared::start().await;
    let mut context = shared.context();
    let mut slow = Raw::connect(&shared.listener).await;
    let inbox = context.address().value().to_vec();
    slow.send(&message(&[b"shared", &inbox], "slow", &bytes_of("ready"))).await;
    let to_slow: Route = in_time(context.receive::<String>()).await.unwrap().return_route().clone();

    let sent = Arc::new(AtomicUsize::new(0));
    let counting = sent.clone();
    let sending = tokio::spawn(async move {
        for number in 0..MESSAGES {
            let mut message = vec![0; MESSAGE];
            message[0] = number as u8;
            context.send(to_slow.clone(), message).await.unwrap();
            counting.fetch_add(1, Ordering::Relaxed);
        }
        context
    });
    assert!(stands_still(&shared, &sent).await < MESSAGES);
    for number in 0..MESSAGES {
        let frame = slow.hear().await;
        let payload = &frame[frame.len() - 3 - MESSAGE..frame.len() - 3];
        assert_eq!(payload[0], number as u8);
    }
    in_time(sending).await.unwrap();
}

/// A connection with windows, of which the test keeps nothing.
async fn subscribed(listener: &TcpListener) -> Raw {
    let mut raw = Raw::connect(listener).await;
    raw.send(&message(&[b"congestion_notices"], "notices", &[0])).await;
    raw.hear().await;
    raw
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_ignores_its_window_is_held_and_ends_no_receiver() {
    let shared = Shared::start().await;
    let mut slow = subscribed(&shared.listener).await;
    slow.send(&message(&[b"static_forwarding_service"], "relay", &bytes_of("slow"))).await;
    slow.hear().await;

    let mut flood = subscribed(&shared.listener).await;
    let body = message(&[b"slow", b"inbox"], "flood", &[7; MESSAGE]);
    let sent = Arc::new(AtomicUsize::new(0));
    let counting = sent.clone();
    let sending = tokio::spawn(async move {
        for _ in 0..MESSAGES {
            flood.send(&body).await;
            counting.fetch_add(1, Ordering::Relaxed);
        }
        flood
    });
    assert!(stands_still(&shared, &sent).await < MESSAGES);
    // Marks of the hub come between them.
    let mut came = 0;
    while came < MESSAGES {
        came += usize::from(slow.hear().await.len() > MESSAGE);
    }
    in_time(sending).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_ignores_being_named_is_held() {
    let shared = Shared::start().await;
    let mut receiver = Raw::connect(&shared.listener).await;
    receiver.send(&message(&[b"congestion_notices"], "notices", &[0])).await;
    let notices = return_route_of(&receiver.hear().await).concat();
    receiver.send(&message(&[b"static_forwarding_service"], "relay", &bytes_of("receiver"))).await;
    receiver.hear().await;

    let mut flood = subscribed(&shared.listener).await;
    let body = message(&[b"receiver", b"inbox"], "flood", &[7; MESSAGE]);
    flood.send(&body).await;
    let sender = return_route_of(&receiver.hear().await).swap_remove(0);
    let notice = |code: u8| message(&[&notices], "", &[&[code, 0, sender.len() as u8], &sender[..]].concat());
    receiver.send(&notice(4)).await;
    // It is named before the rest comes.
    receiver.send(&message(&[b"receiver", b"inbox"], "itself", &[])).await;
    receiver.hear().await;

    let sent = Arc::new(AtomicUsize::new(0));
    let counting = sent.clone();
    let sending = tokio::spawn(async move {
        for _ in 0..MESSAGES {
            flood.send(&body).await;
            counting.fetch_add(1, Ordering::Relaxed);
        }
        flood
    });
    // It reads all that comes, so nothing but the notice holds the sender.
    let came = Arc::new(AtomicUsize::new(0));
    let (counting, (done, mut until)) = (came.clone(), tokio::sync::oneshot::channel::<()>());
    let reading = tokio::spawn(async move {
        loop {
            tokio::select! {
                frame = receiver.hear() => {
                    counting.fetch_add(usize::from(frame.len() > MESSAGE), Ordering::Relaxed);
                }
                _ = &mut until => return receiver,
            }
        }
    });
    assert!(stands_still(&shared, &sent).await < MESSAGES);
    done.send(()).unwrap();
    let mut receiver = in_time(reading).await.unwrap();
    assert!(came.load(Ordering::Relaxed) * MESSAGE <= 5 * 1024 * 1024);
    receiver.send(&notice(5)).await;
    while came.load(Ordering::Relaxed) < MESSAGES {
        let frame = receiver.hear().await;
        came.fetch_add(usize::from(frame.len() > MESSAGE), Ordering::Relaxed);
    }
    in_time(sending).await.unwrap();
}

/// A text as messages carry it: its length, then its bytes.
fn bytes_of(text: &str) -> Vec<u8> {
    [&[text.len() as u8][..], text.as_bytes()].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_whose_service_does_not_read_holds_up_no_other() {
    let shared = Shared::start().await;
    let service = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = service.local_addr().unwrap().to_string();
    let _outlet = shared.node.create_outlet("outlet", target, OutletOptions::default()).unwrap();
    shared.node.expose("outlet", &shared.session).unwrap();

    // A portal without the extension: a Ping, the Pong with the address of the stream, Payloads.
    let mut fast = Raw::connect(&shared.listener).await;
    fast.send(&message(&[b"shared", b"outlet"], "stream", &[0])).await;
    let pong = fast.hear().await;
    let (mut socket, _) = in_time(service.accept()).await.unwrap();
    let onward = return_route_of(&pong);
    let hops: Vec<&[u8]> = onward.iter().map(Vec::as_slice).collect();

    let sent = Arc::new(AtomicUsize::new(0));
    let payload = [&[3][..], &uint(PAYLOAD), &vec![7; PAYLOAD]].concat();
    let body = message(&hops, "stream", &payload);
    let counting = sent.clone();
    let sending = tokio::spawn(async move {
        for _ in 0..PAYLOADS {
            fast.send(&body).await;
            counting.fetch_add(1, Ordering::Relaxed);
        }
        fast
    });
    assert!(stands_still(&shared, &sent).await < PAYLOADS);
    let mut data = vec![0; PAYLOADS * PAYLOAD];
    in_time(socket.read_exact(&mut data)).await.unwrap();
    assert!(data.iter().all(|&byte| byte == 7));
    let _fast = in_time(sending).await.unwrap();
    socket.shutdown().await.unwrap();
}

/// A length as messages carry it: seven bits a byte, the lowest first.
fn uint(mut number: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}

/// The addresses of a frame's return route, as the frame says them.
fn return_route_of(frame: &[u8]) -> Vec<Vec<u8>> {
    let mut decoder = minicbor::Decoder::new(frame);
    decoder.array().unwrap();
    decoder.skip().unwrap();
    let hops = decoder.array().unwrap().unwrap();
    let mut route = Vec::new();
    for _ in 0..hops {
        decoder.array().unwrap();
        decoder.u8().unwrap();
        route.push(decoder.bytes().unwrap().to_vec());
    }
    route
}
