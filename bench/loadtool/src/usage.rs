//! What processes and the machine have used, from `/proc`.

use std::fs;
use std::time::{Duration, Instant};

/// CPU seconds of some processes, and of children they have waited for.
pub(crate) fn cpu_seconds(pids: &[u32]) -> f64 {
    pids.iter().fold(0.0, |all, pid| all + ticks(&format!("/proc/{pid}/stat"))) / per_second()
}

/// Resident memory of some processes together, in KiB.
pub(crate) fn resident_kib(pids: &[u32]) -> f64 {
    pids.iter().fold(0.0, |all, pid| all + resident(&format!("/proc/{pid}/status")))
}

fn ticks(stat: &str) -> f64 {
    let stat = fs::read_to_string(stat).unwrap_or_default();
    // The name of the program stands in parentheses and may hold anything.
    let Some((_, fields)) = stat.rsplit_once(')') else { return 0.0 };
    fields.split_whitespace().skip(11).take(4).filter_map(|field| field.parse::<f64>().ok()).sum()
}

fn resident(status: &str) -> f64 {
    let status = fs::read_to_string(status).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0.0)
}

/// CPU seconds that all cores together were busy, since the machine was started.
fn machine_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let mut fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let mut field = || fields.next().and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    let (user, nice, system, _idle, _wait, irq, softirq) =
        (field(), field(), field(), field(), field(), field(), field());
    (user + nice + system + irq + softirq) / per_second()
}

fn per_second() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

/// Watches how many cores other work on the machine takes.
pub(crate) struct Foreign {
    ours: Vec<u32>,
    begun: Instant,
    machine: f64,
    own: f64,
}

impl Foreign {
    /// Begins now; `ours` are the processes that do not count, besides this one.
    pub(crate) fn watch(ours: &[u32]) -> Self {
        let ours: Vec<u32> = ours.iter().copied().chain([std::process::id()]).collect();
        Self { begun: Instant::now(), machine: machine_seconds(), own: cpu_seconds(&ours), ours }
    }

    /// Cores taken by other work since then.
    pub(crate) fn cores(&self) -> f64 {
        let used = (machine_seconds() - self.machine) - (cpu_seconds(&self.ours) - self.own);
        (used / self.begun.elapsed().as_secs_f64()).max(0.0)
    }
}

/// Waits until other work takes less than 0.3 cores, at most so long. Says how long it waited.
pub(crate) async fn wait_for_quiet(ours: &[u32], at_most: Duration) -> Duration {
    let begun = Instant::now();
    while begun.elapsed() < at_most {
        let foreign = Foreign::watch(ours);
        tokio::time::sleep(Duration::from_millis(250)).await;
        if foreign.cores() < 0.3 {
            break;
        }
    }
    begun.elapsed()
}
