//! Runs a step of the hot path: `postern-hot-path STEP TIMES`; without arguments, prints the names of the steps.
//!
//! The steps are not public API: `postern_node::hot_path` exists only with `--cfg postern_hot_path`.

use postern_node::hot_path::STEPS;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(times)) = (arguments.next(), arguments.next()) else {
        STEPS.iter().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    };
    let step = STEPS.iter().find(|(step, _)| *step == name);
    match (step, times.parse()) {
        (Some((_, run)), Ok(times)) => {
            run(times);
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("there is no step {name:?}, or {times:?} is not a number; without arguments, the steps are listed");
            ExitCode::FAILURE
        }
    }
}
