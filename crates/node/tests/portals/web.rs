//! Web portals: what browsers of the friend may send through an inlet, and both loopback addresses.

use super::topology::{echo, serve};
use postern_node::portal::{
    EndReason, Inlet, InletOptions, Outlet, OutletOptions, PortalError, RequestCheck, Unavailable,
};
use postern_node::{Node, route};
use postern_testkit::in_time;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const OWN: &str = "wiki.ann.localhost";

/// A web server that answers each request with its head, and what it was sent in all.
struct WebServer {
    address: String,
    received: Arc<Mutex<Vec<u8>>>,
    accepted: Arc<Mutex<usize>>,
}

impl WebServer {
    async fn start() -> Self {
        let (received, accepted) = (Arc::<Mutex<Vec<u8>>>::default(), Arc::<Mutex<usize>>::default());
        let (all, count) = (received.clone(), accepted.clone());
        let address = serve(move |mut socket| {
            let all = all.clone();
            *count.lock().unwrap() += 1;
            async move {
                let (mut pending, mut buffer) = (Vec::new(), [0; 4096]);
                loop {
                    let read = socket.read(&mut buffer).await?;
                    if read == 0 {
                        return Ok(());
                    }
                    all.lock().unwrap().extend_from_slice(&buffer[..read]);
                    pending.extend_from_slice(&buffer[..read]);
                    while let Some(end) = pending.windows(4).position(|it| it == b"\r\n\r\n") {
                        let head: Vec<u8> = pending.drain(..end + 4).collect();
                        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", head.len());
                        socket.write_all(&[answer.into_bytes(), head].concat()).await?;
                    }
                }
            }
        })
        .await;
        Self { address, received, accepted }
    }

    fn received(&self) -> String {
        String::from_utf8(self.received.lock().unwrap().clone()).unwrap()
    }
}

/// A checked inlet for a service, and the nodes of both ends.
async fn portal(target: &str) -> (Inlet, Node, Node) {
    portal_with(target, RequestCheck::new(OWN)).await
}

async fn portal_with(target: &str, check: RequestCheck) -> (Inlet, Node, Node) {
    let portal = described_portal(target, check).await;
    (portal.inlet, portal.owner, portal.friend)
}

/// Both ends of a portal.
struct Portal {
    inlet: Inlet,
    outlet: Outlet,
    owner: Node,
    friend: Node,
}

async fn described_portal(target: &str, check: RequestCheck) -> Portal {
    let (owner, friend) = (Node::new(), Node::new());
    let outlet = owner.create_outlet("outlet", target, OutletOptions::default()).unwrap();
    let listener = owner.tcp_listen("127.0.0.1:0").await.unwrap();
    owner.expose("outlet", &listener).unwrap();
    let connection = friend.tcp_connect(listener.local_addr().to_string()).await.unwrap();
    let options = InletOptions { request_check: Some(check) };
    let inlet = friend.create_inlet_with("localhost:0", route![&connection, "outlet"], options).await.unwrap();
    Portal { inlet, outlet, owner, friend }
}

fn get(headers: &str) -> String {
    format!("GET / HTTP/1.1\r\n{headers}\r\n")
}

/// Sends, and reads until the other side closes; this side stays open, as a browser's does.
async fn ask(inlet: &Inlet, request: &str) -> String {
    let mut client = TcpStream::connect(inlet.local_addr()).await.unwrap();
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    in_time(client.read_to_string(&mut answer)).await.unwrap();
    answer
}

