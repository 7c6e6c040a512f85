//! Portals through a hub, all in one process: bytes, ends, refusals, stalls, outages.

use self::topology::{Topology, ask, echo, serve, start_hub};
use bytes::Bytes;
use postern_node::portal::{EndReason, InletRoute, OutletOptions};
use postern_node::{Context, Limits, Node, Routed, SecureChannelOptions, Worker, WorkerError, route};
use postern_testkit::in_time;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

mod admission;
mod distance;
mod faults;
mod foreign_stream;
mod link;
mod topology;
mod web;

/// A service that answers everything it got once its client has finished.
async fn echo_after_end() -> String {
    serve(|mut socket| async move {
        let mut all = Vec::new();
        socket.read_to_end(&mut all).await?;
        socket.write_all(&all).await
    })
    .await
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn megabytes_both_ways_at_once() {
    let topology = Topology::with_target(&echo().await).await;
    in_time(async {
        let data = bytes(32 << 20);
        let (mut read, mut write) = topology.connect().await.into_split();
        let sent = data.clone();
        tokio::spawn(async move {
            write.write_all(&sent).await.unwrap();
            write.shutdown().await.unwrap();
        });
        let mut back = Vec::new();
        read.read_to_end(&mut back).await.unwrap();
        assert!(back == data);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_has_finished_sending_still_gets_its_answer() {
    let topology = Topology::with_target(&echo_after_end().await).await;
    in_time(async {
        for len in [0, 1, 100_000, 4 << 20] {
            let mut client = topology.connect().await;
            client.write_all(&bytes(len)).await.unwrap();
            client.shutdown().await.unwrap();
            let mut back = Vec::new();
            client.read_to_end(&mut back).await.unwrap();
            assert!(back == bytes(len), "{len}: {}", back.len());
        }
        while topology.owner.stats().streams.get() + topology.friend.stats().streams.get() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_service_that_is_not_there_is_an_error_at_once() {
    let nowhere = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let topology = Topology::with_target(&nowhere.to_string()).await;
    for _ in 0..3 {
        let mut client = topology.connect().await;
        let refused = in_time(client.read(&mut [0; 1])).await;
        assert_eq!(refused.map_err(|error| error.kind()), Err(io::ErrorKind::ConnectionReset));
    }
    assert_eq!(EndReason::Refused.to_string(), "the service refused the connection: is it running?");
}

#[tokio::test]
async fn a_reset_is_forwarded() {
    let service = serve(|socket| async move {
        socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
        Ok(())
    });
    let topology = Topology::with_target(&service.await).await;
    let mut client = topology.connect().await;
    let reset = in_time(client.read(&mut [0; 1])).await;
    assert_eq!(reset.map_err(|error| error.kind()), Err(io::ErrorKind::ConnectionReset));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_streams_delay_no_others_and_hold_bounded_memory() {
    let service = serve(|mut socket| async move {
        let kind = socket.read_u8().await?;
        if kind == b'e' {
            let (mut read, mut write) = socket.split();
            return tokio::io::copy(&mut read, &mut write).await.map(drop);
        }
        let chunk = vec![7; 64 * 1024];
        loop {
            socket.write_all(&chunk).await?;
        }
    });
    let topology = Topology::with_target(&service.await).await;
    in_time(async {
        let mut stalled = Vec::new();
        for _ in 0..64 {
            let mut client = topology.connect().await;
            client.write_all(b"s").await.unwrap();
            stalled.push(client);
        }
        let mut live = topology.connect().await;
        live.write_all(b"e").await.unwrap();
        for round in 0..200u32 {
            live.write_all(&round.to_be_bytes()).await.unwrap();
            assert_eq!(live.read_u32().await.unwrap(), round);
        }
        // New connections open too.
        let mut another = topology.connect().await;
        another.write_all(b"ex").await.unwrap();
        assert_eq!(another.read_u8().await.unwrap(), b'x');
        // And the stalled ones go on where they stopped.
        for mut client in stalled {
            let mut some = vec![0; 1 << 20];
            client.read_exact(&mut some).await.unwrap();
            assert!(some.iter().all(|byte| *byte == 7));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_outage_ends_streams_with_an_error_and_needs_no_restart_of_others() {
    let topology = Topology::with_target(&echo().await).await;
    in_time(async {
        let mut client = topology.connect().await;
        client.write_all(b"x").await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'x');
        topology.hub.shutdown().await;
        let ended = client.read(&mut [0; 1]).await;
        assert_eq!(ended.map_err(|error| error.kind()), Err(io::ErrorKind::ConnectionReset));
        // While it is down an inlet refuses at once.
        assert!(ask(topology.address(), b'y').await.is_err());

        let (_hub, _) = start_hub(&topology.hub_address.to_string()).await;
        while ask(topology.address(), b'y').await.is_err() {}
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outlet_opens_no_more_streams_than_its_limit() {
    let topology = Topology::with_limits(&echo().await, Limits { streams: 2, ..Limits::default() }).await;
    in_time(async {
        let mut refused = topology.inlet.refused();
        let (mut first, mut second) = (topology.connect().await, topology.connect().await);
        for client in [&mut first, &mut second] {
            client.write_u8(7).await.unwrap();
            assert_eq!(client.read_u8().await.unwrap(), 7);
        }
        assert!(ask(topology.address(), 7).await.is_err());
        refused.wait_for(|reason| *reason == Some(EndReason::TooMany)).await.unwrap();
        drop(first);
        while ask(topology.address(), 8).await.is_err() {
            tokio::task::yield_now().await;
        }
        drop(second);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_connections_at_once() {
    let topology = Topology::with_target(&echo().await).await;
    in_time(async {
        let mut clients = tokio::task::JoinSet::new();
        for number in 0..200u32 {
            let mut client = topology.connect().await;
            clients.spawn(async move {
                let data = bytes(100_000 + number as usize);
                let (mut read, mut write) = client.split();
                let mut back = vec![0; data.len()];
                let (sent, got) = tokio::join!(write.write_all(&data), read.read_exact(&mut back));
                sent.unwrap();
                got.unwrap();
                assert!(back == data);
            });
        }
        clients.join_all().await;
    })
    .await;
}

/// A service that takes one connection and no more, so that further ones wait for ever to be made.
async fn only_one() -> (String, impl Drop) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    socket.listen(0).unwrap();
    socket.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(socket.into()).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await?;
        let (mut read, mut write) = socket.split();
        tokio::io::copy(&mut read, &mut write).await?;
        drop(listener);
        io::Result::Ok(())
    });
    struct Abort(tokio::task::AbortHandle);
    impl Drop for Abort {
        fn drop(&mut self) {
            self.0.abort();
        }
    }
    (address, Abort(serving.abort_handle()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_slow_to_accept_does_not_end_open_streams() {
    let (service, _serving) = only_one().await;
    let topology = Topology::with_target(&service).await;
    in_time(async {
        let mut live = topology.connect().await;
        live.write_u32(7).await.unwrap();
        assert_eq!(live.read_u32().await.unwrap(), 7);
        let mut waiting = Vec::new();
        let begun = tokio::time::Instant::now();
        let mut round = 0u32;
        while begun.elapsed() < Duration::from_secs(5) {
            if waiting.len() < 8 {
                waiting.push(topology.connect().await);
            }
            live.write_u32(round).await.unwrap();
            assert_eq!(live.read_u32().await.unwrap(), round);
            round += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(topology.owner.stats().channels.get(), 1);
    })
    .await;
}

#[tokio::test]
async fn closing_an_inlet_or_outlet_resets_its_streams_and_frees_them() {
    let (hub, address) = start_hub("127.0.0.1:0").await;
    let (owner, friend) = (Node::new(), Node::new());
    let any = SecureChannelOptions::trust_anyone;
    let (a, b) = (owner.create_identity().await.unwrap(), friend.create_identity().await.unwrap());
    let listener = owner.create_secure_channel_listener(&a, "listener", any()).await.unwrap();
    let to_hub = owner.tcp_connect(address.to_string()).await.unwrap();
    let relay = owner.create_relay(&to_hub, None).await.unwrap();
    owner.expose("listener", &to_hub).unwrap();
    let connection = friend.tcp_connect(address.to_string()).await.unwrap();
    let channel =
        friend.create_secure_channel(&b, route![&connection, relay.address(), "listener"], any()).await.unwrap();
    for closed in ["inlet", "outlet", "channel"] {
        let outlet = owner.create_outlet("outlet", echo().await, OutletOptions::default()).unwrap();
        owner.expose("outlet", &listener).unwrap();
        let inlet = friend.create_inlet("127.0.0.1:0", route![&channel, "outlet"]).await.unwrap();
        let mut client = TcpStream::connect(inlet.local_addr()).await.unwrap();
        client.write_u8(7).await.unwrap();
        assert_eq!(in_time(client.read_u8()).await.unwrap(), 7);
        match closed {
            "inlet" => inlet.close(),
            "outlet" => outlet.close(),
            _ => channel.close(),
        }
        let reset = in_time(client.read_u8()).await.map_err(|error| error.kind());
        assert_eq!(reset, Err(io::ErrorKind::ConnectionReset), "{closed}");
        in_time(async {
            while owner.stats().streams.get() + friend.stats().streams.get() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        outlet.close();
    }
    hub.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_buffers_in_both_directions_do_not_deadlock() {
    let topology = Topology::with_target(&echo().await).await;
    in_time(async {
        let mut clients = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let client = topology.connect().await;
            clients.spawn(async move {
                let data = bytes(1 << 20);
                let (mut read, mut write) = client.into_split();
                let sent = data.clone();
                let sending = tokio::spawn(async move { write.write_all(&sent).await.map(|()| write) });
                let mut back = vec![0; data.len()];
                read.read_exact(&mut back).await.unwrap();
                drop(sending.await.unwrap().unwrap());
                assert!(back == data);
            });
        }
        clients.join_all().await;
    })
    .await;
}

/// An outlet that is silent from the start: whoever asks it, and is not answered, must not ask again and again
/// without waiting, or the thread does nothing else any more.
#[test]
fn a_silent_outlet_occupies_no_thread() {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let topology = Topology::with_target("127.0.0.1:9").await;
            topology.outlet.close();
            let mut client = topology.connect().await;
            // Reset when nobody has answered in time.
            assert!(client.read_u8().await.is_err());
        });
        tell.send(()).unwrap();
    });
    told.recv_timeout(Duration::from_secs(90)).expect("a runtime that still runs");
}

/// Passes everything on, and counts it.
struct Hop(Arc<AtomicUsize>);

impl Worker for Hop {
    type Message = Bytes;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<Bytes>) -> Result<(), WorkerError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(context.step_forward(message).await?)
    }
}

/// The way behind a kept channel may go on over workers of the other node.
#[tokio::test]
async fn an_outlet_behind_another_worker_is_reached() {
    let (owner, friend) = (Node::new(), Node::new());
    let identity = owner.create_identity().await.unwrap();
    let any = SecureChannelOptions::trust_anyone;
    let channels = owner.create_secure_channel_listener(&identity, "listener", any()).await.unwrap();
    let tcp = owner.tcp_listen("127.0.0.1:0").await.unwrap();
    owner.expose("listener", &tcp).unwrap();
    let passed = Arc::default();
    owner.start_worker("hop", Hop(Arc::clone(&passed))).unwrap();
    owner.expose("hop", &channels).unwrap();
    owner.create_outlet("outlet", echo().await, OutletOptions::default()).unwrap();

    let session = friend.keep_connected(tcp.local_addr().to_string(), None);
    let me = friend.create_identity().await.unwrap();
    let channel = friend.keep_channel(&session, &me, route!["listener"], any()).await.unwrap();
    channel.up().await.unwrap();
    let inlet = friend.create_inlet("127.0.0.1:0", InletRoute::Kept(channel, route!["hop", "outlet"])).await.unwrap();
    in_time(async {
        let mut client = TcpStream::connect(inlet.local_addr()).await.unwrap();
        client.write_all(b"hello").await.unwrap();
        client.read_exact(&mut [0; 5]).await.unwrap();
    })
    .await;
    assert!(passed.load(Ordering::Relaxed) > 0);
}
