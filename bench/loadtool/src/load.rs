//! The loads: each drives connections to one address and tells what came of them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::service::{CHUNK, ECHO, HOLD, SINK, SOURCE, SUNK, dial};
use crate::usage::{cpu_seconds, resident_kib};

/// What a load has measured, by name.
pub(crate) type Values = Vec<(&'static str, f64)>;

/// Longest wait for anything that ought to come at once.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a system is given to give back what closed connections have taken.
const GIVING_BACK: Duration = Duration::from_secs(10);
/// Fewer round trips have no 99th percentile.
const ENOUGH: usize = 500;
const KIB_PER_MIB: f64 = 1024.0;

/// The tunnel under load: where it takes connections, and the processes it consists of.
pub(crate) struct Tunnel<'a> {
    pub(crate) entry: &'a str,
    pub(crate) pids: &'a [u32],
}

/// Moves bytes one way over so many connections.
pub(crate) async fn bulk(tunnel: &Tunnel<'_>, up: bool, streams: usize, time: Duration) -> Result<Values> {
    let counts: Vec<Arc<AtomicU64>> = (0..streams).map(|_| Arc::default()).collect();
    let total = || match up {
        true => SUNK.load(Ordering::Relaxed),
        false => counts.iter().map(|count| count.load(Ordering::Relaxed)).sum(),
    };
    let mut moving = JoinSet::new();
    for count in &counts {
        let mut socket = dial(tunnel.entry).await?;
        socket.write_u8(if up { SINK } else { SOURCE }).await?;
        let count = count.clone();
        moving.spawn(async move { if up { send(socket, &count).await } else { receive(socket, &count).await } });
    }
    sleep(if streams > 8 { time / 2 } else { time / 3 }).await;

    let before: Vec<u64> = counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
    let (cpu, bytes, begun, mut peak) = (cpu_seconds(tunnel.pids), total(), Instant::now(), 0.0f64);
    while begun.elapsed() < time {
        sleep(Duration::from_millis(100)).await;
        peak = peak.max(resident_kib(tunnel.pids));
    }
    let gigabytes = (total() - bytes) as f64 / 1e9;
    let (seconds, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds(tunnel.pids) - cpu);
    if let Some(ended) = moving.try_join_next() {
        bail!("a stream ended early: {:?}", ended?);
    }
    ensure!(gigabytes > 0.0, "nothing moved");
    let shares: Vec<f64> =
        counts.iter().zip(before).map(|(count, before)| (count.load(Ordering::Relaxed) - before) as f64).collect();
    let mut values = vec![("gbps", gigabytes / seconds), ("fairness", jain(&shares))];
    if !tunnel.pids.is_empty() {
        values.extend([("cpu", cpu / gigabytes), ("peak", peak / KIB_PER_MIB)]);
    }
    Ok(values)
}

async fn send(mut socket: TcpStream, count: &AtomicU64) -> io::Result<()> {
    let chunk = vec![0x5a; CHUNK];
    loop {
        socket.write_all(&chunk).await?;
        count.fetch_add(CHUNK as u64, Ordering::Relaxed);
    }
}

async fn receive(mut socket: TcpStream, count: &AtomicU64) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        match socket.read(&mut chunk).await? {
            0 => return Ok(()),
            read => count.fetch_add(read as u64, Ordering::Relaxed),
        };
    }
}

/// 1 when all have the same, towards 0 the more unequal.
fn jain(shares: &[f64]) -> f64 {
    let (sum, squares) = (shares.iter().sum::<f64>(), shares.iter().map(|share| share * share).sum::<f64>());
    if squares > 0.0 { sum * sum / (shares.len() as f64 * squares) } else { 0.0 }
}

/// Sends 64 bytes, waits for them, and again.
pub(crate) async fn ping_pong(tunnel: &Tunnel<'_>, time: Duration) -> Result<Values> {
    let Times { p50, p99 } = exchange(tunnel.entry, time).await?;
    Ok(vec![("p50", p50), ("p99", p99)])
}

/// Of a sorted lot, in microseconds.
struct Times {
    p50: f64,
    p99: f64,
}

