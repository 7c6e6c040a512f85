//! TCP as it is: many at once, half closed, refused, slow.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use postern_testkit::client::{ask, connect, exchange};
use postern_testkit::{HubOutletInlet, Payload, Process, Service, Sha256, TIMEOUT, eventually, sha256};

/// What a refused or broken connection may take: less than any timeout that could be in it.
const AT_ONCE: Duration = Duration::from_secs(10);
/// More than waits on the way for a client that reads, the system's buffers included.
const QUEUES: usize = 8 << 20;
/// More than every buffer between two ends holds.
const LARGE: u64 = 64 << 20;

/// Clients that do not read, and what waits for one of them at most: `portal::INITIAL_WINDOW`, and what it was
/// ahead by while its own buffers took it.
const STALLED: u64 = 64;
const WINDOW: u64 = 256 << 10;
/// More than the queues of the connections between three programs hold.
const CONNECTIONS: u64 = 16 << 20;

/// How a connection ends on which nothing is sent.
fn end_of(address: SocketAddr) -> Result<usize, ErrorKind> {
    connect(address).read(&mut [0]).map_err(|error| error.kind())
}

#[test]
fn two_hundred_at_once_do_not_mix() {
    let service = Service::echo();
    let portal = HubOutletInlet::start(service.address());
    let clients: Vec<TcpStream> = (0..200).map(|_| connect(portal.address())).collect();
    for (number, mut client) in (0..=u8::MAX).zip(&clients) {
        client.write_all(&[number]).unwrap();
    }
    for (number, mut client) in (0..=u8::MAX).zip(&clients) {
        let mut answer = [0];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(answer, [number]);
    }
    assert_eq!(service.live(), 200);

    thread::scope(|scope| {
        for (number, client) in (0..).zip(&clients) {
            scope.spawn(move || {
                let question = Payload::new(200_000 + number).seeded(number).bytes();
                let answer = exchange(client, &question).unwrap();
                assert_eq!(sha256(&answer), sha256(&question), "connection {number}");
            });
        }
    });
    eventually("the service to be left alone", TIMEOUT, || (service.live() == 0).then_some(()));
}

#[test]
fn sixty_four_stalled_clients_hold_at_most_the_documented_memory() {
    let service = Service::source(Payload::new(LARGE));
    let portal = HubOutletInlet::start(service.address());
    let processes = [portal.hub.process(), portal.outlet.process(), portal.inlet.process()];
    let resident = || processes.iter().map(|process| resident(process)).sum::<u64>();
    ask(portal.address(), b"").unwrap();
    let before = resident();
    let stalled: Vec<TcpStream> = (0..STALLED).map(|_| connect(portal.address())).collect();
    // Another gets everything meanwhile, several times over: by then the others' windows are full.
    for _ in 0..3 {
        let all = ask(portal.address(), b"").unwrap();
        assert_eq!(sha256(&all), Payload::new(LARGE).sha256());
    }
    let taken = resident().saturating_sub(before);
    assert!(taken < STALLED * WINDOW + CONNECTIONS, "{} MiB", taken >> 20);
    drop(stalled);
    eventually("the service to be left alone", TIMEOUT, || (service.live() == 0).then_some(()));
}

/// Bytes of memory that a process has.
fn resident(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).expect("a process that runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    line.and_then(|kib| kib.parse::<u64>().ok()).expect("a size in kB") << 10
}

#[test]
fn a_client_that_has_finished_gets_its_answer() {
    let service = Service::echo_after_end();
    let portal = HubOutletInlet::start(service.address());
    for length in [0, 1, 100_000, 8 << 20] {
        let question = Payload::new(length).bytes();
        assert!(ask(portal.address(), &question).unwrap() == question, "{length} bytes came back otherwise");
    }
}

#[test]
fn a_service_that_shut_down_its_sending_side_still_receives() {
    let (heard, hear) = mpsc::channel();
    let service = Service::serve(move |mut stream| {
        stream.write_all(b"I have said all")?;
        stream.shutdown(Shutdown::Write)?;
        let mut rest = Vec::new();
        let ended = stream.read_to_end(&mut rest).map_err(|error| error.kind());
        heard.send((rest, ended)).map_err(io::Error::other)
    });
    let portal = HubOutletInlet::start(service.address());
    let mut client = connect(portal.address());
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"I have said all");

    let question = Payload::new(4 << 20).bytes();
    client.write_all(&question).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let (rest, ended) = hear.recv_timeout(TIMEOUT).unwrap();
    assert_eq!(ended, Ok(question.len()));
    assert!(rest == question, "other bytes arrived");
}

#[test]
fn a_service_that_is_not_there_refuses_at_once_until_it_is() {
    let place = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = place.local_addr().unwrap();
    drop(place);
    let portal = HubOutletInlet::start(target);
    for _ in 0..5 {
        let asked = Instant::now();
        assert_eq!(end_of(portal.address()), Err(ErrorKind::ConnectionReset));
        assert!(asked.elapsed() < AT_ONCE, "{:?}", asked.elapsed());
    }

    let service = eventually("the place to be free", TIMEOUT, || TcpListener::bind(target).ok());
    thread::spawn(move || {
        let (stream, _) = service.accept().unwrap();
        io::copy(&mut &stream, &mut &stream).unwrap();
    });
    assert_eq!(ask(portal.address(), b"at last").unwrap(), b"at last");
}

