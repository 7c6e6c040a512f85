//! What friends do, and how long it takes them: round trips on streams that are open, and new streams.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Between two round trips, and between two new streams, of a friend.
const ROUND_TRIP_EVERY: Duration = Duration::from_millis(2);
const NEW_STREAM_EVERY: Duration = Duration::from_millis(25);
/// An operation that takes so long has failed, and counts as this long.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a request, and of its answer: a small message.
const MESSAGE: [u8; 64] = [7; 64];

/// How long operations took.
#[derive(Default, Clone)]
pub(crate) struct Samples {
    pub(crate) round_trips: Vec<Duration>,
    pub(crate) new_streams: Vec<Duration>,
    pub(crate) failures: u64,
}

impl Samples {
    pub(crate) fn add(&mut self, other: Self) {
        self.round_trips.extend(other.round_trips);
        self.new_streams.extend(other.new_streams);
        self.failures += other.failures;
    }
}

impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |samples, part| quantile(samples, part).as_secs_f64() * 1_000.0;
        for (what, samples) in [("round trips", &self.round_trips), ("new streams", &self.new_streams)] {
            let (median, p99) = (milliseconds(samples, 0.5), milliseconds(samples, 0.99));
            write!(f, "{} {what}, median {median:.2} ms, p99 {p99:.2} ms; ", samples.len())?;
        }
        write!(f, "{} failures", self.failures)
    }
}

/// The value that this part of the samples does not exceed.
pub(crate) fn quantile(samples: &[Duration], part: f64) -> Duration {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let place = (part * sorted.len() as f64) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// Measures the friends at these local addresses while `meanwhile` runs.
pub(crate) fn measure(inlets: &[SocketAddr], meanwhile: impl FnOnce()) -> Samples {
    let stop = AtomicBool::new(false);
    let mut samples = Samples::default();
    thread::scope(|scope| {
        let friend = |inlet: &SocketAddr| {
            let (inlet, stop) = (*inlet, &stop);
            [scope.spawn(move || round_trips(inlet, stop)), scope.spawn(move || new_streams(inlet, stop))]
        };
        let threads: Vec<_> = inlets.iter().flat_map(friend).collect();
        meanwhile();
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().filter_map(|thread| thread.join().ok()).for_each(|of_one| samples.add(of_one));
    });
    samples
}

fn round_trips(inlet: SocketAddr, stop: &AtomicBool) -> Samples {
    let (mut samples, mut stream) = (Samples::default(), None);
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let asked = match stream.take() {
            Some(open) => ask(open),
            None => open(inlet).and_then(ask),
        };
        match asked {
            Ok(open) => {
                samples.round_trips.push(begun.elapsed());
                stream = Some(open);
            }
            Err(_) => {
                samples.failures += 1;
                samples.round_trips.push(TIMEOUT);
            }
        }
        pause(ROUND_TRIP_EVERY);
    }
    samples
}

fn new_streams(inlet: SocketAddr, stop: &AtomicBool) -> Samples {
    let mut samples = Samples::default();
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let asked = open(inlet).and_then(ask);
        samples.failures += u64::from(asked.is_err());
        samples.new_streams.push(if asked.is_ok() { begun.elapsed() } else { TIMEOUT });
        pause(NEW_STREAM_EVERY);
    }
    samples
}

fn open(inlet: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&inlet, TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// One round trip.
fn ask(mut stream: TcpStream) -> io::Result<TcpStream> {
    stream.write_all(&MESSAGE)?;
    let mut answer = [0; MESSAGE.len()];
    stream.read_exact(&mut answer)?;
    Ok(stream)
}

#[expect(clippy::disallowed_methods, reason = "the rate of the load, not a wait for a result")]
pub(crate) fn pause(time: Duration) {
    thread::sleep(time);
}