/// Reads one response with a length.
async fn response(client: &mut TcpStream) -> String {
    let mut text = Vec::new();
    in_time(async {
        loop {
            text.push(client.read_u8().await.unwrap());
            if !text.ends_with(b"\r\n\r\n") {
                continue;
            }
            let head = String::from_utf8(text.clone()).unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
            let mut body = vec![0; length.parse().unwrap()];
            client.read_exact(&mut body).await.unwrap();
            text.extend(body);
            return;
        }
    })
    .await;
    String::from_utf8(text).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_other_sites_request_never_reaches_the_service() {
    let server = WebServer::start().await;
    let (inlet, _owner, _friend) = portal(&server.address).await;
    let own = format!("Host: {OWN}\r\n");
    for (request, status, why) in [
        (get("Host: evil.example\r\n"), "403", "DNS rebinding"),
        (get(&format!("{own}Sec-Fetch-Site: cross-site\r\n")), "403", "another site"),
        (get(&format!("{own}Origin: http://evil.example\r\n")), "403", "another site"),
        (get("Host: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n"), "400", "both a length"),
        ("\u{16}\u{3}\u{1}".to_owned(), "400", "not HTTP/1.1"),
        (get("Host: localhost\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"), "307", OWN),
    ] {
        let answer = ask(&inlet, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(why), "{request}: {answer}");
    }
    assert_eq!(
        (server.received(), *server.accepted.lock().unwrap()),
        (String::new(), 0),
        "nothing, not even a connection"
    );
    // What is refused names neither service nor owner: with DNS rebinding a strange page reads it.
    assert!(!ask(&inlet, &get("Host: evil.example\r\n")).await.contains("ann"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_sees_localhost() {
    let server = WebServer::start().await;
    let (inlet, _owner, _friend) = portal(&server.address).await;
    let mut client = TcpStream::connect(inlet.local_addr()).await.unwrap();
    for _ in 0..3 {
        client.write_all(get(&format!("Host: {OWN}:8\r\nOrigin: http://{OWN}:8\r\n")).as_bytes()).await.unwrap();
        let answer = response(&mut client).await;
        assert!(answer.ends_with(&get("Host: localhost:8\r\nOrigin: http://localhost:8\r\n")), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_request_of_a_connection_is_refused_behind_the_responses_before_it() {
    let server = WebServer::start().await;
    let (inlet, _owner, _friend) = portal(&server.address).await;
    let (good, bad) = (get("Host: localhost\r\n"), get("Host: evil.example\r\n"));
    for together in [true, false] {
        server.received.lock().unwrap().clear();
        let mut client = TcpStream::connect(inlet.local_addr()).await.unwrap();
        if together {
            client.write_all(format!("{good}{good}{bad}{good}").as_bytes()).await.unwrap();
        } else {
            client.write_all(format!("{good}{good}").as_bytes()).await.unwrap();
        }
        for _ in 0..2 {
            assert!(response(&mut client).await.starts_with("HTTP/1.1 200 "));
        }
        if !together {
            client.write_all(bad.as_bytes()).await.unwrap();
        }
        let mut last = String::new();
        in_time(client.read_to_string(&mut last)).await.unwrap();
        assert!(last.starts_with("HTTP/1.1 403 "), "{last}");
        assert_eq!(server.received(), format!("{good}{good}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_and_upgrades_pass_untouched() {
    let (inlet, _owner, _friend) = portal(&echo().await).await;
    let body: Vec<u8> = (0..8_u32 << 20).map(|it| (it.wrapping_mul(0x9e37_79b9) >> 24) as u8).collect();
    let length = format!("PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
    let upgrade = get("Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n");
    for head in [length, upgrade, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()] {
        let sent = [head.as_bytes(), &body].concat();
        let (mut read, mut write) = TcpStream::connect(inlet.local_addr()).await.unwrap().into_split();
        let all = sent.clone();
        let sending = tokio::spawn(async move {
            write.write_all(&all).await.unwrap();
            write.shutdown().await.unwrap();
        });
        let mut back = Vec::new();
        in_time(read.read_to_end(&mut back)).await.unwrap();
        sending.await.unwrap();
        assert!(back == sent, "{head}: {} of {} bytes", back.len(), sent.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_takes_too_long_is_refused() {
    let server = WebServer::start().await;
    let check = RequestCheck::new(OWN).head_timeout(Duration::from_millis(500));
    let (inlet, _owner, _friend) = portal_with(&server.address, check).await;
    let answer = ask(&inlet, "GET / HTTP/1.1\r\nHost: local").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(ask(&inlet, "").await, "", "a connection that is not used is closed without a word");
    let later = ask(&inlet, &format!("{}GET /later", get("Host: localhost\r\n"))).await;
    assert!(later.starts_with("HTTP/1.1 200 ") && later.contains("HTTP/1.1 408 "), "{later}");
    assert_eq!(server.received(), get("Host: localhost\r\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inlet_on_localhost_is_on_both_addresses_or_on_none() {
    let (owner, friend) = (Node::new(), Node::new());
    owner.create_outlet("outlet", echo().await, OutletOptions::default()).unwrap();
    let listener = owner.tcp_listen("127.0.0.1:0").await.unwrap();
    owner.expose("outlet", &listener).unwrap();
    let connection = friend.tcp_connect(listener.local_addr().to_string()).await.unwrap();
    let route = || route![&connection, "outlet"];
    let Ok(other) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await else {
        eprintln!("this machine has no IPv6");
        return;
    };
    let shadow = other.local_addr().unwrap();
    let refused = friend.create_inlet(format!("localhost:{}", shadow.port()), route()).await.err().unwrap();
    assert!(
        matches!(&refused, postern_node::Error::Portal(PortalError::Listen { address, .. })
        if *address == shadow.to_string()),
        "{refused}"
    );

    let inlet = friend.create_inlet("localhost:0", route()).await.unwrap();
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, inlet.local_addr().port()));
    assert!(TcpListener::bind(v6).await.is_err(), "nobody else can listen there");
    for address in [inlet.local_addr(), v6] {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_u8(7).await.unwrap();
        assert_eq!(in_time(client.read_u8()).await.unwrap(), 7, "{address}");
    }
}

/// What a browser sends that opens a page.
const BROWSER: &str = "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n";

/// A check whose answers say what the stream was told.
fn described() -> RequestCheck {
    RequestCheck::new(OWN).describe_unavailable(|reason| Unavailable {
        name: "<b>Wiki</b>".to_owned(),
        reason: format!("{reason:?} & more."),
        retry_after: Duration::from_secs(3),
        is_passing: reason != Some(EndReason::NotAllowed),
    })
}

/// Asks as [`ask`] does: the answer, or the error of a reset.
async fn try_ask(inlet: &Inlet, request: &str) -> std::io::Result<String> {
    let mut client = TcpStream::connect(inlet.local_addr()).await.unwrap();
    client.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    in_time(client.read_to_string(&mut answer)).await?;
    Ok(answer)
}

/// A GET, a HEAD, a form and a program's request: all are answered with the reason, each in its form.
async fn assert_answered(inlet: &Inlet, reason: &str) {
    let own = format!("Host: {OWN}\r\n");
    let page = ask(inlet, &get(&format!("{own}{BROWSER}"))).await;
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 503 "), "{page}");
    for header in ["Retry-After: 3", "Cache-Control: no-store", "Content-Type: text/html", "Policy: default-src 'none'"]
    {
        assert!(head.contains(header), "{header}: {head}");
    }
    assert!(
        head.ends_with("Connection: close") && head.contains(&format!("Content-Length: {}\r\n", body.len())),
        "{head}"
    );
    assert!(body.contains(&format!("{reason} &amp; more.")) && body.contains("&lt;b&gt;Wiki&lt;/b&gt;"), "{body}");
    assert!(body.contains("http-equiv=\"refresh\" content=\"3\"") && !body.contains("src="), "{body}");

    let plain = ask(inlet, &get(&own)).await;
    assert!(plain.starts_with("HTTP/1.1 503 ") && plain.contains("Content-Type: text/plain"), "{plain}");
    assert!(plain.contains(&format!("<b>Wiki</b> is not available.\n\n{reason} & more.\n")), "{plain}");
    let head = ask(inlet, &format!("HEAD / HTTP/1.1\r\n{own}{BROWSER}\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 503 ") && head.ends_with("\r\n\r\n"), "{head}");
    let form = format!("POST / HTTP/1.1\r\n{own}{BROWSER}Content-Length: 3\r\n\r\na=b");
    let form = ask(inlet, &form).await;
    assert!(form.starts_with("HTTP/1.1 503 ") && !form.contains("refresh"), "{form}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_get_the_reason_while_the_other_side_is_not_connected() {
    let server = WebServer::start().await;
    let Portal { inlet, owner, friend: _friend, .. } = described_portal(&server.address, described()).await;
    owner.shutdown().await;
    // The connection is gone as soon as the friend's node has noticed.
    let is_noticed = async || try_ask(&inlet, &get("Host: localhost\r\n")).await.is_ok_and(|it| it.contains("None"));
    in_time(async { while !is_noticed().await {} }).await;
    assert_answered(&inlet, "None").await;
    // What is not allowed is refused as ever, without a name.
    let refused = ask(&inlet, &get(&format!("Host: evil.example\r\n{BROWSER}"))).await;
    assert!(refused.starts_with("HTTP/1.1 403 ") && refused.contains("DNS rebinding"), "{refused}");
    assert!(refused.contains("<!doctype html>") && !refused.contains("Wiki"), "{refused}");
    // What cannot be answered is reset, as it is through a portal of another kind.
    let large = get(&format!("Host: localhost\r\nX: {}\r\n", "x".repeat(9000)));
    for other in ["", "GET / HTTP/1.1\r\nHost: local", "\u{16}\u{3}\u{1}", "SSH-2.0-x\r\n", &large] {
        let reset = try_ask(&inlet, other).await;
        assert!(
            reset.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset),
            "{other}: {reset:?}"
        );
    }
    assert_eq!(server.received(), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_get_the_reason_why_their_stream_was_refused() {
    let server = WebServer::start().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = closed.local_addr().unwrap().to_string();
    drop(closed);
    // Once without knowing whether the other side has the extension, then knowing it: then the request was sent already.
    let portal = described_portal(&nobody, described()).await;
    assert_answered(&portal.inlet, "Some(Refused)").await;
    portal.outlet.retarget(server.address.as_str());
    let mut client = TcpStream::connect(portal.inlet.local_addr()).await.unwrap();
    client.write_all(get("Host: localhost\r\n").as_bytes()).await.unwrap();
    assert!(response(&mut client).await.starts_with("HTTP/1.1 200 "));
    portal.outlet.retarget(nobody.as_str());
    assert_answered(&portal.inlet, "Some(Refused)").await;
    // HTTP/2 has other answers.
    let reset = try_ask(&portal.inlet, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(reset.is_err(), "{reset:?}");
    drop(portal.friend);
}
