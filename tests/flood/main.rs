//! Floods of a stranger against a hub and an owner, beside the same floods against another hub on the same machine.
//!
//! ```text
//! friends ─► hub ─► owner ─► echo         measured: round trips, new streams, a friend who starts anew
//!             ▲
//!   in turns, from other addresses:  attacker (a process of its own) ─► the bystanders' hub and owner, or these
//! ```
//!
//! Friends and attacker share processors in both cases, so the ratio shows what the attack does to those who use the
//! attacked nodes, not what it costs the machine. `cargo xtask trials security` runs it and keeps the output.

mod attack;
mod friends;
mod report;
mod site;
mod source_address;

use attack::Victim;
use report::Report;
use site::Site;
use std::process::ExitCode;
use std::time::Duration;

/// How long friends are measured before the first attack.
const IDLE: Duration = Duration::from_secs(20);
/// How long an attack goes on: at 1,000 channels per second, all 20,000 are open after two thirds of it.
const ATTACK: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["attack", hub, owner, service] => match Victim::parse(hub, owner, service) {
            Ok(victim) => attack::run(victim, ATTACK),
            Err(why) => usage(&why),
        },
        [] => measure(1),
        ["--rounds", rounds] => match rounds.parse() {
            Ok(rounds) => measure(rounds),
            Err(_) => usage("the number of rounds is no number"),
        },
        _ => usage("unknown arguments"),
    }
}

fn usage(why: &str) -> ExitCode {
    eprintln!("{why}\nusage: postern-flood [--rounds N]");
    ExitCode::from(2)
}

/// Attacks the bystanders and the friends' own hub in turns, and prints what the friends noticed.
fn measure(rounds: usize) -> ExitCode {
    let (target, bystander) = (Site::start("Ann", &["Ben", "Cid", "Dee"]), Site::start("Ida", &["Joe", "Kim", "Lea"]));
    let idle = friends::measure(&target.inlets, || friends::pause(IDLE));
    let mut report = Report { idle, ..Report::default() };
    println!("idle: {}", report.idle);
    for round in 1..=rounds {
        for site in [&bystander, &target] {
            let name = if std::ptr::eq(site, &target) { "own" } else { "other" };
            let mut back = Duration::ZERO;
            let samples = friends::measure(&target.inlets, || {
                let attack = site.attack();
                back = target.latecomer_comes_back();
                println!("{name} hub, round {round}: {}", attack.ended(ATTACK));
            });
            println!("{name} hub, round {round}: {samples}; a friend is back after {:.2} s", back.as_secs_f64());
            if name == "own" {
                let recovery = site.recovery(&bystander);
                println!("own hub, round {round}: {}", recovery_text(&recovery));
                report.recoveries.push(recovery);
                report.own.add(samples, back);
            } else {
                // What the bystanders' hub still does must not count against the next measurement.
                let _ = site.recovery(&target);
                report.other.add(samples, back);
            }
        }
    }
    print!("{report}");
    if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn recovery_text(recovery: &Result<Duration, String>) -> String {
    match recovery {
        Ok(time) => format!("everything is as before {:.0} s after the attacker left", time.as_secs_f64()),
        Err(left) => format!("not as before a minute after the attacker left: {left}"),
    }
}
