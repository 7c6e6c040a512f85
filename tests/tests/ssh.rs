//! A real SSH server, shared.

use std::fs;
use std::time::Duration;

use postern_testkit::{HubOutletInlet, Payload, Process, Sshd, TIMEOUT, temp_dir};

const LONG: Duration = Duration::from_secs(300);
const LENGTH: u64 = 32 << 20;

#[test]
fn ssh_runs_a_command_and_gives_its_exit_code() {
    let sshd = Sshd::start();
    let portal = HubOutletInlet::start(sshd.address());
    let mut ssh = sshd.client("ssh", portal.address());
    let answer = Process::run(ssh.args([&sshd.login(), "echo $((6 * 7)); exit 5"]), TIMEOUT);
    assert_eq!((&*answer.stdout, answer.status.code()), ("42\n", Some(5)), "{answer:?}");
}

#[test]
fn scp_copies_both_ways() {
    let sshd = Sshd::start();
    let portal = HubOutletInlet::start(sshd.address());
    let directory = temp_dir();
    let [here, there, back] = ["here", "there", "back"].map(|name| directory.path().join(name));
    let bytes = Payload::new(LENGTH).bytes();
    fs::write(&here, &bytes).unwrap();

    let mut up = sshd.client("scp", portal.address());
    let _ = Process::run(up.arg("-q").arg(&here).arg(sshd.remote(&there)), LONG).success();
    assert!(fs::read(&there).unwrap() == bytes, "what went up differs");

    let mut down = sshd.client("scp", portal.address());
    let _ = Process::run(down.arg("-q").arg(sshd.remote(&there)).arg(&back), LONG).success();
    assert!(fs::read(&back).unwrap() == bytes, "what came down differs");
}
