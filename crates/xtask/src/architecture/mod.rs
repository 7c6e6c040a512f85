//! `cargo xtask architecture`: the rules that the compiler does not check, and `docs/` that must stay true.
//!
//! Each check takes the [`sources`](sources::Sources) it reads and returns findings, one line each with file and line; none
//! changes anything. The checks run on text and syntax alone: nothing is compiled, so the command answers in seconds.
//!
//! | check | rule |
//! |---|---|
//! | [`layers`] | no import from a higher layer of `layers.toml`; every module has a layer |
//! | [`cycles`] | no import cycle of more than three files in a crate with layers |
//! | [`documents`] | paths of "Where is what", constants of `docs/limits.md`, crates of `docs/dependencies.md`, tests of `docs/threat-model.md` exist |
//! | [`retired`] | names that were replaced do not come back |
//! | [`length`] | no file over 400 lines without its reason in "Large files" |
//! | [`seams`] | the crates with seams to the outside disallow the direct calls |

use std::process::ExitCode;

use anyhow::Result;

use crate::cargo;
use crate::steps::Outcome;
use sources::Sources;

mod cycles;
mod documents;
mod imports;
mod layers;
mod length;
mod manifests;
mod markdown;
mod modules;
mod resolve;
mod retired;
mod seams;
mod sources;

/// What a check found: one violation a line, empty when the rule holds.
type Findings = Vec<String>;

/// `cargo xtask architecture`: runs every check and prints what each found.
///
/// # Errors
/// When a source file or a document cannot be read.
pub(crate) fn run() -> Result<ExitCode> {
    let found = check(&Sources::read(cargo::root())?)?;
    println!("{found} {} of the architecture", if found == 1 { "violation" } else { "violations" });
    Ok(if found == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The same as a step of CI.
///
/// # Errors
/// As [`run`], and when a rule is violated.
pub(crate) fn step() -> Result<Outcome> {
    let found = check(&Sources::read(cargo::root())?)?;
    anyhow::ensure!(found == 0, "{found} violations");
    Ok(Outcome::Passed)
}

/// Prints the findings of every check; gives their number.
fn check(sources: &Sources) -> Result<usize> {
    let crates = layers::read(sources)?;
    let mut imports = Vec::new();
    for layered in &crates {
        imports.push(imports::of_crate(sources, &layered.path)?);
    }
    let of_each = |check: fn(&layers::LayeredCrate, &imports::Imports) -> Findings| -> Findings {
        crates.iter().zip(&imports).flat_map(|(layered, imports)| check(layered, imports)).collect()
    };
    let results = [
        ("layers", of_each(layers::check)),
        ("import cycles", of_each(|_, imports| cycles::check(imports))),
        ("where is what", documents::where_is_what(sources)),
        ("limits", documents::limits(sources)?),
        ("dependencies", documents::dependencies(sources)),
        ("threat model", documents::threats(sources)?),
        ("retired names", retired::check(sources)?),
        ("file length", length::check(sources)),
        ("seams", seams::check(sources)?),
    ];
    for (name, findings) in &results {
        println!("{name}: {}", if findings.is_empty() { "ok".into() } else { findings.len().to_string() });
        findings.iter().for_each(|finding| println!("  {finding}"));
    }
    Ok(results.iter().map(|(_, findings)| findings.len()).sum())
}
