//! Receivers that are slow: nothing is lost because somebody does not read for a while, and the hub's memory is bounded.
//!
//! Portals of `ockam` end both directions at once and forget what is on the way, so nobody closes before everything has come.
//! `cargo xtask trials slow` runs these for longer and compares latencies, which a machine busy with other tests cannot.

use interop::Side::{Ours, Real};
use interop::{LONG, Peer, Side, lasts};
use postern_testkit::{Payload, Service, Sha256};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// Between real peers, and with one end ours.
const PAIRS: [(Side, Side); 3] = [(Real, Real), (Ours, Real), (Real, Ours)];
const PAYLOAD: Payload = Payload::new(64 << 20);
/// How long a receiver takes nothing: three times what a shared connection is held for.
const PAUSE: Duration = Duration::from_secs(15);
/// What the hub may have resident above what it had before.
const MEMORY_MAX: u64 = 16 << 20;

/// A number that the trial sets, or what CI has time for.
fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

/// A portal through a hub that others use too.
struct Pair {
    inlet: SocketAddr,
    _nodes: [Peer; 2],
}

impl Pair {
    #[track_caller]
    fn start(hub: &str, name: &str, (inlet, outlet): (Side, Side), target: SocketAddr) -> Self {
        let (owner, relay) = owner(hub, name, outlet, target);
        let (friend, inlet) = friend(hub, &relay, inlet);
        Self { inlet, _nodes: [owner, friend] }
    }

    fn connect(&self) -> TcpStream {
        connect(self.inlet)
    }
}

/// Who shares `target`, and its relay.
#[track_caller]
fn owner(hub: &str, name: &str, side: Side, target: SocketAddr) -> (Peer, String) {
    let (owner, _) = Peer::with_identity(side);
    owner.tell(&format!("connect {hub}"));
    owner.tell("listener listener");
    owner.tell(&format!("outlet {target}"));
    let relay = owner.tell(&format!("relay {name}"));
    (owner, relay)
}

/// Who uses what is shared through a relay, and where.
#[track_caller]
fn friend(hub: &str, relay: &str, side: Side) -> (Peer, SocketAddr) {
    let (friend, _) = Peer::with_identity(side);
    friend.tell(&format!("connect {hub}"));
    friend.tell(&format!("channel {relay}/listener"));
    let inlet = friend.tell("inlet").parse().expect("an address");
    (friend, inlet)
}

fn connect(inlet: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(inlet).expect("the inlet listens");
    stream.set_read_timeout(Some(LONG)).expect("a socket");
    stream.set_nodelay(true).expect("a socket");
    stream
}

/// How a receiver reads before it reads as fast as it can.
#[derive(Clone, Copy)]
enum Pace {
    Pause,
    /// 30 kB/s.
    Slow(Duration),
}

impl Pace {
    /// Reads the whole payload, and gives its hash.
    fn read(self, stream: &mut impl Read) -> String {
        let mut hash = Sha256::default();
        let mut read = io::copy(&mut stream.take(1 << 20), &mut hash).expect("it is carried");
        match self {
            Self::Pause => lasts(PAUSE),
            Self::Slow(duration) => {
                let started = Instant::now();
                while started.elapsed() < duration {
                    read += io::copy(&mut stream.take(3_000), &mut hash).expect("it is carried");
                    lasts(Duration::from_millis(100));
                }
            }
        }
        read += io::copy(&mut stream.take(PAYLOAD.length() - read), &mut hash).expect("it is carried");
        assert_eq!(read, PAYLOAD.length());
        hash.finish()
    }
}

/// A service that sends the payload and waits for its client to leave.
fn source() -> Service {
    Service::serve(|mut stream| {
        io::copy(&mut PAYLOAD.reader(), &mut stream)?;
        io::copy(&mut stream, &mut io::sink()).map(drop)
    })
}

/// A service that reads the payload at its pace, and says then what its hash was.
fn reader(pace: Pace) -> Service {
    Service::serve(move |mut stream| {
        let hash = pace.read(&mut stream);
        stream.write_all(hash.as_bytes())
    })
}

fn download(hub: &str, name: &str, pair: (Side, Side), pace: Pace) -> String {
    let source = source();
    let pair = Pair::start(hub, name, pair, source.address());
    pace.read(&mut pair.connect())
}

fn upload(hub: &str, name: &str, pair: (Side, Side), pace: Pace) -> String {
    let reader = reader(pace);
    let pair = Pair::start(hub, name, pair, reader.address());
    let mut client = pair.connect();
    io::copy(&mut PAYLOAD.reader(), &mut client).expect("it is carried");
    let mut hash = vec![0; 64];
    client.read_exact(&mut hash).expect("it is answered");
    String::from_utf8(hash).expect("a hash in hex")
}

/// Both directions of all pairs at once, at one hub, which is watched meanwhile.
fn everything_arrives(pace: Pace) {
    let (hub, address) = Peer::hub(Ours, "");
    let idle = hub.resident();
    let failed = Mutex::new(Vec::new());
    let wanted = PAYLOAD.sha256();
    let most = thread::scope(|scope| {
        let mut running = Vec::new();
        for (inlet, outlet) in PAIRS {
            for (direction, carry) in [("down", download as fn(&str, &str, _, _) -> _), ("up", upload)] {
                let (address, failed, wanted) = (&address, &failed, &wanted);
                running.push(scope.spawn(move || {
                    let name = format!("{inlet:?}-{outlet:?}-{direction}");
                    if carry(address, &name, (inlet, outlet), pace) != *wanted {
                        failed.lock().expect("nobody panics with it").push(name);
                    }
                }));
            }
        }
        let mut most = 0;
        while running.iter().any(|transfer| !transfer.is_finished()) {
            most = most.max(hub.resident());
            lasts(Duration::from_millis(100));
        }
        most
    });
    assert_eq!(failed.into_inner().expect("nobody panics with it"), Vec::<String>::new());
    println!("the hub had {idle} bytes resident before, and {most} at most");
    assert!(most <= idle + MEMORY_MAX, "{idle} {most}");
}

