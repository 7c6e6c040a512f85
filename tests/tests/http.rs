//! curl, with more bytes than any buffer on the way holds.

use std::fs::File;
use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use postern_tests::{Payload, Process, Service, Trio, debian, temp_dir};

const GIBIBYTE: u64 = 1 << 30;
const LONG: Duration = Duration::from_secs(120);

/// `curl`, in a directory, that fails when anything is not as it should be.
fn curl() -> Command {
    let mut curl = debian::command("curl");
    curl.args(["--silent", "--show-error", "--fail"]);
    curl
}

#[test]
fn a_gibibyte_comes_down_whole() {
    let service = Service::http();
    let trio = Trio::around(service.address());
    let directory = temp_dir();
    let file = directory.path().join("down");

    let url = format!("http://{}/{GIBIBYTE}", trio.address());
    let _ = Process::run(curl().arg("-o").arg(&file).arg(url), LONG).success();
    let mut sha256sum = Command::new("sha256sum");
    let sum = Process::run(sha256sum.stdin(Stdio::null()).arg(&file), LONG).success();
    assert_eq!(sum.stdout.split(' ').next(), Some(&*Payload::new(GIBIBYTE).sha256()));
}

#[test]
fn a_gibibyte_goes_up_whole() {
    let service = Service::http();
    let trio = Trio::around(service.address());
    let directory = temp_dir();
    let file = directory.path().join("up");
    let payload = Payload::new(GIBIBYTE).seeded(1);
    io::copy(&mut payload.reader(), &mut File::create(&file).unwrap()).unwrap();

    let url = format!("http://{}/", trio.address());
    let answer = Process::run(curl().arg("-T").arg(&file).arg(url), LONG).success();
    assert_eq!(answer.stdout.trim_end(), payload.sha256());
}

#[test]
fn every_size_around_a_limit_comes_whole() {
    let service = Service::http();
    let trio = Trio::around(service.address());
    let limits = [0, 1, 4 << 10, 16 << 10, 64 << 10, 96 << 10, 512 << 10, 1 << 20];
    let mut sizes: Vec<u64> =
        limits.iter().flat_map(|limit: &u64| [limit.saturating_sub(1), *limit, limit + 1]).collect();
    sizes.dedup();
    for size in sizes {
        let url = format!("http://{}/{size}", trio.address());
        let script = "curl --silent --show-error --fail \"$0\" | sha256sum";
        let sum = Process::run(Command::new("sh").args(["-c", script, &url]), LONG).success();
        assert_eq!(sum.stdout.split(' ').next(), Some(&*Payload::new(size).sha256()), "{size} bytes");
    }
}
