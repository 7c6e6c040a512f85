//! Known vulnerabilities of the dependencies: cargo-deny with the RustSec database, or with a pinned copy where the network gives none.
//!
//! The copy is `supply-chain/advisory-db`, in the layout of the database, and `supply-chain/pinned.toml` says what it is a copy of.
//! It has the advisories of crates in `Cargo.lock` only. cargo-deny fetches databases with Git, so the check makes a repository of
//! the copy, in the build directory, and has Git read that one instead.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};

use crate::steps::Outcome;
use crate::{cargo, deny};

/// As cargo-deny writes it.
const DATABASE: &str = "https://github.com/RustSec/advisory-db";
const DIRECTORY: &str = "supply-chain";
/// Days after which a copy is too old to tell much: cargo-deny's own limit for a database that it does not fetch.
const MAX_AGE_DAYS: i64 = 90;

/// `cargo xtask advisories [refresh]`: the check alone, or a new copy of the database.
///
/// # Errors
/// When there is an advisory that `deny.toml` does not list, or the database cannot be fetched.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    match arguments {
        [] => {
            check()?;
        }
        [refresh] if refresh == "refresh" => self::refresh(&cargo::root().join(DIRECTORY), DATABASE)?,
        other => bail!("`cargo xtask advisories` takes `refresh` or nothing, not {other:?}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Compares the locked crates with the database of today, or with the pinned copy.
///
/// # Errors
/// When there is an advisory that `deny.toml` does not list, or the copy is too old.
pub(crate) fn check() -> Result<Outcome> {
    let fetched = deny::command()?.args(["fetch", "db"]).stderr(Stdio::null()).status();
    if fetched.context("Failed to start cargo-deny")?.success() {
        cargo::run(deny::command()?.args(["check", "--disable-fetch", "advisories"]))?;
        return Ok(Outcome::Passed);
    }
    println!("The advisory database cannot be reached: the pinned copy is used.");
    let directory = cargo::root().join(DIRECTORY);
    let pinned = Pinned::read(&directory)?;
    let age = days_since_1970()? - pinned.day;
    ensure!(
        age <= MAX_AGE_DAYS,
        "the pinned copy is {age} days old; run `cargo xtask advisories refresh` with a network"
    );
    check_pinned(&directory)?;
    if pinned.partial {
        let why =
            "the database cannot be reached, and the pinned copy has only the advisories that were written by hand";
        println!("Passed, but {why}.");
        return Ok(Outcome::Skipped(why.into()));
    }
    Ok(Outcome::Passed)
}

/// Runs cargo-deny on the copy in a directory.
fn check_pinned(directory: &Path) -> Result<()> {
    let built = cargo::target().join("advisories");
    let _ = fs::remove_dir_all(&built);
    let repository = built.join("advisory-db");
    copy(&directory.join("advisory-db"), &repository)?;
    commit(&repository)?;
    let rules = fs::read_to_string(cargo::root().join("deny.toml")).context("Failed to read deny.toml")?;
    let config = built.join("deny.toml");
    fs::write(&config, with_databases_at(&rules, &built.join("databases"))?)?;
    let mut check = deny::command()?;
    check.arg("--config").arg(&config).args(["check", "--hide-inclusion-graph", "advisories"]);
    let instead = format!("url.{}.insteadOf", repository.display());
    check.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", instead).env("GIT_CONFIG_VALUE_0", DATABASE);
    cargo::run(&mut check)
}

/// The rules of `deny.toml`, with a place of their own for databases that Git fetches.
fn with_databases_at(rules: &str, databases: &Path) -> Result<String> {
    const TABLE: &str = "[advisories]\n";
    ensure!(rules.matches(TABLE).count() == 1, "deny.toml has not one table [advisories]");
    // A literal string of TOML, for the backslashes of Windows.
    let place = format!("{TABLE}db-path = '{}'\ngit-fetch-with-cli = true\n", databases.display());
    Ok(rules.replace(TABLE, &place))
}

/// What a copy is a copy of.
struct Pinned {
    /// Days since 1970.
    day: i64,
    partial: bool,
}

impl Pinned {
    fn read(directory: &Path) -> Result<Self> {
        let path = directory.join("pinned.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("Failed to read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let table: toml::Table = text.parse()?;
        let date = table.get("date").and_then(toml::Value::as_str).context("no date")?;
        let partial = table.get("partial").and_then(toml::Value::as_bool).context("not said whether partial")?;
        Ok(Self { day: days(date)?, partial })
    }
}

/// Takes a copy of the database for the locked crates.
fn refresh(directory: &Path, database: &str) -> Result<()> {
    let clone = cargo::target().join("advisories/refresh");
    let _ = fs::remove_dir_all(&clone);
    let mut git = Command::new("git");
    cargo::run(git.args(["clone", "--quiet", "--depth", "1", database]).arg(&clone))
        .context("The database could not be fetched; the pinned copy is unchanged")?;
    let head = output(git_in(&clone).args(["log", "-1", "--format=%H %cs"]))?;
    let (commit, date) = head.trim().split_once(' ').context("git log printed something else")?;
    days(date)?;
    let lock = fs::read_to_string(cargo::root().join("Cargo.lock")).context("Failed to read Cargo.lock")?;
    let copied = take(&clone, &directory.join("advisory-db"), &locked(&lock)?)?;
    let path = directory.join("pinned.toml");
    let text = fs::read_to_string(&path)?;
    fs::write(&path, with_values(&text, commit, date)?)?;
    println!("{copied} crates of {commit}, {date}");
    Ok(())
}

/// `pinned.toml` with other values and the same comments.
fn with_values(text: &str, commit: &str, date: &str) -> Result<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (key, value) in
        [("commit", format!("\"{commit}\"")), ("date", format!("\"{date}\"")), ("partial", "false".into())]
    {
        let line = lines.iter_mut().find(|line| line.starts_with(&format!("{key} = ")));
        *line.with_context(|| format!("no {key}"))? = format!("{key} = {value}");
    }
    Ok(lines.join("\n") + "\n")
}

/// Replaces a copy by the advisories of some crates; gives how many of them have any.
fn take(database: &Path, to: &Path, crates: &BTreeSet<String>) -> Result<usize> {
    let _ = fs::remove_dir_all(to);
    let mut copied = 0;
    for name in crates {
        let from = database.join("crates").join(name);
        if from.is_dir() {
            copy(&from, &to.join("crates").join(name))?;
            copied += 1;
        }
    }
    Ok(copied)
}

/// The names in a `Cargo.lock`.
fn locked(lock: &str) -> Result<BTreeSet<String>> {
    let table: toml::Table = lock.parse().context("Cargo.lock is damaged")?;
    let packages = table.get("package").and_then(toml::Value::as_array).context("Cargo.lock has no packages")?;
    Ok(packages.iter().filter_map(|package| Some(package.get("name")?.as_str()?.to_owned())).collect())
}

/// Makes a Git repository of a directory.
fn commit(directory: &Path) -> Result<()> {
    let identity = ["-c", "user.name=xtask", "-c", "user.email=xtask@localhost", "-c", "commit.gpgsign=false"];
    cargo::run(git_in(directory).args(["init", "--quiet", "--initial-branch", "main"]))?;
    cargo::run(git_in(directory).args(["add", "--all"]))?;
    cargo::run(git_in(directory).args(identity).args(["commit", "--quiet", "--message", "The pinned copy"]))
}

fn git_in(directory: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(directory);
    git
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("Failed to start {command:?}"))?;
    ensure!(output.status.success(), "{command:?} failed");
    Ok(String::from_utf8(output.stdout)?)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("Failed to create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("Failed to list {}", from.display()))? {
        let entry = entry?;
        let target: PathBuf = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).with_context(|| format!("Failed to write {}", target.display()))?;
        }
    }
    Ok(())
}

