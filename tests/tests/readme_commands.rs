//! *Share something in one minute* in the README says what happens: its commands are run, and what they print is
//! compared with what it shows, `…` standing for anything.

use std::time::Instant;

use postern_testkit::client::ask;
use postern_testkit::person::{PASSPHRASE, with_passphrase};
use postern_testkit::port::{free_port, loopback};
use postern_testkit::{Process, Service, TIMEOUT, temp_dir};

const PAGE: &str = include_str!("../../README.md");

/// One command of the page, and what it shows below it.
struct Step<'a> {
    who: &'a str,
    command: &'a str,
    shows: Vec<&'a str>,
}

fn steps() -> Vec<Step<'static>> {
    let mut steps: Vec<Step<'static>> = Vec::new();
    let mut inside = false;
    for line in PAGE.lines() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            _ if !inside => {}
            line => match line.split_once("$ ") {
                Some((who, command)) if who.chars().all(char::is_alphabetic) => {
                    steps.push(Step { who, command, shows: Vec::new() });
                }
                _ => steps.last_mut().expect("a command comes first").shows.push(line),
            },
        }
    }
    steps
}

/// What the page's addresses are in this run.
struct Here {
    names: Vec<(String, String)>,
}

impl Here {
    fn to_here(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (page, here)| text.replace(page, here))
    }
}

/// Whether a line is as the page shows it.
fn is_like(line: &str, shown: &str) -> bool {
    let mut rest = line;
    let mut pieces = shown.split('…');
    let first = pieces.next().unwrap_or_default();
    let Some(after) = rest.strip_prefix(first) else { return false };
    rest = after;
    let pieces: Vec<&str> = pieces.collect();
    for (number, piece) in pieces.iter().enumerate() {
        let last = number + 1 == pieces.len();
        match if last { rest.ends_with(piece).then_some(rest.len() - piece.len()) } else { rest.find(piece) } {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.is_empty()
}

#[test]
fn the_readmes_commands_print_what_it_shows() {
    let directory = temp_dir();
    let passphrase = directory.path().join("passphrase");
    std::fs::write(&passphrase, PASSPHRASE).unwrap();
    let service = Service::http();
    let (hub, port) = (free_port(), free_port());
    let own = service.address().port();
    let here = Here {
        names: vec![
            ("0.0.0.0:4000".into(), format!("127.0.0.1:{hub}")),
            ("hub.example:4000".into(), format!("127.0.0.1:{hub}")),
            // Ann's port and Ben's are on one machine here.
            ("http://wiki.ann.localhost:3000".into(), format!("http://wiki.ann.localhost:{port}")),
            ("127.0.0.1:3000".into(), format!("127.0.0.1:{port}")),
            ("3000".into(), own.to_string()),
        ],
    };
    let (mut running, mut link) = (Vec::new(), String::new());
    for step in steps() {
        let arguments = here.to_here(step.command);
        let mut words: Vec<String> = arguments.split(' ').skip(1).map(str::to_owned).collect();
        let lasts = matches!(words[0].as_str(), "hub" | "up");
        match words[0].as_str() {
            // There is no desktop here, and Ann's machine is Ben's too.
            "up" => words.extend(["--keychain", "file", "--passphrase-fd", "3"].map(str::to_owned)),
            "join" => words.extend(["--port".into(), port.to_string(), "--wait".into(), "60s".into()]),
            _ => {}
        }
        let start = || {
            let mut command = with_passphrase(&passphrase);
            Process::spawn(command.args(&words).env("POSTERN_DATA_DIR", directory.path().join(step.who)))
        };
        let shown: Vec<String> = step.shows.iter().map(|line| here.to_here(line)).collect();
        if lasts {
            let process = start();
            process.end_input();
            for line in &shown {
                process.wait_for_line(|said| is_like(said, line), TIMEOUT);
            }
            running.push(process);
            continue;
        }
        let run = || {
            let process = start();
            if words[0] == "join" {
                process.type_line(&link);
            }
            process.end_input();
            let status = process.wait(TIMEOUT);
            let said = process.stdout() + &process.stderr();
            assert!(status.success(), "{}\n{said}", step.command);
            said
        };
        let is_shown = |said: &String| {
            let lines: Vec<&str> = said.lines().collect();
            lines.len() == shown.len() && lines.iter().zip(&shown).all(|(line, shown)| is_like(line, shown))
        };
        // Who only looks may look before what the page tells of is seen.
        let mut said = run();
        let until = Instant::now() + TIMEOUT;
        while words[0] == "ls" && !is_shown(&said) && Instant::now() < until {
            said = run();
        }
        assert!(is_shown(&said), "{}\n── shows\n{}\n── said\n{said}", step.command, shown.join("\n"));
        if words[0] == "invite" {
            link = said.lines().next().unwrap_or_default().to_owned();
        }
        if words[0] == "join" {
            let page = ask(loopback(port), b"GET /5 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            assert!(page.starts_with(b"HTTP/1.1 200"));
        }
    }
    assert!(running.len() == 3 && !link.is_empty());
}

#[test]
fn only_dots_match_anything() {
    assert!(is_like("Ann (I12) is up.", "Ann (I…) is up."));
    assert!(is_like("postern://join/abc", "postern://join/…"));
    assert!(!is_like("Ben (I12) is up.", "Ann (I…) is up."));
    assert!(!is_like("Ann (I12) is up. Really.", "Ann (I…) is up."));
    assert!(is_like("a to b to c", "a … c"));
}
