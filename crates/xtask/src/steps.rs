//! The steps of CI: each has a name, an outcome and a price.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Result;

/// How a step that did not fail came out.
pub(crate) enum Outcome {
    Passed,
    /// Not done, and why.
    Skipped(String),
}

/// The steps taken so far; displayed as a table of what each cost.
#[derive(Default)]
pub(crate) struct Steps {
    taken: Vec<Step>,
}

struct Step {
    name: String,
    took: Duration,
    result: Result<Outcome>,
}

impl Steps {
    /// Takes one step. One that fails is written down and does not keep the next from being taken: a run tells
    /// everything that is wrong at once.
    pub(crate) fn take(&mut self, name: &str, work: impl FnOnce() -> Result<Outcome>) {
        println!("\n── {name}");
        let started = Instant::now();
        let result = work();
        if let Err(error) = &result {
            println!("{name} failed: {error:#}");
        }
        self.taken.push(Step { name: name.into(), took: started.elapsed(), result });
    }

    pub(crate) fn failed(&self) -> bool {
        self.taken.iter().any(|step| step.result.is_err())
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.taken.iter().map(|step| step.name.len()).max();
        let width = width.unwrap_or_default().max("total".len());
        for Step { name, took, result } in &self.taken {
            let seconds = took.as_secs_f64();
            write!(f, "{name:width$}  {seconds:7.1} s  ")?;
            match result {
                Ok(Outcome::Passed) => writeln!(f, "ok")?,
                Ok(Outcome::Skipped(why)) => writeln!(f, "skipped: {why}")?,
                Err(_) => writeln!(f, "FAILED")?,
            }
        }
        let total: Duration = self.taken.iter().map(|step| step.took).sum();
        writeln!(f, "{:width$}  {:7.1} s", "total", total.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn a_failed_step_is_told_and_does_not_stop_the_next() {
        let mut steps = Steps::default();
        steps.take("format", || Ok(Outcome::Passed));
        assert!(!steps.failed());
        steps.take("lints", || bail!("one is broken"));
        steps.take("advisories", || Ok(Outcome::Skipped("offline".into())));
        assert!(steps.failed());

        let table = steps.to_string();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[0].starts_with("format    ") && lines[0].ends_with("ok"));
        assert!(lines[1].starts_with("lints     ") && lines[1].ends_with("FAILED"));
        assert!(lines[2].ends_with("skipped: offline"));
        assert!(lines[3].starts_with("total"));
    }
}
