//! `cargo xtask bench kafka`: `postern-bench-kafka` with a broker and a hub of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context, Result, ensure};
use postern_kafka_broker::{Broker, Options};

use crate::cargo;

/// As the hub's default.
const LINGER_MS: &str = "1";

/// Builds for release, measures and prints a line of JSON for each result.
///
/// # Errors
/// When something does not build or start, or a measurement fails.
pub(super) fn run(arguments: &[String]) -> Result<ExitCode> {
    crate::prerequisites::install()?;
    // One after the other: built together, they would share features, and `postern` would not be the shipped program.
    let build = ["build", "--release", "--locked", "--package"];
    cargo::run(cargo::command(&build).arg("postern-cli"))?;
    cargo::run(cargo::command(&build).args(["postern-bench", "--bin", "postern-bench-kafka"]))?;
    let broker = Broker::with(Options { optimised: true, ..Options::default() })?;
    let (_hub, hub) = Hub::start(&broker.bootstrap())?;
    let mut bench = cargo::program("release", "postern-bench-kafka");
    bench.args(["--bootstrap", &broker.bootstrap(), "--hub", &hub, "--linger-ms", LINGER_MS]).args(arguments);
    cargo::run(&mut bench)?;
    Ok(ExitCode::SUCCESS)
}

/// The hub; killed when dropped.
struct Hub(Child);

impl Hub {
    /// Starts one that uses the broker; with it, where it listens.
    fn start(bootstrap: &str) -> Result<(Self, String)> {
        let place = cargo::target().join("bench").join("kafka");
        // Records and indexes of the last run belong to a broker that is gone.
        let _ = fs::remove_dir_all(&place);
        fs::create_dir_all(&place).context("Failed to create the hub's directory")?;
        let configuration = place.join("hub.toml");
        let text = format!("[kafka]\nbrokers = \"{bootstrap}\"\nallow_anonymous = true\nlinger_ms = {LINGER_MS}\n");
        fs::write(&configuration, text).context("Failed to write hub.toml")?;
        let mut command: Command = cargo::program("release", "postern");
        command.args(["hub", "--listen", "127.0.0.1:0", "--config"]).arg(configuration);
        command.arg("--data-dir").arg(place.join("data")).stdout(Stdio::piped());
        let mut hub = Self(command.spawn().context("Failed to start the hub")?);
        let mut said = String::new();
        BufReader::new(hub.0.stdout.take().context("the hub has no output")?).read_line(&mut said)?;
        let address = said.strip_prefix("The hub listens on ").and_then(|rest| rest.split_once(". "));
        ensure!(address.is_some(), "the hub says `{said}`");
        Ok((hub, address.map(|(address, _)| address.to_owned()).unwrap_or_default()))
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
