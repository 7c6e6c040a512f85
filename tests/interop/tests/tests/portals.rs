//! Portals with one end theirs and one ours.

use interop::Side::{Ours, Real};
use interop::wire::Frame;
use interop::{LONG, MIXED, Peer, Portal, Side, WAYS};
use postern_testkit::{Capture, Payload, Received, Service, Sink};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::thread;

const GIBIBYTE: u64 = 1 << 30;

#[test]
fn a_gigabyte_each_way_directly() {
    for (inlet, outlet) in MIXED {
        carries_a_gigabyte(|target| Portal::direct(inlet, outlet, target), &format!("{inlet:?} to {outlet:?}"));
    }
}

#[test]
fn a_gigabyte_each_way_over_our_hub() {
    for (inlet, outlet) in MIXED {
        carries_a_gigabyte(|target| Portal::over_our_hub(inlet, outlet, target), &format!("{inlet:?} to {outlet:?}"));
    }
}

fn carries_a_gigabyte(portal: impl Fn(SocketAddr) -> Portal, which: &str) {
    let payload = Payload::new(GIBIBYTE + 17);
    let sink = Sink::start();
    let upload = portal(sink.address());
    upload.upload(payload);
    let received = sink.next(LONG);
    let whole = Received { bytes: payload.length(), sha256: payload.sha256(), error: None };
    assert_eq!(received, whole, "{which}");
    let source = Service::source(payload);
    assert_eq!(portal(source.address()).download(payload.length()), payload.sha256(), "{which}");
}

/// Every question waits for its answer, so each is a record of its own: through one channel, more than 3,000 keys each
/// way. The first stream asks more often than its counter of 16 bits can say, so that it begins again at 0.
#[test]
fn a_hundred_thousand_records_each_way() {
    const QUESTIONS: [u32; 8] = [66_000, 5_000, 5_000, 5_000, 5_000, 5_000, 5_000, 5_000];
    for (way, portal) in WAYS {
        for (inlet, outlet) in MIXED {
            let echo = Service::echo();
            let portal = portal(inlet, outlet, echo.address());
            let converse = |mut client: TcpStream, which: usize| {
                for number in 0..QUESTIONS[which] {
                    let question = (number * 8 + which as u32).to_be_bytes();
                    client.write_all(&question).expect("it is carried");
                    let mut answer = [0; 4];
                    client.read_exact(&mut answer).expect("it is carried");
                    assert_eq!(answer, question, "{inlet:?} to {outlet:?} {way}");
                }
            };
            thread::scope(|scope| {
                for which in 0..QUESTIONS.len() {
                    let client = portal.connect();
                    scope.spawn(move || converse(client, which));
                }
            });
        }
    }
}

#[test]
fn fifty_connections_at_once() {
    for (way, portal) in WAYS {
        for (inlet, outlet) in MIXED {
            let which = format!("{inlet:?} to {outlet:?} {way}");
            carries_fifty_at_once(|target| portal(inlet, outlet, target), &which);
        }
    }
}

fn carries_fifty_at_once(portal: impl Fn(SocketAddr) -> Portal, which: &str) {
    const CLIENTS: u64 = 50;
    let echo = Service::echo();
    let portal = portal(echo.address());
    // Each has been answered once, so that the service has taken all of them; none transfers before.
    let clients: Vec<TcpStream> = thread::scope(|scope| {
        let greeted = || {
            let mut client = portal.connect();
            client.set_read_timeout(Some(interop::TIMEOUT)).expect("a socket");
            client.write_all(b"?").expect("it is carried");
            client.read_exact(&mut [0]).expect("it is carried");
            client
        };
        let greeting: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(greeted)).collect();
        greeting.into_iter().map(|client| client.join().expect("it is answered")).collect()
    });
    assert_eq!(echo.live(), clients.len(), "{which}");
    let together = Barrier::new(clients.len());
    thread::scope(|scope| {
        for (client, number) in clients.into_iter().zip(0..) {
            let (echo, together) = (&echo, &together);
            scope.spawn(move || {
                let payload = Payload::new(300_000 + number).seeded(number);
                let mut reader = client.try_clone().expect("a socket");
                let mut back = vec![0; payload.length() as usize];
                together.wait();
                thread::scope(|scope| {
                    scope.spawn(|| io::copy(&mut payload.reader(), &mut &client).expect("it is carried"));
                    reader.read_exact(&mut back).expect("it is carried");
                });
                assert!(back == payload.bytes(), "{which}, connection {number}");
                // None has gone before the last is served.
                together.wait();
                assert_eq!(echo.live(), 50, "{which}");
                together.wait();
            });
        }
    });
    // Closing one end closes the other.
    postern_testkit::eventually("the service's connections to end", interop::TIMEOUT, || {
        (echo.live() == 0).then_some(())
    });
}

