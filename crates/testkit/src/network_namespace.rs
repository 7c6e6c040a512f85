//! Network namespaces: what a program sends is counted by the kernel, and reaches nothing outside (Linux).

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::{Process, TIMEOUT, skipped, temp_dir};

/// In a new namespace, makes every address of the Internet one of this machine, so that what is sent to any of them is counted and
/// answered; then becomes the program that follows.
const SETUP: &str = "ip link set lo up && ip route add local default dev lo && \
    { ip -6 route add local default dev lo 2>/dev/null || :; } && exec \"$0\" \"$@\"";

/// Files of this machine's `/etc` that programs need to start, and to know users and time zones.
const KEPT_OF_ETC: [&str; 6] = ["ld.so.cache", "ld.so.conf", "passwd", "group", "nsswitch.conf", "localtime"];

/// The same command, in a network namespace of its own in which every address leads back to it. Its process id is that of the program.
#[must_use]
pub fn isolated(command: &Command) -> Command {
    let mut isolated = Command::new("unshare");
    isolated.args(["--map-root-user", "--net", "sh", "-c", SETUP]);
    isolated.arg(command.get_program()).args(command.get_args());
    let set = command.get_envs().filter_map(|(variable, value)| Some((variable, value?)));
    isolated.envs(set);
    isolated
}

/// A network namespace with files of its own in `/etc`, for programs that share it. Ends when it is dropped.
pub struct Namespace {
    holder: Process,
    etc: TempDir,
}

impl Namespace {
    /// Makes one whose loopback interface is up, and runs commands of `sh` in it that set it up further. `etc` are the files
    /// of its `/etc`, beside those without which programs do not start.
    ///
    /// # Panics
    /// When it cannot be made: ask [`unavailable`] before.
    #[must_use]
    pub fn new(setup: &str, etc: &[(&str, &str)]) -> Self {
        let own = temp_dir();
        for file in KEPT_OF_ETC {
            // Not every system has all of them.
            let _ = fs::copy(Path::new("/etc").join(file), own.path().join(file));
        }
        for (file, content) in etc {
            replace(&own.path().join(file), content);
        }
        let script = format!("set -e; mount --bind \"$0\" /etc; ip link set lo up\n{setup}\necho ready; exec cat");
        let mut holder = Command::new("unshare");
        holder.args(["--map-root-user", "--net", "--mount", "sh", "-c", &script]).arg(own.path());
        let holder = Process::spawn(&mut holder);
        let _ = holder.wait_for_line(|line| line == "ready", TIMEOUT);
        Self { holder, etc: own }
    }

    /// The same command, in this namespace.
    #[must_use]
    pub fn enter(&self, command: &Command) -> Command {
        let mut entered = Command::new("nsenter");
        let target = self.holder.id().to_string();
        entered.args(["--preserve-credentials", "--user", "--net", "--mount", "--target", &target, "--"]);
        entered.arg(command.get_program()).args(command.get_args());
        entered.envs(command.get_envs().filter_map(|(variable, value)| Some((variable, value?))));
        entered
    }

    /// Replaces a file of its `/etc`.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn set_etc(&self, file: &str, content: &str) {
        replace(&self.etc.path().join(file), content);
    }

    /// How many UDP datagrams were sent in it, to whatever address.
    ///
    /// # Panics
    /// When the kernel's counters cannot be read.
    #[must_use]
    pub fn datagrams_sent(&self) -> u64 {
        let process = self.holder.id();
        let v4 = fs::read_to_string(format!("/proc/{process}/net/snmp")).expect("Failed to read the counters of IPv4");
        counter(&v4, "Udp:", "OutDatagrams").expect("the counters of UDP")
    }
}

/// Writes a file of a copied `/etc`, which may be a link to elsewhere there.
fn replace(file: &Path, content: &str) {
    let _ = fs::remove_file(file);
    fs::write(file, content).expect("Failed to write a file of /etc");
}

/// What names the test that runs inside, for the program that is started there.
const INSIDE: &str = "POSTERN_TEST_IN_NAMESPACE";
/// Only the loopback interface, and a table of routes that rules can precede.
const LOOPBACK: &str =
    "ip link set lo up && ip rule add pref 100 table local && ip rule del pref 0 && exec \"$0\" \"$@\"";

