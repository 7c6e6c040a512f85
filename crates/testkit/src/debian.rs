//! Other people's programs, from Debian's packages; `cargo xtask test` installs them.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Command;

/// Where a program is: in `PATH`, among the servers in `/usr/sbin`, or with the newest PostgreSQL.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn path(program: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = postgres_versions();
    places.extend(env::split_paths(&path));
    places.push("/usr/sbin".into());
    places
        .into_iter()
        .map(|place| place.join(program))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("`{program}` is not installed; `cargo xtask test` installs it"))
}

/// A command that runs a program.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn command(program: &str) -> Command {
    Command::new(path(program))
}

/// Starts a server that must be told its port's number: finds a free one and tries, and tries again with another
/// when `start` gives `None` because somebody else took it in between.
///
/// # Panics
/// When ten ports in a row were taken.
#[track_caller]
pub(crate) fn on_free_port<T>(mut start: impl FnMut(u16) -> Option<T>) -> T {
    let mut attempts = (0..10).filter_map(|_| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.expect("Failed to find a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        drop(listener);
        start(port)
    });
    attempts.next().expect("the server did not start on any of ten ports")
}

/// The numeric user (`-u`) or group (`-g`) of `user`, or of this process without one.
pub(crate) fn id(flag: &str, user: Option<&str>) -> Option<u32> {
    let output = Command::new("id").arg(flag).args(user).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.trim().parse().ok()
}

fn postgres_versions() -> Vec<PathBuf> {
    let Ok(versions) = fs::read_dir("/usr/lib/postgresql") else {
        return Vec::new();
    };
    let mut versions: Vec<(u32, PathBuf)> = versions
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions.into_iter().map(|(_, path)| path).collect()
}
