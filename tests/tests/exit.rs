//! The exit codes that `postern --help` prints, where a program meets them, and that logs are for programs too.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use postern_testkit::program::postern;
use postern_testkit::{Hub, Process, TIMEOUT, temp_dir};
use serde_json::Value;

const ARGUMENTS: i32 = 2;
const UNREACHABLE: i32 = 3;
const TAKEN: i32 = 9;
const DATA: i32 = 10;
const SOMEBODY: &str = "I904192e6e480915e0d1256d3abf9c3c9c67bc2b4c41ffca77550d8a3f12fbb1e";

/// Runs `postern` with `--json` to its end; the exit code and the code it says.
#[track_caller]
fn failed(command: &mut Command) -> (i32, String) {
    let ended = Process::run(command.arg("--json"), TIMEOUT);
    let last = ended.stdout.lines().last().unwrap_or_default();
    let said: Value = serde_json::from_str(last).unwrap_or_default();
    let code = said["code"].as_str().unwrap_or_default().to_owned();
    (ended.status.code().expect("it exits by itself"), code)
}

fn hub(arguments: &[&str]) -> Command {
    let mut hub = postern();
    hub.arg("hub").args(arguments);
    hub
}

fn inlet(from: &str, peer: &str) -> Command {
    // Nobody is there, but what is wrong is told before that is found out.
    let route = "/dnsaddr/localhost/tcp/9/service/owner/secure/api/service/outlet";
    let mut inlet = postern();
    inlet.args(["inlet", "--from", from, "--route", route, "--peer", peer]);
    inlet
}

#[test]
fn a_port_in_use_is_refused() {
    let held = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let held = held.local_addr().expect("it is bound").to_string();
    let taken = (TAKEN, "address-in-use".to_owned());
    assert_eq!(failed(&mut hub(&["--listen", &held])), taken);
    assert_eq!(failed(&mut hub(&["--listen", "127.0.0.1:0", "--status", &held])), taken);
    assert_eq!(failed(&mut inlet(&held, SOMEBODY)), taken);
}

#[test]
fn an_invalid_address_is_a_wrong_argument() {
    let invalid = (ARGUMENTS, "invalid".to_owned());
    assert_eq!(failed(&mut hub(&["--listen", "nonsense"])), invalid);
    // Of a network that nobody has.
    assert_eq!(failed(&mut hub(&["--listen", "192.0.2.1:0"])), invalid);
    assert_eq!(failed(&mut inlet("nonsense", SOMEBODY)), invalid);
    for to in ["nonsense", ":80", "localhost:http", "localhost:70000"] {
        let mut outlet = postern();
        outlet.args(["outlet", "--hub", "127.0.0.1:9", "--to", to]);
        assert_eq!(failed(&mut outlet).0, ARGUMENTS, "{to}");
    }
    assert_eq!(failed(&mut inlet("127.0.0.1:0", "nobody")).0, ARGUMENTS);
}

#[test]
fn a_wrong_configuration_exits_as_a_wrong_argument_and_is_named() {
    let home = temp_dir();
    let file = home.path().join("hub.toml");
    let path = file.display().to_string();
    for text in ["lissten = '127.0.0.1:0'", "listen = 7", "[limits]\nrelays = -1", "listen ="] {
        fs::write(&file, text).expect("a file");
        assert_eq!(failed(&mut hub(&["--config", &path])), (ARGUMENTS, "invalid".into()), "{text}");
    }
    let nowhere = home.path().join("nowhere.toml").display().to_string();
    let ended = Process::run(&mut hub(&["--config", &nowhere]), TIMEOUT);
    assert!(ended.status.code() == Some(ARGUMENTS) && ended.stderr.contains(&nowhere), "{ended:?}");
}

#[test]
fn a_hub_refuses_a_data_directory_in_use_and_one_that_is_damaged() {
    let home = temp_dir();
    let data = home.path().display().to_string();
    let first = Hub::start_in(home.path());
    let second = || failed(&mut hub(&["--listen", "127.0.0.1:0", "--data-dir", &data]));
    assert_eq!(second(), (TAKEN, "in-use".to_owned()));
    first.process().kill();
    for file in fs::read_dir(home.path()).expect("the directory") {
        fs::write(file.expect("a file").path(), "damaged").expect("a file");
    }
    assert_eq!(second(), (DATA, "storage".to_owned()));
}

#[test]
fn a_hub_obeys_its_configuration_file() {
    let home = temp_dir();
    let (file, data) = (home.path().join("hub.toml"), home.path().join("kept"));
    let example = include_str!("../../docs/hub.toml");
    let told = example
        .replace("0.0.0.0:4000", "127.0.0.1:0")
        .replace("127.0.0.1:4001", "127.0.0.1:0")
        .replace("/var/lib/postern", &data.display().to_string());
    fs::write(&file, told).expect("a file");
    let start = || Process::spawn(hub(&["--json", "--config"]).arg(&file));
    let first = start();
    let listening = first.event("listening");
    assert!(listening["address"].as_str().is_some_and(|address| address.starts_with("127.0.0.1:")), "{listening}");
    assert!(listening["status"].as_str().is_some_and(|address| address.starts_with("127.0.0.1:")), "{listening}");
    first.terminate();
    assert_eq!(first.wait(TIMEOUT).code(), Some(0));
    // Kept where the file says.
    assert_eq!(start().event("listening")["identifier"], listening["identifier"]);
    // What is said on the command line counts more.
    let other = Process::spawn(hub(&["--json", "--listen", "127.0.0.2:0", "--config"]).arg(&file));
    let address = other.event("listening")["address"].clone();
    assert!(address.as_str().is_some_and(|address| address.starts_with("127.0.0.2:")), "{address}");
}

#[test]
fn logs_are_lines_of_json() {
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    let mut outlet = postern();
    outlet.args(["outlet", "--to", "localhost:80", "--hub", &nobody.to_string(), "--json"]);
    let outlet = Process::spawn(outlet.env("POSTERN_LOG", "debug"));
    let _ = outlet.event("down");
    outlet.terminate();
    assert_eq!(outlet.wait(TIMEOUT).code(), Some(0));
    let logged: Vec<Value> =
        outlet.stderr().lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    let warned = |line: &Value| {
        line["level"] == "WARN" && line["fields"]["message"].as_str().is_some_and(|it| it.contains("--allow"))
    };
    assert!(logged.iter().any(warned), "{logged:?}");
    assert!(logged.iter().all(|line| line["timestamp"].is_string() && line["level"].is_string()), "{logged:?}");
}

#[test]
fn the_codes_are_those_of_the_help() {
    let help = Process::run(postern().arg("--help"), TIMEOUT).success().stdout;
    for (code, says) in [(ARGUMENTS, "arguments"), (UNREACHABLE, "unreachable"), (TAKEN, "in use"), (DATA, "data")] {
        let line = help.lines().find(|line| line.trim_start().starts_with(&format!("{code}  ")));
        assert!(line.is_some_and(|line| line.contains(says)), "{code}: {line:?}");
    }
}
