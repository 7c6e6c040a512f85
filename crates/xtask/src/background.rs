//! Commands that run while the machine would be waiting: the tests wait for timeouts and for each other much of the time,
//! and building what later steps need fills those gaps.
//!
//! The commands run one after another at the lowest priority, so the tests get a processor whenever they want one. What
//! they print goes to a file and is shown when they are joined. None may use the build directory of the tests: cargo locks it.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};

use crate::cargo;
use crate::steps::{Outcome, Step};

/// Steps that have been started; a drop leaves them running.
pub(crate) struct Background {
    thread: JoinHandle<Vec<Step>>,
}

impl Background {
    /// Starts steps, each a name and its commands in order. The next step runs also when one failed.
    pub(crate) fn start(steps: Vec<(String, Vec<Command>)>) -> Self {
        let take = |(name, commands): (String, Vec<Command>)| {
            let started = Instant::now();
            let result = commands.into_iter().try_for_each(|command| run(&name, &command)).map(|()| Outcome::Passed);
            Step { name, took: started.elapsed(), in_background: true, result }
        };
        Self { thread: thread::spawn(move || steps.into_iter().map(take).collect()) }
    }

    /// Waits for all steps and shows what they printed.
    pub(crate) fn join(self) -> Vec<Step> {
        let steps = self.thread.join().unwrap_or_else(|_| {
            let result = Err(anyhow!("the thread of the background steps panicked"));
            vec![Step { name: "background".into(), took: Default::default(), in_background: true, result }]
        });
        for step in &steps {
            println!("\n── {} (in the background)", step.name);
            print!("{}", fs::read_to_string(log(&step.name)).unwrap_or_default());
            if let Err(error) = &step.result {
                println!("{} failed: {error:#}", step.name);
            }
        }
        steps
    }
}

/// Where a step's output goes.
fn log(step: &str) -> PathBuf {
    cargo::target().join("ci").join(format!("{}.log", step.replace(' ', "-")))
}

fn run(step: &str, command: &Command) -> Result<()> {
    let path = log(step);
    fs::create_dir_all(path.parent().context("a log has a directory")?)?;
    let output = File::options().create(true).append(true).open(&path);
    let output = output.with_context(|| format!("Failed to open {}", path.display()))?;
    let mut command = at_lowest_priority(command);
    let status = command.stdout(output.try_clone()?).stderr(output).status();
    let status = status.with_context(|| format!("Failed to start {}", cargo::display(&command)))?;
    ensure!(status.success(), "{} ended with {status}", cargo::display(&command));
    Ok(())
}

/// The same command behind `nice`, where there is one.
fn at_lowest_priority(command: &Command) -> Command {
    cargo::again(command, if cfg!(unix) { &["nice", "-n", "19"] } else { &[] })
}
