//! `cargo xtask demo kafka`: what `docs/kafka.md` says, in one command, with figures at the end.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use postern_kafka_broker::{Broker, Options, Tools, selected};

use crate::{cargo, prerequisites};

/// What Alice says, and what must be in no topic.
const SECRET: &str = "Hello Bob, the key is under the mat.";
/// Echoes that are timed: enough for a percentile.
const ECHOES: usize = 200;
/// Bytes of a topic that are shown.
const SHOWN: usize = 160;
/// What the hub puts in front of a stream's name.
const PREFIX: &str = "postern-";

/// Runs it to its end.
///
/// # Errors
/// When something does not start or answer, or plaintext is found in a topic.
pub(super) fn run() -> Result<ExitCode> {
    prerequisites::install_for_kafka()?;
    cargo::run(&mut cargo::command(&["build", "--bins", "--package", "postern-cli", "--package", "postern-examples"]))?;
    let started = Instant::now();
    let broker = match selected() {
        Some(_) => None,
        None => Some(Broker::with(Options { optimised: true, ..Options::default() })?),
    };
    let bootstrap = broker.as_ref().map(Broker::bootstrap).or_else(selected).context("there is no broker")?;
    let broker_start = broker.is_some().then(|| started.elapsed());
    println!("1. Apache Kafka listens on {bootstrap}.");

    let place = Place::new()?;
    let (_hub, hub) = start_hub(&bootstrap, &place)?;
    println!("2. The hub listens on {hub}, and uses that broker.");
    let mut bob = Program::start(cargo::program("debug", "kafka_bob").arg(&hub), &place.log("bob"))?;
    let (to_bob, to_alice) = (bob.line()?, bob.line()?);
    println!("3. Bob waits behind the streams {to_bob} and {to_alice}.");
    let mut alice = cargo::program("debug", "kafka_alice");
    let mut alice = Program::start(alice.args([&hub, &to_bob, &to_alice]), &place.log("alice"))?;
    let first = alice.echo(SECRET)?;
    println!("4. Alice sends `{SECRET}` and gets it back, encrypted from end to end.");
    let mut times = (0..ECHOES).map(|number| alice.echo(&format!("{SECRET} {number}"))).collect::<Result<Vec<_>>>()?;

    let tools = Tools::at(&bootstrap)?;
    let topics = [&to_bob, &to_alice].map(|stream| format!("{PREFIX}{stream}"));
    let sizes = topics.iter().map(|topic| show(&tools, topic)).collect::<Result<Vec<_>>>()?;
    println!("\nFigures:");
    if let Some(time) = broker_start {
        println!("  broker started        {:8.1} s", time.as_secs_f64());
    }
    times.sort_unstable();
    println!("  first echo            {:8.1} ms, handshake included", milliseconds(first));
    println!("  echo, median of {ECHOES}   {:8.2} ms, over four broker hops", milliseconds(times[times.len() / 2]));
    println!("  echo, 99th percentile {:8.2} ms", milliseconds(times[times.len() * 99 / 100]));
    println!("  bytes in the topics   {:8} and {}, none of them plaintext", sizes[0], sizes[1]);
    Ok(ExitCode::SUCCESS)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Shows the end of what the console consumer prints of a topic; its size.
fn show(tools: &Tools, topic: &str) -> Result<usize> {
    let records = tools.consume(topic)?;
    ensure!(records.len() > SHOWN, "{topic} is almost empty: {} bytes", records.len());
    let secret = SECRET.as_bytes();
    ensure!(!records.windows(secret.len()).any(|window| window == secret), "there is plaintext in {topic}");
    println!("\nThe end of {topic}, from Kafka's console consumer:");
    println!("  {}", records[records.len() - SHOWN..].escape_ascii());
    Ok(records.len())
}

/// Starts the hub; with it, where it listens.
fn start_hub(bootstrap: &str, place: &Place) -> Result<(Program, String)> {
    let configuration = place.0.join("hub.toml");
    fs::write(&configuration, super::hub_configuration(bootstrap)).context("Failed to write hub.toml")?;
    let mut hub = cargo::program("debug", "postern");
    hub.args(["hub", "--listen", "127.0.0.1:0", "--config"]).arg(configuration);
    hub.arg("--data-dir").arg(place.0.join("data"));
    let mut hub = Program::start(&mut hub, &place.log("hub"))?;
    let said = hub.line()?;
    let address = said.strip_prefix("The hub listens on ").and_then(|rest| rest.split_once(". "));
    let address = address.with_context(|| format!("the hub says `{said}`"))?.0.to_owned();
    Ok((hub, address))
}

/// The demo's directory, removed at its end.
struct Place(PathBuf);

impl Place {
    fn new() -> Result<Self> {
        let path = cargo::target().join("kafka").join(format!("demo-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("Failed to create {}", path.display()))?;
        Ok(Self(path))
    }

    fn log(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.log"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A program of the demo; killed when dropped.
struct Program {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
}

impl Program {
    fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let name = cargo::display(command);
        let errors = File::create(log).context("Failed to create a log")?;
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let mut child = piped.spawn().with_context(|| format!("Failed to start {name}"))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("{name} has no pipes")
        };
        Ok(Self { child, input, output: BufReader::new(output).lines(), log: log.to_owned() })
    }

    /// The next line that it prints.
    fn line(&mut self) -> Result<String> {
        let Some(line) = self.output.next() else {
            bail!("a program of the demo has ended: {}", fs::read_to_string(&self.log).unwrap_or_default());
        };
        Ok(line?)
    }

    /// Types a line and waits for the same line.
    fn echo(&mut self, line: &str) -> Result<Duration> {
        let started = Instant::now();
        writeln!(self.input, "{line}").context("Failed to type a line")?;
        let echo = self.line()?;
        ensure!(echo == line, "`{line}` came back as `{echo}`");
        Ok(started.elapsed())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
