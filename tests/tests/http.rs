//! curl, with more bytes than any buffer on the way holds.

use std::fs::File;
use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use postern_testkit::{HubOutletInlet, Payload, Process, Service, Sha256, debian, temp_dir};

const GIBIBYTE: u64 = 1 << 30;
const LONG: Duration = Duration::from_secs(600);

/// `curl` that fails when anything is not as it should be.
fn curl() -> Command {
    let mut curl = debian::command("curl");
    curl.args(["--silent", "--show-error", "--fail", "--max-time", &LONG.as_secs().to_string()]);
    curl
}

/// Downloads, and gives the SHA-256 of what comes, in the pieces in which it comes.
#[track_caller]
fn download(url: &str) -> String {
    let mut curl = curl().arg(url).stdout(Stdio::piped()).spawn().expect("Failed to start curl");
    let mut hash = Sha256::default();
    let mut body = curl.stdout.take().expect("it is piped");
    io::copy(&mut body, &mut hash).expect("Failed to read from curl");
    let status = curl.wait().expect("Failed to wait for curl");
    assert!(status.success(), "curl ended with {status}");
    hash.finish()
}

#[test]
fn a_gibibyte_is_downloaded_completely() {
    let service = Service::http();
    let portal = HubOutletInlet::start(service.address());
    let sum = download(&format!("http://{}/{GIBIBYTE}", portal.address()));
    assert_eq!(sum, Payload::new(GIBIBYTE).sha256());
}

#[test]
fn a_gibibyte_is_uploaded_completely() {
    let service = Service::http();
    let portal = HubOutletInlet::start(service.address());
    let directory = temp_dir();
    let file = directory.path().join("up");
    let payload = Payload::new(GIBIBYTE).seeded(1);
    io::copy(&mut payload.reader(), &mut File::create(&file).unwrap()).unwrap();

    let url = format!("http://{}/", portal.address());
    let answer = Process::run(curl().arg("-T").arg(&file).arg(url), LONG).success();
    assert_eq!(answer.stdout.trim_end(), payload.sha256());
}

#[test]
fn every_size_around_a_limit_comes_whole() {
    let service = Service::http();
    let portal = HubOutletInlet::start(service.address());
    for limit in [1, 4 << 10, 16 << 10, 64 << 10, 96 << 10, 512 << 10, 1 << 20] {
        for size in limit - 1..=limit + 1 {
            let sum = download(&format!("http://{}/{size}", portal.address()));
            assert_eq!(sum, Payload::new(size).sha256(), "{size} bytes");
        }
    }
}