/// Runs a test, of this path in its program, in a network namespace of its own, with the programs that it starts: outside it starts
/// this program again for that test alone, and returns false once that has passed. True inside, where the test goes on.
/// Where there are no namespaces the test is skipped.
///
/// # Panics
/// When the test fails inside, or is not in this program.
#[track_caller]
#[must_use]
pub fn enter(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some_and(|inside| inside == test) {
        return true;
    }
    if let Some(why) = unavailable() {
        skipped(&why);
        return false;
    }
    let program = std::env::current_exe().expect("the test has a program");
    let mut inside = Command::new("unshare");
    inside.args(["--map-root-user", "--net", "sh", "-c", LOOPBACK]).arg(program);
    inside.args(["--exact", test, "--nocapture"]).env(INSIDE, test);
    let passed = Process::run(&mut inside, 5 * TIMEOUT).success();
    print!("{}", passed.stdout);
    assert!(passed.stdout.contains("1 passed"), "there is no test {test}");
    false
}

/// From now on, drops every packet of this network namespace from and to a TCP port, after [`enter`]: senders are told nothing.
///
/// # Panics
/// When the rules cannot be set.
#[track_caller]
pub fn drop_port(port: u16) {
    for end in ["sport", "dport"] {
        rule("add", end, port);
    }
}

/// Undoes [`drop_port`].
///
/// # Panics
/// When the rules cannot be removed.
#[track_caller]
pub fn pass_port(port: u16) {
    for end in ["sport", "dport"] {
        rule("del", end, port);
    }
}

#[track_caller]
fn rule(change: &str, end: &str, port: u16) {
    let port = port.to_string();
    let mut rule = Command::new("ip");
    rule.args(["rule", change, "pref", "10", "ipproto", "tcp", end, &port, "blackhole"]);
    let _ = Process::run(&mut rule, TIMEOUT).success();
}

/// The ports of a process's connections to a port of 127.0.0.1.
///
/// # Panics
/// When `ss` fails.
#[track_caller]
#[must_use]
pub fn ports_connected_to(process: u32, port: u16) -> Vec<u16> {
    let mut ss = Command::new("ss");
    ss.args(["-Htnp", "state", "established", "dport", "=", &format!(":{port}")]);
    let listed = Process::run(&mut ss, TIMEOUT).success().stdout;
    let of_process = listed.lines().filter(|line| line.contains(&format!("pid={process},")));
    let local = of_process.filter_map(|line| line.split_whitespace().nth(2));
    local.filter_map(|address| address.rsplit(':').next()?.parse().ok()).collect()
}

/// Why there are no network namespaces here, if there are none: another system, or the kernel or a container forbids them.
#[must_use]
pub fn unavailable() -> Option<String> {
    match isolated(&Command::new("true")).output() {
        Ok(done) if done.status.success() => None,
        Ok(done) => Some(format!("no network namespaces: {}", String::from_utf8_lossy(&done.stderr).trim())),
        Err(error) => Some(format!("no network namespaces: unshare: {error}")),
    }
}

/// How many IP packets were sent in the network namespace of a process, to whatever address and by whatever protocol.
///
/// # Panics
/// When the kernel's counters cannot be read.
#[must_use]
pub fn packets_sent(process: u32) -> u64 {
    let read = |file: &str| fs::read_to_string(format!("/proc/{process}/net/{file}"));
    let v4 = read("snmp").expect("Failed to read the counters of IPv4");
    // Without IPv6 there is no such file.
    let v6 = read("snmp6").unwrap_or_default();
    sent_v4(&v4).expect("the counters of IPv4") + sent_v6(&v6).unwrap_or(0)
}

/// Packets that were handed to IP (RFC 4293).
fn sent_v4(text: &str) -> Option<u64> {
    counter(text, "Ip:", "OutRequests")
}

/// `Ip: … OutRequests …` names the columns, a second such line has the numbers.
fn counter(text: &str, protocol: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.starts_with(protocol)).map(|line| line.split_whitespace());
    let column = lines.next()?.position(|column| column == name)?;
    lines.next()?.nth(column)?.parse().ok()
}

fn sent_v6(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("Ip6OutRequests")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counters_are_read_as_the_kernel_writes_them() {
        assert_eq!(sent_v4("Ip: Forwarding InReceives OutRequests\nIp: 2 10 11\nTcp: OutSegs\nTcp: 5\n"), Some(11));
        assert_eq!(sent_v6("Ip6InReceives   \t2\nIp6OutRequests   \t7\n"), Some(7));
        assert_eq!((sent_v4("Ip: nothing\nIp: 1\n"), sent_v6("")), (None, None));
    }
}
