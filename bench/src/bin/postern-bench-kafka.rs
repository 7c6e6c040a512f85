//! `postern-bench-kafka`: what end-to-end encryption through Kafka costs beside plain Kafka, with the same client library, broker, sizes
//! and `linger.ms`, in one run.
//!
//! ```text
//! plain     producer ─► broker ─► consumer                    echo: broker twice, there and back
//! channel   Alice ─► hub ─► broker ─► hub ─► Bob              a secure channel over a stream
//! reliable  the same with a store on each side, in SQLite
//! ```
//!
//! `cargo xtask bench kafka` starts a broker and a hub for it. Each result is a line of JSON.

#[cfg(target_os = "linux")]
fn main() -> anyhow::Result<()> {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("It is measured on Linux only.");
}

#[cfg(target_os = "linux")]
#[path = "postern-bench-kafka/plain.rs"]
mod plain;
#[cfg(target_os = "linux")]
#[path = "postern-bench-kafka/postern.rs"]
mod postern;

#[cfg(target_os = "linux")]
mod linux {
    use anyhow::Result;
    use clap::Parser;
    use serde::Serialize;
    use std::io::Write;
    use std::time::Duration;

    use crate::{plain, postern};

    /// As in `postern`: what is measured includes the allocator of the shipped program.
    #[global_allocator]
    static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

    /// Sizes of messages in bytes.
    const SIZES: [usize; 3] = [64, 4 * 1024, 32 * 1024];
    /// Bytes of one measurement, and most messages: some seconds each.
    const BYTES: usize = 128 << 20;
    const MESSAGES_MAX: usize = 100_000;
    /// Echoes, one after the other.
    const ECHOES: usize = 500;

    /// Measures messages through Kafka, plain and encrypted.
    #[derive(Parser)]
    struct Arguments {
        /// The broker's plaintext listener.
        #[arg(long, value_name = "HOST:PORT")]
        bootstrap: String,
        /// A hub that uses the broker, for everybody.
        #[arg(long, value_name = "HOST:PORT")]
        hub: String,
        /// The producer's linger.ms; the hub's configuration has the same.
        #[arg(long, default_value_t = 1)]
        linger_ms: u64,
        /// A part of the messages, to try it out.
        #[arg(long)]
        quick: bool,
        /// Only this system one-way (plain, channel, reliable), for a profile.
        #[arg(long, value_name = "SYSTEM")]
        only: Option<String>,
    }

    #[derive(Serialize)]
    #[serde(tag = "event", rename_all = "kebab-case")]
    enum Event {
        Oneway { system: &'static str, bytes: usize, per_second: f64, megabytes_per_second: f64 },
        Echo { system: &'static str, p50_ms: f64, p99_ms: f64 },
    }

    pub(crate) fn main() -> Result<()> {
        let Arguments { bootstrap, hub, linger_ms, quick, only } = Arguments::parse();
        let part = if quick { 20 } else { 1 };
        let plain = plain::Plain::new(&bootstrap, linger_ms);
        let postern = postern::Postern::start(&hub)?;
        for bytes in SIZES {
            let messages = (BYTES / bytes).min(MESSAGES_MAX) / part;
            let wanted = |system| only.as_deref().is_none_or(|only| only == system);
            if wanted("plain") {
                oneway("plain", bytes, messages, plain.oneway(bytes, messages)?)?;
            }
            if wanted("channel") {
                oneway("channel", bytes, messages, postern.channel(bytes, messages)?)?;
            }
            if wanted("reliable") {
                oneway("reliable", bytes, messages, postern.reliable(bytes, messages)?)?;
            }
        }
        if only.is_some() {
            return Ok(());
        }
        echo("plain", plain.echo(ECHOES / part)?)?;
        echo("channel", postern.echo(ECHOES / part)?)
    }

    fn oneway(system: &'static str, bytes: usize, messages: usize, took: Duration) -> Result<()> {
        let per_second = messages as f64 / took.as_secs_f64();
        print(&Event::Oneway { system, bytes, per_second, megabytes_per_second: per_second * bytes as f64 / 1e6 })
    }

    fn echo(system: &'static str, mut times: Vec<Duration>) -> Result<()> {
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
        print(&Event::Echo { system, p50_ms: at(50), p99_ms: at(99) })
    }

    fn print(event: &Event) -> Result<()> {
        let mut stdout = std::io::stdout().lock();
        Ok(writeln!(stdout, "{}", serde_json::to_string(event)?)?)
    }
}
