//! The harness itself, tried on real programs before anything is tried with it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;
use std::{fs, panic};

use postern_testkit::client::{ask, connect};
use postern_testkit::{
    Capture, Payload, Postgres, Process, Service, Sink, Sshd, TIMEOUT, debian, eventually, program, sha256, temp_dir,
    within,
};

fn shell(script: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]);
    shell
}

fn alive(pid: &str) -> bool {
    // The state follows the name in parentheses (proc_pid_stat(5)). A killed process that nobody has waited for yet is a
    // zombie. The command line would not do: it is empty for a moment while a process executes another program.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, fields)| fields.chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

#[test]
fn the_workspaces_programs_are_found() {
    assert!(program::path("postern").is_file());
}

#[test]
fn lines_are_waited_for_in_any_order_and_taken_once() {
    let script = "echo one; echo two >&2; echo one again; echo '{\"port\": 7}'; read answer; echo $answer";
    let process = Process::spawn(&mut shell(script));
    let json = process.json_line(|json| json["port"].is_u64(), TIMEOUT);
    assert_eq!(json["port"], 7);
    assert_eq!(process.wait_for_line(|line| line == "two", TIMEOUT), "two");
    let one = |line: &str| line.starts_with("one");
    assert_eq!(process.wait_for_line(one, TIMEOUT), "one");
    assert_eq!(process.wait_for_line(one, TIMEOUT), "one again");

    process.type_line("three");
    assert_eq!(process.wait_for_line(|line| line == "three", TIMEOUT), "three");
    assert!(process.wait(TIMEOUT).success());
    assert_eq!(process.stderr(), "two\n");
    assert!(process.stdout().ends_with("three\n"));
}

#[test]
fn waiting_ends_with_the_program() {
    let process = Process::spawn(&mut shell("echo hello"));
    let waited = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        process.wait_for_line(|line| line == "goodbye", Duration::from_secs(3600));
    }));
    assert!(waited.is_err());
}

#[test]
fn a_process_can_be_terminated_and_killed() {
    let script = "trap 'echo ending; exit 3' TERM; echo ready; while :; do sleep 0.05; done";
    let process = Process::spawn(&mut shell(script));
    process.wait_for_line(|line| line == "ready", TIMEOUT);
    process.terminate();
    process.wait_for_line(|line| line == "ending", TIMEOUT);
    assert_eq!(process.wait(TIMEOUT).code(), Some(3));

    let process = Process::spawn(&mut shell("trap '' TERM; echo ready; sleep 3600"));
    process.wait_for_line(|line| line == "ready", TIMEOUT);
    process.terminate();
    assert!(process.ended().is_none());
    process.kill();
    assert_eq!(process.wait(TIMEOUT).code(), None);
}

#[test]
fn what_a_process_started_ends_with_it() {
    let dropped = Process::spawn(&mut shell("sleep 3600 & echo $!; wait"));
    let grandchild = dropped.wait_for_line(|_| true, TIMEOUT);
    assert!(alive(&grandchild));
    drop(dropped);
    eventually("the grandchild to end", TIMEOUT, || (!alive(&grandchild)).then_some(()));

    let ended = Process::spawn(&mut shell("sleep 3600 & echo $!"));
    let grandchild = ended.wait_for_line(|_| true, TIMEOUT);
    assert!(ended.wait(TIMEOUT).success());
    eventually("the grandchild to end", TIMEOUT, || (!alive(&grandchild)).then_some(()));
}

#[test]
fn services_behave_as_documented() {
    let question = Payload::new(300_000).bytes();

    let echo = Service::echo();
    let mut stream = connect(echo.address());
    stream.write_all(b"at once").unwrap();
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"at once");

    let late = Service::echo_after_end();
    assert_eq!(ask(late.address(), &question).unwrap(), question);

    let digest = Service::digest();
    assert_eq!(ask(digest.address(), &question).unwrap(), sha256(&question).into_bytes());

    let payload = Payload::new(5_000_001).seeded(9);
    let source = Service::source(payload);
    assert_eq!(sha256(&ask(source.address(), b"").unwrap()), payload.sha256());

    let sink = Sink::start();
    assert_eq!(ask(sink.address(), &question).unwrap(), b"");
    let received = sink.next(TIMEOUT);
    assert_eq!((received.bytes, received.error), (300_000, None));
    assert_eq!(received.sha256, sha256(&question));
}