async fn exchange(entry: &str, time: Duration) -> Result<Times> {
    let mut socket = dial(entry).await?;
    socket.write_u8(ECHO).await?;
    let (ball, mut back) = ([7; 64], [0; 64]);
    let mut took = Vec::with_capacity(1 << 17);
    // The first round trips warm the path up.
    let mut warm = 20;
    let begun = Instant::now();
    while begun.elapsed() < time || (took.len() < ENOUGH && begun.elapsed() < time + PATIENCE) {
        let sent = Instant::now();
        let round_trip = async {
            socket.write_all(&ball).await?;
            socket.read_exact(&mut back).await
        };
        timeout(PATIENCE, round_trip).await.context("round trips stopped for 5 seconds")??;
        if warm > 0 {
            warm -= 1;
        } else {
            took.push(sent.elapsed().as_secs_f64() * 1e6);
        }
    }
    ensure!(took.len() >= ENOUGH, "only {} round trips in {:?}", took.len(), begun.elapsed());
    took.sort_by(f64::total_cmp);
    Ok(Times { p50: took[took.len() / 2], p99: took[took.len() * 99 / 100] })
}

/// Ping-pong while one connection downloads.
pub(crate) async fn beside_bulk(tunnel: &Tunnel<'_>, time: Duration) -> Result<Values> {
    let mut socket = dial(tunnel.entry).await?;
    socket.write_u8(SOURCE).await?;
    let count = Arc::new(AtomicU64::new(0));
    let mut moving = JoinSet::new();
    let counting = count.clone();
    moving.spawn(async move { receive(socket, &counting).await });
    sleep(time / 3).await;
    let (before, begun) = (count.load(Ordering::Relaxed), Instant::now());
    let Times { p50, p99 } = exchange(tunnel.entry, time).await?;
    let moved = (count.load(Ordering::Relaxed) - before) as f64 / 1e9 / begun.elapsed().as_secs_f64();
    Ok(vec![("p50", p50), ("p99", p99), ("gbps", moved)])
}

/// Opens connections, 16 at once; each carries a byte there and back and is closed.
pub(crate) async fn connections(tunnel: &Tunnel<'_>, time: Duration) -> Result<Values> {
    let begun = Instant::now();
    let mut opening = JoinSet::new();
    for _ in 0..16 {
        let entry = tunnel.entry.to_owned();
        opening.spawn(async move {
            let (mut opened, mut failed) = (0.0, 0.0);
            while begun.elapsed() < time {
                match timeout(PATIENCE, ask(&entry)).await {
                    Ok(Ok(())) => opened += 1.0,
                    _ => failed += 1.0,
                }
            }
            (opened, failed)
        });
    }
    let counts = opening.join_all().await;
    let opened: f64 = counts.iter().map(|count| count.0).sum();
    let failed: f64 = counts.iter().map(|count| count.1).sum();
    ensure!(opened > 0.0, "none opened");
    Ok(vec![("rate", opened / begun.elapsed().as_secs_f64()), ("failed", failed)])
}

/// One new connection that carries one byte there and back.
///
/// # Errors
/// When it does not.
pub(crate) async fn ask(entry: &str) -> io::Result<()> {
    let mut socket = dial(entry).await?;
    socket.write_all(&[ECHO, b'x']).await?;
    socket.read_u8().await.map(drop)
}

/// Holds so many connections open, and closes them.
pub(crate) async fn idle(tunnel: &Tunnel<'_>, connections: usize, settle: Duration) -> Result<Values> {
    let before = resident_kib(tunnel.pids);
    let begun = Instant::now();
    let at_once = Arc::new(Semaphore::new(32));
    let mut opening = JoinSet::new();
    for _ in 0..connections {
        let permit = at_once.clone().acquire_owned().await?;
        let entry = tunnel.entry.to_owned();
        opening.spawn(async move {
            let _permit = permit;
            timeout(3 * PATIENCE, hold(&entry)).await.map_err(io::Error::from).flatten()
        });
    }
    let mut open = Vec::new();
    while let Some(opened) = opening.join_next().await {
        open.push(opened?.context("a connection did not open")?);
    }
    let took = begun.elapsed();
    sleep(settle).await;
    let held = resident_kib(tunnel.pids) - before;
    let Times { p50, .. } = exchange(tunnel.entry, Duration::from_millis(500)).await?;
    drop(open);
    let (closed, mut back) = (Instant::now(), 0.0f64);
    while back < 100.0 && closed.elapsed() < GIVING_BACK {
        sleep(Duration::from_millis(500)).await;
        let left = resident_kib(tunnel.pids) - before;
        back = back.max(if held > 0.0 { 100.0 * (1.0 - (left / held).clamp(0.0, 1.0)) } else { 100.0 });
    }
    Ok(vec![
        ("each", held / connections as f64),
        ("back", back),
        ("base", before / KIB_PER_MIB),
        ("rate", connections as f64 / took.as_secs_f64()),
        ("p50", p50),
    ])
}