/// What the portal's two ends say to each other, when nothing encrypts it.
fn overheard(inlet: Side, outlet: Side) -> [Vec<Vec<u8>>; 2] {
    let echo = Service::echo();
    let owner = Peer::start(outlet);
    let address = owner.tell("listen");
    owner.tell(&format!("outlet {}", echo.address()));
    let between = Capture::recording(address.parse().expect("an address"));
    let friend = Peer::start(inlet);
    friend.tell(&format!("connect {}", between.address()));
    let inlet = friend.tell("inlet");
    let mut client = TcpStream::connect(inlet).expect("the inlet listens");
    for round in 0..40u32 {
        client.write_all(&round.to_be_bytes()).expect("it is carried");
        client.read_exact(&mut [0; 4]).expect("it is carried");
    }
    // Enough for any credit to be given.
    let payload = Payload::new(3 << 20);
    let mut reader = client.try_clone().expect("a socket");
    thread::scope(|scope| {
        scope.spawn(|| io::copy(&mut payload.reader(), &mut client).expect("it is carried"));
        reader.read_exact(&mut vec![0; 3 << 20]).expect("it is carried");
    });
    drop((client, reader));
    postern_testkit::eventually("the service's connection to end", interop::TIMEOUT, || {
        (echo.live() == 0).then_some(())
    });
    drop((friend, owner));
    let recorded = between.recorded();
    let said = |index: usize| -> Vec<Vec<u8>> {
        Frame::all(&recorded[index]).into_iter().map(|frame| frame.payload).collect()
    };
    [said(0), said(1)]
}

fn tags(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut tags: Vec<u8> = messages.iter().map(|message| message[0]).collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}

#[test]
fn our_extension_is_spoken_between_ours_only() {
    let [asked, answered] = overheard(Ours, Ours);
    assert!(asked[0].starts_with(b"\x00pst\x01"));
    assert!(answered[0].starts_with(b"\x01pst\x01"));
    assert!(tags(&asked).contains(&4) && tags(&answered).contains(&4), "no credit was given");
    assert!(tags(&asked).contains(&5), "no Finish was said");

    for (inlet, outlet) in MIXED {
        let [asked, answered] = overheard(inlet, outlet);
        assert!(tags(&asked).iter().all(|tag| *tag <= 3), "{inlet:?} to {outlet:?}: {:?}", tags(&asked));
        assert!(tags(&answered).iter().all(|tag| *tag <= 3), "{inlet:?} to {outlet:?}: {:?}", tags(&answered));
        assert_eq!(answered[0], [1], "{outlet:?}");
        // Our inlet offers it, since it cannot know; a real outlet takes that for a plain Ping.
        match inlet {
            Ours => assert!(asked[0].starts_with(b"\x00pst\x01")),
            Real => assert_eq!(asked[0], [0]),
        }
        // No reason, which the other could not read; and no Finish instead.
        let ends: Vec<_> = asked.iter().filter(|message| message[0] == 2).collect();
        assert_eq!(ends, [&[2]], "{inlet:?}");
    }
}

/// Only ours put a counter behind their payloads, and theirs accept it.
#[test]
fn payloads_of_ours_are_counted() {
    for (inlet, outlet) in MIXED {
        let [asked, answered] = overheard(inlet, outlet);
        for (side, said) in [(inlet, asked), (outlet, answered)] {
            let payloads = said.iter().filter(|message| message[0] == 3);
            for (number, message) in payloads.take(40).enumerate() {
                let counter = [1, number as u8, 0];
                assert_eq!(message.len(), if side == Ours { 9 } else { 6 }, "{side:?} {message:02x?}");
                assert_eq!(message.ends_with(&counter), side == Ours, "{side:?} {message:02x?}");
            }
        }
    }
}
