//! Network namespaces: what a program sends is counted by the kernel, and reaches nothing outside (Linux).

use std::fs;
use std::process::Command;

/// In a new namespace, makes every address of the Internet one of this machine, so that what is sent to any of them is counted and
/// answered; then becomes the program that follows.
const SETUP: &str = "ip link set lo up && ip route add local default dev lo && \
    { ip -6 route add local default dev lo 2>/dev/null || :; } && exec \"$0\" \"$@\"";

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

/// `Ip: … OutRequests …` names the columns, a second such line has the numbers (RFC 4293: packets that were handed to IP).
fn sent_v4(text: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.starts_with("Ip:")).map(|line| line.split_whitespace());
    let column = lines.next()?.position(|name| name == "OutRequests")?;
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
