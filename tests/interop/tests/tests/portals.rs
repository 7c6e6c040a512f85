//! Portals with one end theirs and one ours.

use interop::Side::{Ours, Real};
use interop::wire::Frame;
use interop::{MIXED, Peer, Side};
use postern_tests::{Capture, Payload, Received, Service, Sha256, Sink};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

const GIBIBYTE: u64 = 1 << 30;
/// How long a gigabyte or a hundred thousand answers may take on a small machine busy with something else.
const LONG: Duration = Duration::from_secs(900);

/// An inlet and the outlet behind it, through a channel.
struct Portal {
    inlet: SocketAddr,
    _nodes: Vec<Peer>,
}

impl Portal {
    /// The channel goes over one TCP connection.
    #[track_caller]
    fn direct(inlet: Side, outlet: Side, target: SocketAddr) -> Self {
        let (owner, _) = Peer::with_identity(outlet);
        let address = owner.tell("listen");
        owner.tell("listener listener");
        owner.tell(&format!("outlet {target}"));
        Self::to(inlet, owner, &address, "listener", Vec::new())
    }

    /// The channel goes through a hub of ours.
    #[track_caller]
    fn over_our_hub(inlet: Side, outlet: Side, target: SocketAddr) -> Self {
        let (hub, address) = Peer::hub(Ours, "forward_to_");
        let (owner, _) = Peer::with_identity(outlet);
        owner.tell(&format!("connect {address}"));
        owner.tell("listener listener");
        owner.tell(&format!("outlet {target}"));
        let relay = owner.tell("relay owner");
        Self::to(inlet, owner, &address, &format!("{relay}/listener"), vec![hub])
    }

    #[track_caller]
    fn to(inlet: Side, owner: Peer, address: &str, route: &str, mut nodes: Vec<Peer>) -> Self {
        let (friend, _) = Peer::with_identity(inlet);
        friend.tell(&format!("connect {address}"));
        friend.tell(&format!("channel {route}"));
        let inlet = friend.tell("inlet").parse().expect("an address");
        nodes.extend([owner, friend]);
        Self { inlet, _nodes: nodes }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.inlet).expect("the inlet listens");
        stream.set_read_timeout(Some(LONG)).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        stream
    }

    /// Sends everything and says that it was all.
    fn upload(&self, payload: Payload) {
        let mut client = self.connect();
        io::copy(&mut payload.reader(), &mut client).expect("it is carried");
        client.shutdown(Shutdown::Write).expect("it is connected");
        // A portal with one of theirs ends as a whole, and this end of it before the last byte has arrived.
        let _ = io::copy(&mut client, &mut io::sink());
    }

    /// Reads that many bytes and gives their hash.
    fn download(&self, length: u64) -> String {
        let mut hash = Sha256::default();
        let got = io::copy(&mut self.connect().take(length), &mut hash).expect("it is carried");
        assert_eq!(got, length);
        hash.finish()
    }
}

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

/// Every question waits for its answer, so each is a record of its own: through one channel, more than 3,000 keys each way.
#[test]
fn a_hundred_thousand_records_each_way() {
    const CLIENTS: u32 = 8;
    const QUESTIONS: u32 = 12_600;
    for (inlet, outlet) in MIXED {
        let echo = Service::echo();
        let portal = Portal::over_our_hub(inlet, outlet, echo.address());
        let converse = |mut client: TcpStream, which: u32| {
            for number in 0..QUESTIONS {
                let question = (which * QUESTIONS + number).to_be_bytes();
                client.write_all(&question).expect("it is carried");
                let mut answer = [0; 4];
                client.read_exact(&mut answer).expect("it is carried");
                assert_eq!(answer, question, "{inlet:?} to {outlet:?}");
            }
        };
        thread::scope(|scope| {
            for which in 0..CLIENTS {
                let client = portal.connect();
                scope.spawn(move || converse(client, which));
            }
        });
    }
}

#[test]
fn fifty_connections_at_once() {
    for (inlet, outlet) in MIXED {
        let echo = Service::echo();
        let portal = Portal::over_our_hub(inlet, outlet, echo.address());
        thread::scope(|scope| {
            for number in 0..50 {
                let portal = &portal;
                scope.spawn(move || {
                    let payload = Payload::new(300_000 + number).seeded(number);
                    let client = portal.connect();
                    let mut reader = client.try_clone().expect("a socket");
                    let mut back = vec![0; payload.length() as usize];
                    thread::scope(|scope| {
                        scope.spawn(|| io::copy(&mut payload.reader(), &mut &client).expect("it is carried"));
                        reader.read_exact(&mut back).expect("it is carried");
                    });
                    assert!(back == payload.bytes(), "{inlet:?} to {outlet:?}, connection {number}");
                });
            }
        });
        // Closing one end closes the other.
        postern_tests::eventually("the service's connections to end", interop::SOON, || {
            (echo.live() == 0).then_some(())
        });
    }
}

/// What the portal's two ends say to each other, when nothing encrypts it.
fn overheard(inlet: Side, outlet: Side) -> [Vec<Vec<u8>>; 2] {
    let echo = Service::echo();
    let owner = Peer::start(outlet);
    let address = owner.tell("listen");
    owner.tell(&format!("outlet {}", echo.address()));
    let between = Capture::before(address.parse().expect("an address"));
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
    postern_tests::eventually("the service's connection to end", interop::SOON, || (echo.live() == 0).then_some(()));
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
