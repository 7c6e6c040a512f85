//! `cargo xtask trials`: what takes too long for CI. Each trial prints its seed, a line for each run, and figures at the end;
//! it fails if one run failed. `.github/workflows/weekly.yml` runs them.
//!
//! The output of each run goes to a file in `target/trials/`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cargo;
use figures::Figures;
use options::Options;

mod figures;
mod fresh;
mod kafka;
mod options;
mod peers;
mod random;
mod repeat;
mod reproducible;
mod security;
mod soak;

/// A trial: its name, what it does, and how it is run.
struct Trial {
    name: &'static str,
    about: &'static str,
    run: fn(&Options) -> Result<Figures>,
}

const TRIALS: &[Trial] = &[
    Trial { name: "repeat", about: repeat::ABOUT, run: repeat::run },
    Trial { name: "soak", about: soak::ABOUT, run: soak::run },
    Trial { name: "fresh", about: fresh::ABOUT, run: fresh::run },
    Trial { name: "reproducible", about: reproducible::ABOUT, run: reproducible::run },
    Trial { name: "kafka", about: kafka::ABOUT, run: kafka::run },
    Trial { name: "session", about: peers::ABOUT_SESSION, run: peers::session },
    Trial { name: "slow", about: peers::ABOUT_SLOW, run: peers::slow },
    Trial { name: "security", about: security::ABOUT, run: security::run },
];

/// `cargo xtask trials [NAME] [OPTIONS]`: runs one trial, or lists all.
///
/// # Errors
/// When there is no such trial, an option is wrong, or what the trial needs cannot be built.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let Some((name, options)) = arguments.split_first() else {
        TRIALS.iter().for_each(|trial| println!("{:12} {}", trial.name, trial.about));
        return Ok(ExitCode::SUCCESS);
    };
    let Some(trial) = TRIALS.iter().find(|trial| trial.name == name) else {
        let names: Vec<_> = TRIALS.iter().map(|trial| trial.name).collect();
        bail!("there is no trial `{name}`, only {}", names.join(", "));
    };
    let options = Options::read(options)?;
    println!("{name}: seed {}", options.seed);
    let figures = (trial.run)(&options)?;
    println!("\n{name}, seed {}:\n{figures}", options.seed);
    Ok(if figures.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A directory of its own for a trial.
fn directory(name: &str) -> Result<PathBuf> {
    let path = cargo::target().join("trials").join(name);
    fs::create_dir_all(&path).with_context(|| format!("Failed to create {}", path.display()))?;
    Ok(path)
}

/// How one run ended.
struct Run {
    passed: bool,
    took: Duration,
}

/// Runs a command with its output in a file, and prints one line about it. It passes if it exits with 0 and `accept` finds
/// in its output that it did what it should.
///
/// # Errors
/// When it cannot be started.
fn logged(what: &str, command: &mut Command, log: &Path, accept: fn(&str) -> bool) -> Result<Run> {
    let file = File::create(log).with_context(|| format!("Failed to create {}", log.display()))?;
    let started = Instant::now();
    let status = command.stdout(file.try_clone()?).stderr(file).status();
    let status = status.with_context(|| format!("Failed to start {}", cargo::display(command)))?;
    let took = started.elapsed();
    let output = fs::read(log).with_context(|| format!("Failed to read {}", log.display()))?;
    let run = Run { passed: status.success() && accept(&String::from_utf8_lossy(&output)), took };
    let end = if run.passed { "passed".into() } else { format!("FAILED, see {}", log.display()) };
    println!("{what:24} {:8.1} s  {end}", run.took.as_secs_f64());
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_fails_by_its_exit_code_and_by_its_output() {
        let log = directory("tests").unwrap().join("run.log");
        let run = |argument: &str, accept| logged("cargo", Command::new(env!("CARGO")).arg(argument), &log, accept);
        assert!(run("--version", |output| output.contains("cargo")).unwrap().passed);
        assert!(!run("--version", |output| output.contains("nothing of it")).unwrap().passed);
        assert!(!run("no-such-command", |_| true).unwrap().passed);
    }
}
