//! The steps of CI: each has a name, an outcome and a cost in time.

use std::fmt;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::background::Background;

/// How a step that did not fail came out.
pub(crate) enum Outcome {
    Passed,
    /// Not done, and why.
    Skipped(String),
}

/// The steps taken so far; displayed as a table of what each cost.
pub(crate) struct Steps {
    started: Instant,
    /// The names of the steps to take; all if empty.
    only: Vec<String>,
    /// The names that were met.
    known: Vec<String>,
    taken: Vec<Step>,
}

/// One step that was taken.
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) took: Duration,
    /// Whether it ran in the background: its time is part of that of other steps.
    pub(crate) in_background: bool,
    pub(crate) result: Result<Outcome>,
}

impl Steps {
    pub(crate) fn new(only: &[String]) -> Self {
        Self { started: Instant::now(), only: only.to_vec(), known: Vec::new(), taken: Vec::new() }
    }

    /// Whether a step is to be taken.
    fn includes(&mut self, name: &str) -> bool {
        self.known.push(name.to_owned());
        self.only.is_empty() || self.only.iter().any(|it| it == name)
    }

    /// Takes one step. A failure is noted and the next step still runs: one run reports everything that is wrong.
    pub(crate) fn run(&mut self, name: &str, work: impl FnOnce() -> Result<Outcome>) {
        if !self.includes(name) {
            return;
        }
        println!("\n── {name}");
        let started = Instant::now();
        let result = work();
        if let Err(error) = &result {
            println!("{name} failed: {error:#}");
        }
        self.taken.push(Step { name: name.into(), took: started.elapsed(), in_background: false, result });
    }

    /// Starts steps in the background, each a name and its commands.
    pub(crate) fn start(&mut self, mut steps: Vec<(String, Vec<Command>)>) -> Background {
        steps.retain(|(name, _)| self.includes(name));
        Background::start(steps)
    }

    /// Waits for the steps in the background, shows what they printed and adds them.
    pub(crate) fn join(&mut self, background: Background) {
        self.taken.extend(background.join());
    }

    /// The names among those asked for that are no steps.
    pub(crate) fn unknown(&self) -> Vec<&String> {
        self.only.iter().filter(|name| !self.known.contains(name)).collect()
    }

    pub(crate) fn failed(&self) -> bool {
        self.taken.iter().any(|step| step.result.is_err())
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.taken.iter().map(|step| step.name.len()).max();
        let width = width.unwrap_or_default().max("total".len());
        for Step { name, took, in_background, result } in &self.taken {
            let seconds = took.as_secs_f64();
            write!(f, "{name:width$}  {seconds:7.1} s  ")?;
            match result {
                Ok(Outcome::Passed) => write!(f, "ok")?,
                Ok(Outcome::Skipped(why)) => write!(f, "skipped: {why}")?,
                Err(_) => write!(f, "FAILED")?,
            }
            writeln!(f, "{}", if *in_background { " (in the background)" } else { "" })?;
        }
        writeln!(f, "{:width$}  {:7.1} s", "total", self.started.elapsed().as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn a_failed_step_is_reported_and_does_not_stop_the_next() {
        let mut steps = Steps::new(&[]);
        steps.run("format", || Ok(Outcome::Passed));
        assert!(!steps.failed());
        steps.run("lints", || bail!("one is broken"));
        steps.run("advisories", || Ok(Outcome::Skipped("offline".into())));
        assert!(steps.failed());

        let table = steps.to_string();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[0].starts_with("format    ") && lines[0].ends_with("ok"));
        assert!(lines[1].starts_with("lints     ") && lines[1].ends_with("FAILED"));
        assert!(lines[2].ends_with("skipped: offline"));
        assert!(lines[3].starts_with("total"));
    }

    #[test]
    fn only_the_steps_asked_for_are_taken() {
        let mut steps = Steps::new(&["lints".into(), "lint".into()]);
        steps.run("format", || bail!("it was not asked for"));
        steps.run("lints", || Ok(Outcome::Passed));
        assert!(!steps.failed());
        assert_eq!(steps.to_string().lines().count(), 2);
        assert_eq!(steps.unknown(), ["lint"]);
    }

    #[test]
    fn a_step_that_failed_in_the_background_fails_the_run() {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.arg("--version");
        let mut missing = Command::new(env!("CARGO"));
        missing.arg("no-such-command");
        let mut steps = Steps::new(&[]);
        let work = vec![("works".to_owned(), vec![cargo]), ("fails".to_owned(), vec![missing])];
        let background = steps.start(work);
        steps.join(background);
        assert!(steps.failed());
        let table = steps.to_string();
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[0].starts_with("works") && lines[0].ends_with("ok (in the background)"), "{table}");
        assert!(lines[1].starts_with("fails") && lines[1].ends_with("FAILED (in the background)"), "{table}");
    }
}