#[test]
fn everything_arrives_when_readers_pause() {
    everything_arrives(Pace::Pause);
}

#[test]
fn everything_arrives_when_readers_are_slow() {
    everything_arrives(Pace::Slow(Duration::from_secs(setting("SLOW_SECONDS", 20))));
}

/// As the example `file_transfer` does: messages of 64 KiB, one behind the other, to a worker of a node that stands still for a
/// while.
#[test]
fn every_message_arrives_when_their_receiver_stands_still() {
    let mebibytes = setting("SLOW_MEBIBYTES", 48);
    let (_hub, address) = Peer::hub(Ours, "");
    thread::scope(|scope| {
        for (sender, receiver) in PAIRS {
            let address = &address;
            scope.spawn(move || {
                let (to, _) = Peer::with_identity(receiver);
                to.tell(&format!("connect {address}"));
                to.tell("listener listener");
                let relay = to.tell(&format!("relay {sender:?}-{receiver:?}"));
                let (from, _) = Peer::with_identity(sender);
                from.tell(&format!("connect {address}"));
                from.tell(&format!("channel {relay}/listener"));
                from.tell(&format!("pour {mebibytes}"));
                assert_eq!(to.tells_within("counted", LONG), "1");
                to.stand_still(PAUSE);
                assert_eq!(from.tells_within("poured", LONG), mebibytes.to_string());
                for mebibyte in 2..=mebibytes {
                    assert_eq!(to.tells_within("counted", LONG), mebibyte.to_string(), "{sender:?} to {receiver:?}");
                }
            });
        }
    });
}

/// The 99th percentile of how long an echo takes.
fn percentile_99(client: &mut TcpStream) -> Duration {
    let mut times: Vec<Duration> = (0..2_000)
        .map(|_| {
            let asked = Instant::now();
            client.write_all(&[7; 64]).expect("it is carried");
            client.read_exact(&mut [0; 64]).expect("it is answered");
            asked.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

/// Other pairs are served as if nobody was slow.
#[test]
fn other_pairs_do_not_wait_for_a_receiver_that_takes_nothing() {
    let (_hub, address) = Peer::hub(Ours, "");
    let (source, echo) = (source(), Service::echo());
    let slow = Pair::start(&address, "slow", (Real, Real), source.address());
    let other = Pair::start(&address, "other", (Real, Real), echo.address());
    let mut client = other.connect();
    let idle = percentile_99(&mut client);
    let mut stalled = slow.connect();
    stalled.read_exact(&mut vec![0; 1 << 20]).expect("it is carried");
    lasts(PAUSE);
    let beside = percentile_99(&mut client);
    println!(
        "an echo of 64 bytes takes {idle:?} at most in 99 of 100 cases, and {beside:?} beside a receiver that takes nothing"
    );
    if setting("SLOW_RATIOS", 0) == 1 {
        assert!(beside <= idle * 2, "{idle:?} {beside:?}");
    }
}

/// A service that echoes what it gets after an `e`, and pours after any other first byte.
fn echo_or_source() -> Service {
    Service::serve(|mut stream| {
        let mut first = [0];
        stream.read_exact(&mut first)?;
        if first == *b"e" {
            let mut back = stream.try_clone()?;
            return io::copy(&mut stream, &mut back).map(drop);
        }
        io::copy(&mut PAYLOAD.reader(), &mut stream)?;
        io::copy(&mut stream, &mut io::sink()).map(drop)
    })
}

/// Friends on `ockam` share the connection of an owner of ours, and have no flow control: the hub tells the owner whom to wait for.
#[test]
fn another_friend_of_the_same_owner_does_not_wait_for_one_that_takes_nothing() {
    let (_hub, address) = Peer::hub(Ours, "");
    let service = echo_or_source();
    let (_owner, relay) = owner(&address, "shared", Ours, service.address());
    let ((_slow, of_slow), (_other, of_other)) = (friend(&address, &relay, Real), friend(&address, &relay, Real));
    let mut client = connect(of_other);
    client.write_all(b"e").expect("it is carried");
    let idle = percentile_99(&mut client);
    let mut stalled = connect(of_slow);
    stalled.write_all(b"s").expect("it is carried");
    stalled.read_exact(&mut vec![0; 1 << 20]).expect("it is carried");
    lasts(PAUSE);
    let beside = percentile_99(&mut client);
    println!("an echo of 64 bytes takes {idle:?}, and {beside:?} beside another friend that takes nothing (99 of 100)");
    if setting("SLOW_RATIOS", 0) == 1 {
        assert!(beside <= idle * 2, "{idle:?} {beside:?}");
    }
    let left = PAYLOAD.length() - (1 << 20);
    assert_eq!(io::copy(&mut stalled.take(left), &mut io::sink()).expect("it is carried"), left);
}
