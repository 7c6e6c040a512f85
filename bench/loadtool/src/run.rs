//! One run of the measurements: which systems, which scenarios, how long, in which order.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::load::{self, Tunnel, Values};
use crate::process::{Process, Program};
use crate::results::{Results, Run};
use crate::scenario::Scenario;
use crate::service;
use crate::system::{Running, System};
use crate::usage::{Foreign, wait_for_quiet};

/// How much time is spent.
#[derive(Clone, Copy)]
pub(crate) struct Timing {
    /// Of one bulk transfer, and of ping-pong beside it.
    pub(crate) bulk: Duration,
    /// Of ping-pong and of opening connections.
    pub(crate) small: Duration,
    /// After which memory is looked at.
    pub(crate) settle: Duration,
    /// Between the death of the hub and its restart.
    pub(crate) down: Duration,
    /// Most rounds of the scenarios in turns, and the time after which no other begins.
    pub(crate) rounds: usize,
    pub(crate) turns: Duration,
    /// Rounds of the scenarios on systems that are put up alone.
    pub(crate) alone: usize,
    /// Seconds of each kind of message.
    pub(crate) messages: f64,
    /// Most time to wait for a quiet machine: before one measurement, and in all.
    pub(crate) quiet: Duration,
    pub(crate) quiet_in_all: Duration,
}

impl Timing {
    /// Within 15 minutes.
    pub(crate) fn full() -> Self {
        Self {
            bulk: Duration::from_secs(2),
            small: Duration::from_millis(1500),
            settle: Duration::from_millis(2500),
            down: Duration::from_millis(1500),
            rounds: 5,
            turns: Duration::from_secs(330),
            alone: 3,
            messages: 1.0,
            quiet: Duration::from_secs(4),
            quiet_in_all: Duration::from_secs(90),
        }
    }

    /// Within 3 minutes.
    pub(crate) fn quick() -> Self {
        Self {
            bulk: Duration::from_millis(1200),
            small: Duration::from_millis(800),
            settle: Duration::from_millis(1500),
            down: Duration::from_millis(1000),
            rounds: 3,
            turns: Duration::from_secs(45),
            alone: 1,
            messages: 0.4,
            quiet: Duration::from_secs(1),
            quiet_in_all: Duration::from_secs(20),
        }
    }
}

