//! The programs that the black-box tests run, from Debian's packages.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// A program the tests run, and the packages that bring it.
struct Prerequisite {
    program: &'static str,
    packages: &'static [&'static str],
}

const PREREQUISITES: &[Prerequisite] = &[
    needs("gcc", &["gcc", "libc6-dev"]),
    needs("make", &["make"]),
    needs("curl", &["curl"]),
    needs("initdb", &["postgresql"]),
    needs("postgres", &["postgresql"]),
    needs("pgbench", &["postgresql"]),
    needs("psql", &["postgresql-client"]),
    needs("ssh", &["openssh-client"]),
    needs("scp", &["openssh-client"]),
    needs("sshd", &["openssh-server"]),
    needs("dbus-daemon", &["dbus"]),
    needs("gnome-keyring-daemon", &["gnome-keyring"]),
    needs("faketime", &["faketime"]),
    needs("secret-tool", &["libsecret-tools"]),
];

const fn needs(program: &'static str, packages: &'static [&'static str]) -> Prerequisite {
    Prerequisite { program, packages }
}

/// Installs what is missing, when there is anything and we may.
///
/// # Errors
/// When something is missing and cannot be installed from here; says what would install it.
pub(crate) fn provide() -> Result<()> {
    if cfg!(not(target_os = "linux")) {
        println!("The tests that run Debian's programs run on Linux only.");
        return Ok(());
    }
    let programs = missing();
    if programs.is_empty() {
        return Ok(());
    }
    let packages = packages_of(&programs);
    let by_hand = format!("apt-get update && apt-get install -y --no-install-recommends {}", packages.join(" "));
    let Some(mut shell) = privileged_shell() else {
        bail!("the tests need {}. Install them as root:\n\n  {by_hand}\n", names(&programs));
    };
    println!("Missing: {}. Installing {}.", names(&programs), packages.join(", "));
    let script = include_str!("install.sh");
    shell.args(["-c", script, "install"]).args(&packages);
    // What is there afterwards counts; why something is not, apt-get has said itself.
    let _ = shell.status().context("Failed to start a shell")?;
    let still = missing();
    if !still.is_empty() {
        bail!("{} could not be installed. By hand, as root:\n\n  {by_hand}\n", names(&still));
    }
    Ok(())
}

fn missing() -> Vec<&'static Prerequisite> {
    let places = places();
    let is_missing = |needed: &&Prerequisite| !places.iter().any(|place| place.join(needed.program).is_file());
    PREREQUISITES.iter().filter(is_missing).collect()
}

/// The directories of `PATH`, and where Debian keeps servers outside of it.
fn places() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = env::split_paths(&path).collect();
    places.extend(["/usr/sbin".into(), "/sbin".into()]);
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        places.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    places
}

/// The packages of some programs, each once.
fn packages_of(programs: &[&Prerequisite]) -> Vec<&'static str> {
    let mut packages: Vec<_> = programs.iter().flat_map(|needed| needed.packages).copied().collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

fn names(programs: &[&Prerequisite]) -> String {
    let names: Vec<_> = programs.iter().map(|needed| needed.program).collect();
    names.join(", ")
}

/// A shell with root's rights, if Debian's installer is here and we may have one without being asked.
fn privileged_shell() -> Option<Command> {
    if !succeeds("apt-get", &["--version"]) {
        return None;
    }
    let user = Command::new("id").arg("-u").output().ok()?;
    if user.stdout.trim_ascii() == b"0" {
        return Some(Command::new("sh"));
    }
    succeeds("sudo", &["-n", "true"]).then(|| {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "sh"]);
        sudo
    })
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    let quiet = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_installed_once() {
        let all: Vec<_> = PREREQUISITES.iter().collect();
        let packages = packages_of(&all);
        assert_eq!(packages.iter().filter(|name| **name == "postgresql").count(), 1);
        assert!(packages.contains(&"libc6-dev"));
    }
}
