//! The table of results, which is also Markdown.

use std::fmt::Write;
use std::fs;
use std::process::Command;

use crate::results::{Figure, Results};
use crate::scenario::{Bound, MEASURES, Measure, Target};
use crate::system::System;

/// The system whose targets these are.
pub(crate) const OURS: &str = "postern";

/// Everything that was measured, as an aligned Markdown table.
pub(crate) fn table(results: &Results, systems: &[System]) -> String {
    let others: Vec<&str> = systems.iter().map(|system| system.name).filter(|name| *name != OURS).collect();
    let mut rows = vec![header(systems, &others)];
    let measured = |measure: &&Measure| systems.iter().any(|system| results.figure(measure, system.name).is_some());
    for measure in MEASURES.iter().filter(measured) {
        let mut row = vec![measure.title.to_owned()];
        row.extend(systems.iter().map(|system| cell(results, measure, system.name)));
        row.extend(
            others.iter().filter(|other| **other != "raw").map(|other| {
                results.ratio(measure, OURS, other).map(|ratio| format!("{ratio:.2}")).unwrap_or_default()
            }),
        );
        row.push(measure.targets.iter().map(shown).collect::<Vec<_>>().join(", "));
        row.push(verdict(results, measure).to_owned());
        rows.push(row);
    }
    aligned(&rows)
}

fn header(systems: &[System], others: &[&str]) -> Vec<String> {
    let mut row = vec!["median (least–most)".to_owned()];
    row.extend(systems.iter().map(|system| system.name.to_owned()));
    row.extend(others.iter().filter(|other| **other != "raw").map(|other| format!("÷ {other}")));
    row.extend(["must reach".to_owned(), String::new()]);
    row
}

fn cell(results: &Results, measure: &Measure, system: &str) -> String {
    match results.figure(measure, system) {
        Some(Figure { median, least, most }) if least == most => number(median),
        Some(Figure { median, least, most }) => format!("{} ({}–{})", number(median), number(least), number(most)),
        None => results.failure(measure.scenario, system).map(|why| format!("failed: {why}")).unwrap_or_default(),
    }
}

fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        0.0 => "0".to_owned(),
        _ => format!("{value:.2}"),
    }
}

fn shown(target: &Target) -> String {
    let (sign, bound) = match target.bound {
        Bound::AtLeast(bound) => ('≥', bound),
        Bound::AtMost(bound) => ('≤', bound),
    };
    match target.times {
        Some(system) => format!("{sign} {bound} × {system}"),
        None => format!("{sign} {bound}"),
    }
}

/// All targets that were measured are reached, or one is missed; a failed scenario misses.
fn verdict(results: &Results, measure: &Measure) -> &'static str {
    if measure.targets.is_empty() {
        return "";
    }
    let outcomes: Vec<bool> =
        measure.targets.iter().filter_map(|target| results.reaches(measure, target, OURS)).collect();
    match (outcomes.is_empty(), outcomes.iter().all(|reached| *reached)) {
        (true, _) if results.failure(measure.scenario, OURS).is_some() => "missed",
        (true, _) => "not compared",
        (false, true) => "reached",
        (false, false) => "missed",
    }
}

fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default().max(3)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "| {cell:width$} ");
        }
        text.push_str("|\n");
        if number == 0 {
            for width in &widths {
                let _ = write!(text, "|{}", "-".repeat(width + 2));
            }
            text.push_str("|\n");
        }
    }
    text
}

/// The machine, the day and the command, for whoever reads the table later.
pub(crate) fn circumstances(command: &str, results: &Results, rounds: usize) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let foreign = results.foreign().map_or(String::new(), |foreign| {
        format!("; other work took {:.2} cores in the median run, {:.2} in the worst", foreign.median, foreign.most)
    });
    format!(
        "`{command}` · {} · {cores} cores of {} · Linux {} · {rounds} rounds{foreign}\n",
        said(Command::new("date").args(["-u", "+%F %H:%M UTC"])),
        processor(),
        fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
    )
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or("an unnamed processor", |name| name.1).to_owned()
}

fn said(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).trim().to_owned()
}
