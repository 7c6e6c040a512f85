//! The table at the end.

use crate::friends::{Samples, quantile};
use std::fmt;
use std::time::Duration;

/// Friends may be so much slower while their own hub and owner are attacked than while others' are.
const RATIO_MAX: f64 = 2.0;

/// What friends noticed of the attacks on one site.
#[derive(Default)]
pub(crate) struct Attacked {
    samples: Samples,
    /// How long a friend took to come back.
    back: Vec<Duration>,
}

impl Attacked {
    pub(crate) fn add(&mut self, samples: Samples, back: Duration) {
        self.samples.add(samples);
        self.back.push(back);
    }
}

#[derive(Default)]
pub(crate) struct Report {
    pub(crate) idle: Samples,
    pub(crate) other: Attacked,
    pub(crate) own: Attacked,
    /// How long after each attack on their own everything was as before, or what was not.
    pub(crate) recoveries: Vec<Result<Duration, String>>,
}

/// A line: its name, and the samples when idle, with another site attacked, and with their own.
type Line<'a> = (&'static str, [&'a [Duration]; 3], f64);

impl Report {
    fn lines(&self) -> [Line<'_>; 4] {
        let (idle, other, own) = (&self.idle, &self.other.samples, &self.own.samples);
        let round_trips: [&[Duration]; 3] = [&idle.round_trips, &other.round_trips, &own.round_trips];
        let new_streams: [&[Duration]; 3] = [&idle.new_streams, &other.new_streams, &own.new_streams];
        [
            ("round trip, median", round_trips, 0.5),
            ("round trip, p99", round_trips, 0.99),
            ("new stream, median", new_streams, 0.5),
            ("new stream, p99", new_streams, 0.99),
        ]
    }

    pub(crate) fn passed(&self) -> bool {
        let ratios = self.lines().into_iter().filter(|line| line.2 > 0.9).all(|line| ratio(&line) <= RATIO_MAX);
        ratios && self.own.samples.failures <= self.other.samples.failures && self.recoveries.iter().all(Result::is_ok)
    }
}

fn ratio((_, [_, other, own], part): &Line<'_>) -> f64 {
    quantile(own, *part).as_secs_f64() / quantile(other, *part).as_secs_f64().max(f64::MIN_POSITIVE)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n| friends of the attacked hub and owner, ms | no attack | attack on others | attack on theirs | ratio |"
        )?;
        writeln!(f, "|---|---|---|---|---|")?;
        for line in self.lines() {
            let (what, samples, part) = line;
            let [idle, other, own] = samples.map(|samples| quantile(samples, part).as_secs_f64() * 1_000.0);
            writeln!(f, "| {what} | {idle:.2} | {other:.2} | {own:.2} | {:.2} |", ratio(&line))?;
        }
        let failures = [&self.idle, &self.other.samples, &self.own.samples].map(|samples| samples.failures);
        writeln!(f, "| failures | {} | {} | {} | |", failures[0], failures[1], failures[2])?;
        let [other, own] = [&self.other.back, &self.own.back].map(|back| quantile(back, 0.5).as_secs_f64());
        writeln!(f, "| restart of a friend's program, s | | {other:.2} | {own:.2} | {:.2} |", own / other)?;
        for (round, recovery) in self.recoveries.iter().enumerate() {
            match recovery {
                Ok(time) => {
                    writeln!(f, "round {}: as before {:.0} s after the attacker left", round + 1, time.as_secs_f64())?
                }
                Err(left) => writeln!(f, "round {}: NOT as before a minute after: {left}", round + 1)?,
            }
        }
        writeln!(f, "{}", if self.passed() { "reached" } else { "MISSED" })
    }
}