/// The measurements that were asked for.
pub(crate) struct Bench {
    pub(crate) systems: Vec<System>,
    pub(crate) scenarios: Vec<(&'static str, Scenario)>,
    pub(crate) timing: Timing,
    /// Where logs and configurations of the systems go.
    pub(crate) work: PathBuf,
    pub(crate) results: Results,
    /// How many rounds of the scenarios in turns there were.
    pub(crate) rounds: usize,
    waited: Duration,
}

impl Bench {
    /// Nothing measured yet.
    pub(crate) fn new(
        systems: Vec<System>,
        scenarios: Vec<(&'static str, Scenario)>,
        timing: Timing,
        work: PathBuf,
    ) -> Self {
        Self { systems, scenarios, timing, work, results: Results::default(), rounds: 0, waited: Duration::ZERO }
    }

    /// Measures everything.
    ///
    /// # Errors
    /// When there is no service to measure with; what fails in a system is among the results.
    pub(crate) async fn run(&mut self) -> Result<()> {
        let listener = service::listen("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        tokio::spawn(service::serve(listener));
        let (in_turns, alone): (Vec<_>, Vec<_>) =
            self.scenarios.clone().into_iter().partition(|scenario| scenario.1.in_turns());

        let begun = Instant::now();
        while !in_turns.is_empty() && self.rounds < self.timing.rounds {
            let round_begun = Instant::now();
            self.in_turns(&in_turns, &address).await?;
            self.rounds += 1;
            if begun.elapsed() + round_begun.elapsed() > self.timing.turns {
                break;
            }
        }
        for (name, scenario) in alone {
            let rounds = match scenario {
                Scenario::Stalled | Scenario::Restart | Scenario::Messages => self.timing.alone,
                _ => 1,
            };
            for round in 0..rounds {
                for system in self.systems.clone() {
                    self.alone(name, scenario, &system, round, &address).await?;
                }
            }
        }
        Ok(())
    }

    /// One round: all systems are up, and take turns at every scenario in another order each time.
    async fn in_turns(&mut self, scenarios: &[(&'static str, Scenario)], service: &str) -> Result<()> {
        let mut up = Vec::new();
        for system in self.systems.clone() {
            match system.start(service, &self.work).await {
                Ok(running) => up.push((system.name, running)),
                Err(error) => {
                    for (name, _) in scenarios {
                        self.add(name, system.name, self.rounds, 0.0, Err(format!("{error:#}")));
                    }
                }
            }
        }
        for (number, (name, scenario)) in scenarios.iter().enumerate() {
            let spinners = Spinners::start(scenario.awake())?;
            for turn in 0..up.len() {
                let next = (turn + number + self.rounds) % up.len();
                let (system, running) = &mut up[next];
                self.waited += self.quiet(&spinners).await;
                let (mut foreign, mut outcome) = self.measure(*scenario, running, &spinners).await;
                if foreign > 0.35 && self.waited < self.timing.quiet_in_all {
                    self.waited += self.quiet(&spinners).await;
                    (foreign, outcome) = self.measure(*scenario, running, &spinners).await;
                }
                self.add(name, system, self.rounds, foreign, outcome);
            }
        }
        Ok(())
    }

    /// One scenario on one system that is put up for it alone.
    async fn alone(
        &mut self,
        name: &'static str,
        scenario: Scenario,
        system: &System,
        round: usize,
        service: &str,
    ) -> Result<()> {
        // Client and service together would need more descriptors than one process may have.
        let mut elsewhere = None;
        if matches!(scenario, Scenario::Idle { .. }) {
            let me = Program::new(std::env::current_exe()?, &["serve"], self.work.join("service.log"));
            let mut process = Process::start(me)?;
            let listening = process.event("listening").await?;
            elsewhere = listening["address"].as_str().map(|address| (process, address.to_owned()));
        }
        let service = elsewhere.as_ref().map_or(service, |elsewhere| elsewhere.1.as_str());
        let mut running = match system.start(service, &self.work).await {
            Ok(running) => running,
            Err(error) => {
                self.add(name, system.name, round, 0.0, Err(format!("{error:#}")));
                return Ok(());
            }
        };
        let spinners = Spinners::start(scenario.awake())?;
        self.waited += self.quiet(&spinners).await;
        match scenario {
            Scenario::Restart if running.hub.is_none() => {}
            Scenario::Messages => {
                let Some((answer, ask)) = system.messages(&running.hub_address, self.timing.messages, &self.work)
                else {
                    return Ok(());
                };
                // What it measures with would count as other work, so how much of that there was is not told.
                let outcome = messages(answer, ask).await;
                self.add(name, system.name, round, 0.0, outcome.map_err(|error| format!("{error:#}")));
            }
            _ => {
                let (foreign, outcome) = self.measure(scenario, &mut running, &spinners).await;
                self.add(name, system.name, round, foreign, outcome);
            }
        }
        Ok(())
    }

    async fn quiet(&self, spinners: &Spinners) -> Duration {
        let left = self.timing.quiet_in_all.saturating_sub(self.waited);
        wait_for_quiet(&spinners.pids(), left.min(self.timing.quiet)).await
    }

    async fn measure(
        &self,
        scenario: Scenario,
        running: &mut Running,
        spinners: &Spinners,
    ) -> (f64, Result<Values, String>) {
        let pids = running.pids();
        let ours: Vec<u32> = pids.iter().copied().chain(spinners.pids()).collect();
        let foreign = Foreign::watch(&ours);
        let entry = running.entry.clone();
        let tunnel = Tunnel { entry: &entry, pids: &pids };
        let Timing { bulk, small, settle, .. } = self.timing;
        let outcome = match scenario {
            Scenario::Bulk { up, streams } => load::bulk(&tunnel, up, streams, bulk).await,
            Scenario::PingPong => load::ping_pong(&tunnel, small).await,
            Scenario::BesideBulk => load::beside_bulk(&tunnel, bulk).await,
            Scenario::Connections => load::connections(&tunnel, small).await,
            Scenario::Idle { connections } => load::idle(&tunnel, connections, settle).await,
            Scenario::Stalled => load::stalled(&tunnel, 64, small).await,
            Scenario::HalfClose => load::half_close(&tunnel).await,
            Scenario::Restart => restart(running, self.timing.down).await,
            Scenario::Messages => Ok(Values::new()),
        };
        let cores = foreign.cores();
        // What the load leaves behind in the tunnel ends before the next begins.
        sleep(Duration::from_millis(200)).await;
        (cores, outcome.map_err(|error| format!("{error:#}")))
    }

    fn add(
        &mut self,
        name: &'static str,
        system: &'static str,
        round: usize,
        foreign: f64,
        outcome: Result<Values, String>,
    ) {
        let told = match &outcome {
            Ok(values) => {
                values.iter().map(|(name, value)| format!("{name} {value:.2}")).collect::<Vec<_>>().join(", ")
            }
            Err(why) => format!("FAILED: {why}"),
        };
        eprintln!("{name:12} {system:18} {told}  [{foreign:.2} cores elsewhere]");
        self.results.add(name, system, Run { round, foreign, outcome });
    }
}

/// Kills the hub, starts it again, and watches when new connections are carried again.
async fn restart(running: &mut Running, down: Duration) -> Result<Values> {
    const WATCH: Duration = Duration::from_secs(10);
    let entry = running.entry.clone();
    let hub = running.hub.and_then(|hub| running.processes.get_mut(hub)).context("there is no hub")?;
    let mut attempts = Vec::new();
    let story = async {
        sleep(Duration::from_millis(300)).await;
        hub.kill().await?;
        let killed = Instant::now();
        sleep(down).await;
        hub.restart()?;
        anyhow::Ok((killed, Instant::now()))
    };
    let (killed, restarted) = tokio::select! {
        told = story => told?,
        () = load::probe(&entry, &mut attempts) => bail!("the probe ended"),
    };
    let failing = |attempt: &&(Instant, Instant, bool)| attempt.0 > killed && !attempt.2;
    let refused = attempts.iter().filter(failing).map(|attempt| attempt.1 - attempt.0).max();
    let again = async {
        while load::ask(&entry).await.is_err() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(WATCH, again).await.context("no new connection within 10 seconds of the hub's restart")?;
    let recovered = restarted.elapsed();
    let refused = refused.context("nothing was refused while the hub was down")?;
    Ok(vec![("recovered", recovered.as_secs_f64() * 1e3), ("refused", refused.as_secs_f64() * 1e3)])
}

/// Runs what asks, beside what answers, and reads what it prints.
async fn messages(answer: Option<Program>, ask: Program) -> Result<Values> {
    let mut answering = answer.map(Process::start).transpose()?;
    if let Some(answering) = &mut answering {
        answering.event("up").await?;
    }
    let mut asking = Process::start(ask)?;
    let mut values = Values::new();
    while let Some(line) = asking.line().await {
        values.extend(rate(&line));
    }
    ensure!(values.len() > 2, "it told only {} rates", values.len());
    Ok(values)
}

/// A rate that a line tells, ours as JSON and ockam's as words.
fn rate(line: &str) -> Option<(&'static str, f64)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (kind, size, rate) = match words[..] {
        ["handshakes_per_s", rate] => ("handshakes", 0, rate.parse().ok()?),
        ["echo", "size", size, "rt_per_s", rate, ..] => ("echo", size.parse().ok()?, rate.parse().ok()?),
        ["oneway", "size", size, "msgs_per_s", rate, ..] => ("oneway", size.parse().ok()?, rate.parse().ok()?),
        _ => {
            let event: Value = serde_json::from_str(line).ok()?;
            let rate = event["per_second"].as_f64()?;
            return named(event["event"].as_str()?, event["bytes"].as_u64().unwrap_or(0), rate);
        }
    };
    named(kind, size, rate)
}

fn named(kind: &str, size: u64, rate: f64) -> Option<(&'static str, f64)> {
    let name = match (kind, size) {
        ("handshakes", _) => "handshakes",
        ("echo", 64) => "echo-64",
        ("echo", 32_768) => "echo-32768",
        ("oneway", 64) => "oneway-64",
        ("oneway", 32_768) => "oneway-32768",
        _ => return None,
    };
    Some((name, rate))
}

/// A process of idle priority per core, so that no core halts.
struct Spinners(Vec<Child>);

impl Spinners {
    fn start(wanted: bool) -> Result<Self> {
        let cores = if wanted { std::thread::available_parallelism()?.get() } else { 0 };
        let me = std::env::current_exe()?;
        let spinner = |_| Command::new("chrt").args(["-i", "0"]).arg(&me).arg("spin").kill_on_drop(true).spawn();
        Ok(Self((0..cores).map(spinner).collect::<std::io::Result<_>>().context("chrt does not start")?))
    }

    fn pids(&self) -> Vec<u32> {
        self.0.iter().filter_map(Child::id).collect()
    }
}