#[test]
fn a_dropped_service_is_gone() {
    let echo = Service::echo();
    let address = echo.address();
    let mut stream = connect(address);
    eventually("the connection", TIMEOUT, || (echo.live() == 1).then_some(()));
    drop(echo);
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    // A program that another test is just starting may hold the listener until it runs.
    eventually("its address to be free", TIMEOUT, || TcpStream::connect(address).is_err().then_some(()));
}

#[test]
fn curl_and_the_web_server_understand_each_other() {
    let http = Service::http();
    let directory = temp_dir();
    let file = directory.path().join("payload");
    let payload = Payload::new(20_000_000);

    let mut get = debian::command("curl");
    get.args(["-sSf", "-o"]).arg(&file).arg(format!("http://{}/20000000", http.address()));
    let _ = Process::run(&mut get, TIMEOUT).success();
    assert_eq!(sha256(&fs::read(&file).unwrap()), payload.sha256());

    let mut put = debian::command("curl");
    put.arg("-sSfT").arg(&file).arg(format!("http://{}/", http.address()));
    let answer = Process::run(&mut put, TIMEOUT).success();
    assert_eq!(answer.stdout.trim_end(), payload.sha256());
}

#[test]
fn a_capture_records_both_ways_and_keeps_connections_half_closed() {
    let late = Service::echo_after_end();
    let capture = Capture::recording(late.address());
    assert_eq!(ask(capture.address(), b"a plain secret").unwrap(), b"a plain secret");
    assert_eq!(capture.bytes_forwarded(), 28);
    assert!(capture.contains(b"plain secret"));
    assert!(!capture.contains(b"secreta plain"));
    assert_eq!(capture.recorded(), [b"a plain secret", b"a plain secret"]);
    assert_eq!(capture.accepted(), 1);
}

#[test]
fn a_capture_cuts_both_ends_and_takes_new_connections() {
    let sink = Sink::start();
    let capture = Capture::counting(sink.address());
    let mut stream = connect(capture.address());
    stream.write_all(b"cut after this").unwrap();
    eventually("the bytes", TIMEOUT, || (capture.bytes_forwarded() == 14).then_some(()));
    capture.cut();
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    assert_eq!(sink.next(TIMEOUT).bytes, 14);

    let other = Service::echo_after_end();
    capture.retarget(other.address());
    assert_eq!(ask(capture.address(), b"again").unwrap(), b"again");
    let gone = other.address();
    drop(other);
    capture.retarget(gone);
    assert_eq!(connect(capture.address()).read(&mut [0]).unwrap_or(0), 0);
}

#[test]
fn waiting_gives_up_in_time() {
    let mut asked = 0;
    let answer = within(Duration::ZERO, || {
        asked += 1;
        None::<()>
    });
    assert_eq!((answer, asked), (None, 1));
}

#[test]
fn postgres_answers_through_a_capture() {
    let postgres = Postgres::start();
    let capture = Capture::recording(postgres.address());
    let mut psql = postgres.client("psql", capture.address());
    let answer = Process::run(psql.args(["-Atc", "select 6 * 7 as answer"]), TIMEOUT).success();
    assert_eq!(answer.stdout, "42\n");
    assert!(capture.contains(b"select 6 * 7"));

    let mut fill = postgres.client("pgbench", postgres.address());
    let _ = Process::run(fill.args(["--initialize", "--quiet"]), TIMEOUT).success();
    let mut bench = postgres.client("pgbench", postgres.address());
    let _ = Process::run(bench.args(["-c", "2", "-t", "10", "-n"]), TIMEOUT).success();
}

#[test]
fn sshd_lets_us_in_and_copies_files_through_a_capture() {
    let sshd = Sshd::start();
    let capture = Capture::recording(sshd.address());
    let mut ssh = sshd.client("ssh", capture.address());
    let answer = Process::run(ssh.args([sshd.login(), "echo $((6 * 7))".into()]), TIMEOUT).success();
    assert_eq!(answer.stdout, "42\n");

    let directory = temp_dir();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    fs::write(&from, Payload::new(1_000_000).bytes()).unwrap();
    let mut scp = sshd.client("scp", capture.address());
    let _ = Process::run(scp.arg("-q").arg(&from).arg(sshd.remote(&to)), TIMEOUT).success();
    assert_eq!(fs::read(&to).unwrap(), fs::read(&from).unwrap());
    assert!(capture.bytes_forwarded() > 1_000_000);
    assert!(capture.contains(b"SSH-2.0-"));
}
