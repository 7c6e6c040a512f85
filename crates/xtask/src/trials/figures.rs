//! What the runs of a trial add up to.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::Run;

/// Runs by what was run; displayed as a table.
#[derive(Default)]
pub(super) struct Figures {
    runs: BTreeMap<String, Vec<Run>>,
}

impl Figures {
    pub(super) fn add(&mut self, what: &str, run: Run) {
        self.runs.entry(what.to_owned()).or_default().push(run);
    }

    pub(super) fn failed(&self) -> usize {
        self.runs.values().flatten().filter(|run| !run.passed).count()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.runs.keys().map(String::len).max().unwrap_or_default().max("what".len());
        writeln!(f, "{:width$}  runs  failed  shortest    median   longest", "what")?;
        for (what, runs) in &self.runs {
            let failed = runs.iter().filter(|run| !run.passed).count();
            let mut times: Vec<Duration> = runs.iter().map(|run| run.took).collect();
            times.sort_unstable();
            let [shortest, median, longest] =
                [0, times.len() / 2, times.len().saturating_sub(1)].map(|place| times[place].as_secs_f64());
            writeln!(
                f,
                "{what:width$}  {:4}  {failed:6}  {shortest:6.1} s  {median:6.1} s  {longest:6.1} s",
                runs.len()
            )?;
        }
        let all: usize = self.runs.values().map(Vec::len).sum();
        write!(f, "{} passed, {} failed", all - self.failed(), self.failed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_add_up() {
        let mut figures = Figures::default();
        for (seconds, passed) in [(3, true), (1, false), (2, true)] {
            figures.add("people", Run { passed, took: Duration::from_secs(seconds) });
        }
        assert_eq!(figures.failed(), 1);
        let table = figures.to_string();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[1], "people     3       1     1.0 s     2.0 s     3.0 s");
        assert_eq!(lines[2], "2 passed, 1 failed");
    }
}
