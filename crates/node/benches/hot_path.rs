//! `hot_path STEP TIMES` runs one step of the hot path so many times; without arguments it lists the steps.
//!
//! `cargo xtask bench instructions` counts what a step costs.

use postern_node::bench::STEPS;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Cargo adds `--bench` when it runs this itself.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [step, times] = &arguments[..] else {
        STEPS.iter().for_each(|step| println!("{}", step.0));
        return ExitCode::SUCCESS;
    };
    match (STEPS.iter().find(|known| known.0 == step), times.parse()) {
        (Some((_, run)), Ok(times)) => {
            run(times);
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("Usage: hot_path STEP TIMES");
            ExitCode::FAILURE
        }
    }
}
