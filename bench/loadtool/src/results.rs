//! What was measured: runs by scenario and system, and the figures that come of them.

use std::collections::HashMap;

use crate::load::Values;
use crate::scenario::{Bound, Measure, Target};

/// Other work that takes more cores than this spoils a run.
const DISTURBED: f64 = 0.5;

/// One measurement of one system.
pub(crate) struct Run {
    pub(crate) round: usize,
    /// Cores that other work took meanwhile.
    pub(crate) foreign: f64,
    /// The values, or why there are none.
    pub(crate) outcome: Result<Values, String>,
}

impl Run {
    fn value(&self, name: &str) -> Option<f64> {
        self.outcome.as_ref().ok()?.iter().find(|value| value.0 == name).map(|value| value.1)
    }
}

/// All runs.
#[derive(Default)]
pub(crate) struct Results {
    runs: HashMap<(&'static str, &'static str), Vec<Run>>,
}

/// A median and the range around it.
#[derive(Clone, Copy)]
pub(crate) struct Figure {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Figure {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 };
        Some(Self { median, least, most })
    }
}

impl Results {
    /// Adds a run of a scenario on a system.
    pub(crate) fn add(&mut self, scenario: &'static str, system: &'static str, run: Run) {
        self.runs.entry((scenario, system)).or_default().push(run);
    }

    /// The runs that count: those that other work did not disturb, if there are two of them at least.
    fn counting(&self, scenario: &str, system: &str) -> Vec<&Run> {
        let here = self.runs.iter().find(|(key, _)| key.0 == scenario && key.1 == system);
        let all: Vec<&Run> = here.into_iter().flat_map(|(_, runs)| runs).collect();
        let quiet: Vec<&Run> = all.iter().copied().filter(|run| run.foreign <= DISTURBED).collect();
        if quiet.len() >= 2 { quiet } else { all }
    }

    /// A system's figure.
    pub(crate) fn figure(&self, measure: &Measure, system: &str) -> Option<Figure> {
        let runs = self.counting(measure.scenario, system);
        Figure::of(runs.into_iter().filter_map(|run| run.value(measure.value)).collect())
    }

    /// Why a system has no figure.
    pub(crate) fn failure(&self, scenario: &str, system: &str) -> Option<&str> {
        self.counting(scenario, system).into_iter().find_map(|run| run.outcome.as_ref().err()).map(String::as_str)
    }

    /// How many times the other's figure a system's is: the median over the rounds that have both.
    pub(crate) fn ratio(&self, measure: &Measure, system: &str, other: &str) -> Option<f64> {
        let others = self.counting(measure.scenario, other);
        let of_round = |round| {
            let same = others.iter().filter(|run| run.round == round);
            same.filter_map(|run| run.value(measure.value)).next_back()
        };
        let runs = self.counting(measure.scenario, system);
        let ratios = runs.iter().filter_map(|run| Some(run.value(measure.value)? / of_round(run.round)?));
        let ratios: Vec<f64> = ratios.filter(|ratio| ratio.is_finite()).collect();
        let of_medians = || Some(self.figure(measure, system)?.median / self.figure(measure, other)?.median);
        Figure::of(ratios).map(|ratio| ratio.median).or_else(of_medians).filter(|ratio| ratio.is_finite())
    }

    /// Whether a system reaches a target; nothing if that was not measured.
    pub(crate) fn reaches(&self, measure: &Measure, target: &Target, system: &str) -> Option<bool> {
        let reached = match target.times {
            Some(other) => self.ratio(measure, system, other)?,
            None => self.figure(measure, system)?.median,
        };
        Some(match target.bound {
            Bound::AtLeast(bound) => reached >= bound,
            Bound::AtMost(bound) => reached <= bound,
        })
    }

    /// Cores that other work took, over all runs.
    pub(crate) fn foreign(&self) -> Option<Figure> {
        Figure::of(self.runs.values().flatten().map(|run| run.foreign).collect())
    }
}
