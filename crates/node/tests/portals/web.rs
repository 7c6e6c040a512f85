//! Web portals: what browsers of the friend may send through an inlet, and both loopback addresses.

use super::topology::{echo, serve};
use postern_node::portal::{Inlet, InletOptions, OutletOptions, PortalError, RequestCheck};
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
    let (owner, friend) = (Node::new(), Node::new());
    owner.create_outlet("outlet", target, OutletOptions::default()).unwrap();
    let listener = owner.tcp_listen("127.0.0.1:0").await.unwrap();
    owner.expose("outlet", &listener).unwrap();
    let connection = friend.tcp_connect(listener.local_addr().to_string()).await.unwrap();
    let options = InletOptions { request_check: Some(check) };
    let inlet = friend.create_inlet_with("localhost:0", route![&connection, "outlet"], options).await.unwrap();
    (inlet, owner, friend)
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
