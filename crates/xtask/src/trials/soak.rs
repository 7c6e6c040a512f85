//! Load for a long time: whole demos, restarts of the hub, half-closed and stalled streams, many connections and idle ones,
//! in an order that the seed decides, against release builds.

use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use super::figures::Figures;
use super::options::Options;
use super::random::Random;
use crate::bench;
use crate::{cargo, prerequisites};

pub(super) const ABOUT: &str = "demos, restarts and load on release builds [--minutes 60]";

/// What the load is, by name; all but the demo are scenarios of `cargo xtask bench`.
const LOADS: &[&str] = &["demo", "restart", "connections", "half-close", "stalled", "idle-1000", "up8", "down8"];

/// Goes on until the time is over, at least once through every load.
///
/// # Errors
/// When the programs do not build or cannot be started.
pub(super) fn run(options: &Options) -> Result<Figures> {
    prerequisites::install_for_build()?;
    bench::build_for_load()?;
    let logs = super::directory("soak")?;
    let mut random = Random::seeded(options.seed);
    let mut order = LOADS.to_vec();
    let mut figures = Figures::default();
    let started = Instant::now();
    let mut round = 0;
    while round == 0 || started.elapsed() < options.duration {
        round += 1;
        random.shuffle(&mut order);
        for name in &order {
            let log = logs.join(format!("{name}-{round}.log"));
            figures.add(name, super::logged(&format!("{name} {round}"), &mut command(name)?, &log, nothing_failed)?);
        }
    }
    Ok(figures)
}

/// The load generator writes what failed into its table and measures on.
fn nothing_failed(output: &str) -> bool {
    !output.contains("failed: ")
}

fn command(load: &str) -> Result<Command> {
    if load == "demo" {
        let mut demo = cargo::program("release", "postern");
        demo.args(["demo", "--once"]);
        return Ok(demo);
    }
    bench::load(&["--quick".into(), "--systems".into(), "postern".into(), load.into()])
}