#[test]
fn a_service_that_resets_is_not_a_clean_end() {
    // Not a `Service`, which ends a connection before it closes it.
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let portal = HubOutletInlet::start(service.local_addr().unwrap());
    thread::spawn(move || {
        // Closing with unread bytes resets the connection.
        let (stream, _) = service.accept().unwrap();
        stream.peek(&mut [0]).unwrap();
    });
    let mut client = connect(portal.address());
    client.write_all(b"never read").unwrap();
    let ended = client.read(&mut [0]).map_err(|error| error.kind());
    assert_eq!(ended, Err(ErrorKind::ConnectionReset));
}

#[test]
fn a_client_that_does_not_read_does_not_delay_others() {
    let payload = Payload::new(LARGE);
    let service = Service::source(payload);
    let portal = HubOutletInlet::start(service.address());
    let slow = connect(portal.address());
    slow.peek(&mut [0]).unwrap();

    let fast = ask(portal.address(), b"").unwrap();
    assert_eq!(sha256(&fast), payload.sha256());
    let late = exchange(&slow, b"").unwrap();
    assert_eq!(sha256(&late), payload.sha256());
}

#[test]
fn a_service_that_does_not_read_does_not_delay_others() {
    let (open, gate) = mpsc::channel();
    let gate = Mutex::new(gate);
    // The first byte says whether this connection waits.
    let service = Service::serve(move |mut stream| {
        let mut kind = [0];
        stream.read_exact(&mut kind)?;
        if kind == *b"w" {
            gate.lock().map_or(Ok(()), |gate| gate.recv()).map_err(io::Error::other)?;
        }
        let mut hash = Sha256::default();
        io::copy(&mut stream, &mut hash)?;
        stream.write_all(hash.finish().as_bytes())
    });
    let portal = HubOutletInlet::start(service.address());
    let payload = Payload::new(LARGE).bytes();
    let sum = sha256(&payload);

    let send = |kind: &[u8]| {
        let mut client = connect(portal.address());
        client.write_all(kind).unwrap();
        String::from_utf8(exchange(&client, &payload).unwrap()).unwrap()
    };
    thread::scope(|scope| {
        let slow = scope.spawn(|| send(b"w"));
        assert_eq!(send(b"-"), sum);
        open.send(()).unwrap();
        assert_eq!(slow.join().unwrap(), sum);
    });
}

#[test]
fn a_service_that_is_slow_to_accept_does_not_end_other_connections() {
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = service.local_addr().unwrap();
    let portal = HubOutletInlet::start(target);
    let serve = |stream: TcpStream| thread::spawn(move || io::copy(&mut &stream, &mut &stream));
    let ask = |mut client: &TcpStream| {
        client.write_all(b"?")?;
        client.read_exact(&mut [0])
    };
    let first = connect(portal.address());
    serve(service.accept().unwrap().0);
    ask(&first).unwrap();

    // Until it accepts again, the system takes no more connections for it than fit its queue.
    let moment = Duration::from_millis(200);
    let queue: Vec<TcpStream> = std::iter::from_fn(|| TcpStream::connect_timeout(&target, moment).ok()).collect();
    let late = connect(portal.address());
    late.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
    assert_eq!(ask(&late).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
    ask(&first).expect("a connection that was open must stay so");

    drop(queue);
    thread::spawn(move || service.incoming().flatten().for_each(|stream| drop(serve(stream))));
    late.set_read_timeout(Some(TIMEOUT)).unwrap();
    (&late).read_exact(&mut [0]).expect("a connection that waited is served");
    ask(&first).unwrap();
}

#[test]
fn a_small_question_is_answered_beside_a_large_transfer() {
    let echo = Service::serve(|mut stream| {
        let mut kind = [0];
        stream.read_exact(&mut kind)?;
        if kind == *b"e" {
            return io::copy(&mut &stream, &mut &stream).map(drop);
        }
        // For as long as the client stays.
        let chunk = [7; 64 << 10];
        loop {
            stream.write_all(&chunk)?;
        }
    });
    let portal = HubOutletInlet::start(echo.address());
    let mut bulk = connect(portal.address());
    bulk.write_all(b"b").unwrap();
    let mut small = connect(portal.address());
    small.write_all(b"e").unwrap();
    let (done, carried) = (mpsc::channel(), AtomicUsize::new(0));
    thread::scope(|scope| {
        let (stop, stopped) = done;
        let carried = &carried;
        scope.spawn(move || {
            let mut chunk = [0; 64 << 10];
            while stopped.try_recv() == Err(mpsc::TryRecvError::Empty) {
                carried.fetch_add(bulk.read(&mut chunk).unwrap(), Ordering::Relaxed);
            }
        });
        eventually("the transfer", TIMEOUT, || (carried.load(Ordering::Relaxed) > QUEUES).then_some(()));
        // How much of the transfer went ahead of each answer: the same on a fast machine and on a busy one.
        let mut ahead: Vec<usize> = (0..100_u32)
            .map(|number| {
                let before = carried.load(Ordering::Relaxed);
                small.write_all(&number.to_be_bytes()).unwrap();
                let mut answer = [0; 4];
                small.read_exact(&mut answer).unwrap();
                assert_eq!(u32::from_be_bytes(answer), number);
                carried.load(Ordering::Relaxed) - before
            })
            .collect();
        stop.send(()).unwrap();
        ahead.sort_unstable();
        assert!(ahead[50] < QUEUES, "{ahead:?} bytes of a transfer went ahead of an answer");
    });
}