fn days_since_1970() -> Result<i64> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
    Ok(i64::try_from(seconds / 86_400)?)
}

/// Days from 1970 to a date of the Gregorian calendar, as 2026-11-28: years begin in March, so that the leap day is the last.
fn days(date: &str) -> Result<i64> {
    let parts: Vec<i64> = date.split('-').map(str::parse).collect::<Result<_, _>>().context("not a date")?;
    let [year, month, day] = parts[..] else { bail!("{date} is not a date") };
    ensure!((1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day), "{date} is no date");
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    Ok(year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PINNED: &str = include_str!("../../../supply-chain/pinned.toml");

    #[test]
    fn dates_are_days() {
        assert_eq!(days("1970-01-01").unwrap(), 0);
        assert_eq!(days("2000-02-29").unwrap(), 11_016);
        assert_eq!(days("2026-11-28").unwrap(), 20_785);
        for wrong in ["", "2026-11", "2026-13-01", "2026-11-28-1", "soon"] {
            assert!(days(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_pinned_copy_says_what_it_is_and_a_refresh_replaces_that() {
        let pinned = Pinned::parse(PINNED).unwrap();
        assert!(pinned.day >= days("2026-11-28").unwrap());
        let refreshed = with_values(PINNED, "abc", "2027-01-02").unwrap();
        let table: toml::Table = refreshed.parse().unwrap();
        assert_eq!(table["commit"].as_str(), Some("abc"));
        assert!(!Pinned::parse(&refreshed).unwrap().partial);
        assert_eq!(refreshed.lines().count(), PINNED.lines().count());
        assert!(Pinned::parse("date = \"2026-11-28\"").is_err());
    }

    #[test]
    fn a_refresh_takes_the_advisories_of_locked_crates_only() {
        let directory = cargo::target().join("xtask-tests/advisories");
        let _ = fs::remove_dir_all(&directory);
        let database = directory.join("database");
        for name in ["locked", "other"] {
            fs::create_dir_all(database.join("crates").join(name)).unwrap();
            fs::write(database.join("crates").join(name).join("RUSTSEC-2026-0001.md"), name).unwrap();
        }
        let crates =
            locked("[[package]]\nname = \"locked\"\nversion = \"1.0.0\"\n[[package]]\nname = \"safe\"\n").unwrap();
        let to = directory.join("copy");
        fs::create_dir_all(to.join("crates/gone")).unwrap();
        assert_eq!(take(&database, &to, &crates).unwrap(), 1);
        assert_eq!(fs::read_to_string(to.join("crates/locked/RUSTSEC-2026-0001.md")).unwrap(), "locked");
        assert!(!to.join("crates/other").exists() && !to.join("crates/gone").exists());
    }

    #[test]
    fn the_rules_stay_and_the_database_has_another_place() {
        let rules = "a = 1\n[advisories]\nyanked = \"deny\"\n";
        let table: toml::Table = with_databases_at(rules, Path::new("/t/databases")).unwrap().parse().unwrap();
        assert_eq!(table["advisories"]["db-path"].as_str(), Some("/t/databases"));
        assert_eq!(table["advisories"]["yanked"].as_str(), Some("deny"));
        assert!(with_databases_at("", Path::new("/t")).is_err());
    }

    #[test]
    fn every_accepted_advisory_has_its_reason() {
        let rules: toml::Table = include_str!("../../../deny.toml").parse().unwrap();
        let advisories = rules["advisories"].as_table().unwrap();
        // Advisories that only inform fail too: what is accepted is listed.
        assert_eq!((advisories["unmaintained"].as_str(), advisories["unsound"].as_str()), (Some("all"), Some("all")));
        for accepted in advisories["ignore"].as_array().unwrap() {
            let reason = accepted.get("reason").and_then(toml::Value::as_str);
            assert!(reason.is_some_and(|reason| reason.len() > 40), "{accepted}");
        }
    }
}