async fn hold(entry: &str) -> io::Result<TcpStream> {
    let mut socket = dial(entry).await?;
    socket.write_u8(HOLD).await?;
    socket.read_u8().await?;
    Ok(socket)
}

/// Ping-pong without and with so many downloads whose clients do not read.
pub(crate) async fn stalled(tunnel: &Tunnel<'_>, streams: usize, time: Duration) -> Result<Values> {
    let without = exchange(tunnel.entry, time).await?;
    let before = resident_kib(tunnel.pids);
    let mut stalled = Vec::new();
    for _ in 0..streams {
        let mut socket = dial(tunnel.entry).await?;
        socket.write_u8(SOURCE).await?;
        stalled.push(socket);
    }
    at_rest(tunnel).await;
    let with = exchange(tunnel.entry, time).await?;
    let grown = resident_kib(tunnel.pids) - before;
    let begun = Instant::now();
    timeout(PATIENCE, ask(tunnel.entry)).await.context("no new connection opens")??;
    Ok(vec![
        ("p50", with.p50 / without.p50),
        ("p99", with.p99 / without.p99),
        ("open", begun.elapsed().as_secs_f64() * 1e3),
        ("grown", grown / KIB_PER_MIB),
    ])
}

/// Waits until the tunnel has filled what it fills for clients that do not read, at most [`PATIENCE`].
async fn at_rest(tunnel: &Tunnel<'_>) {
    let (begun, step) = (Instant::now(), Duration::from_millis(300));
    while begun.elapsed() < PATIENCE {
        let cpu = cpu_seconds(tunnel.pids);
        sleep(step).await;
        if cpu_seconds(tunnel.pids) - cpu < step.as_secs_f64() / 10.0 {
            break;
        }
    }
}

/// Sends 32 MiB to an echo and ends its own direction: how many MiB came back, if all that came was right and
/// then the end.
pub(crate) async fn half_close(tunnel: &Tunnel<'_>) -> Result<Values> {
    const TOTAL: usize = 32 << 20;
    let byte = |at: usize| (at.wrapping_mul(2_654_435_761) >> 11) as u8;
    let (mut from, mut to) = dial(tunnel.entry).await?.into_split();
    let sending = tokio::spawn(async move {
        to.write_u8(ECHO).await?;
        for at in (0..TOTAL).step_by(64 << 10) {
            let chunk: Vec<u8> = (at..at + (64 << 10)).map(byte).collect();
            to.write_all(&chunk).await?;
        }
        to.shutdown().await.map(|()| to)
    });
    let (mut came, mut chunk) = (0, vec![0; 64 << 10]);
    loop {
        let read = timeout(PATIENCE, from.read(&mut chunk)).await;
        match read.with_context(|| format!("after {came} bytes neither more nor the end came"))? {
            Ok(0) => break,
            Ok(read) => {
                let right = chunk[..read].iter().enumerate().all(|(at, got)| *got == byte(came + at));
                ensure!(right, "wrong bytes came back, behind {came} right ones");
                came += read;
            }
            Err(error) => bail!("{error} after {came} bytes"),
        }
    }
    sending.abort();
    Ok(vec![("back", came as f64 / f64::from(1 << 20))])
}

/// New connections one after the other, each with its beginning, its end and its success, until told to stop.
pub(crate) async fn probe(entry: &str, attempts: &mut Vec<(Instant, Instant, bool)>) {
    loop {
        let begun = Instant::now();
        let opened = matches!(timeout(Duration::from_secs(1), ask(entry)).await, Ok(Ok(())));
        attempts.push((begun, Instant::now(), opened));
        sleep(Duration::from_millis(10)).await;
    }
}
