//! What people type and paste, and where the output goes.

use std::process::Command;

use postern_testkit::program::{self, postern};
use postern_testkit::{Hub, Person, Process, TIMEOUT};
use serde_json::Value;

/// Runs `postern completions bash` with its output redirected by a shell.
fn completions(redirection: &str) -> postern_testkit::Finished {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec \"$0\" completions bash {redirection}")]).arg(program::path("postern"));
    Process::run(&mut shell, TIMEOUT)
}

#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let ended = completions(">/dev/full");
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.contains("standard output cannot be written"), "{ended:?}");
}

#[test]
fn a_reader_that_has_read_enough_is_no_failure() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = postern().args(["completions", "bash"]).stdout(writer).status().unwrap();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn wrong_arguments_are_told_to_programs_too() {
    for arguments in [&["--json", "nonsense"][..], &["share", "--json"], &["ls", "--json", "--nonsense"]] {
        let ended = Process::run(postern().args(arguments), TIMEOUT);
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        let said: Value = serde_json::from_str(ended.stdout.trim()).unwrap();
        assert_eq!((said["event"].as_str(), said["code"].as_str()), (Some("failed"), Some("invalid")));
        assert!(said["error"].as_str().is_some_and(|it| !it.is_empty() && !it.contains("Usage")), "{said}");
    }
    let ended = Process::run(postern().arg("nonsense"), TIMEOUT);
    assert!(ended.stdout.is_empty() && ended.stderr.contains("Usage"), "{ended:?}");
}

#[test]
fn a_log_that_is_no_terminal_has_no_colour_codes() {
    let outlet = Process::spawn(postern().args(["outlet", "--to", "localhost:80", "--hub", "127.0.0.1:9"]));
    outlet.wait_for_line(|line| line.contains("Not reachable"), TIMEOUT);
    outlet.terminate();
    outlet.wait(TIMEOUT);
    let logged = outlet.stderr();
    assert!(logged.contains("WARN") && !logged.contains('\u{1b}'), "{logged:?}");
}

#[test]
fn what_people_paste_is_an_invitation() {
    let hub = Hub::start();
    let (ann, ben) = (Person::start(&hub, "Ann"), Person::start(&hub, "Ben"));
    ann.run(&["share", "3000", "--name", "wiki"]);
    let link = ann.invite("wiki", &[]);
    let (front, back) = link.split_at(70);
    for pasted in [
        link.clone(),
        format!("> {front}\n> {back}"),
        format!("{front}\u{200b}{back}"),
        format!("{front}=\n{back}"),
        format!("Ann wrote:\n\nIt begins with postern://join/ and here is yours: {link}\nBye"),
        format!("https://safelinks.example/?url={}&data=05", link.replace(':', "%3A").replace('/', "%2F")),
    ] {
        let preview = &ben.run_with_input(&["preview", "-"], &pasted)[0]["preview"];
        assert_eq!(preview["service_name"], "wiki", "{preview}");
    }
    let nothing = ben.fails(&["preview", "-"]);
    assert_eq!((nothing.exit, nothing.code.as_str()), (2, "bad-ticket"));
}

#[test]
fn a_name_that_looks_like_an_option_or_a_kind_is_a_name() {
    let hub = Hub::start();
    let ann = Person::start(&hub, "Ann");
    for (port, name) in [("1", "-x"), ("2", "service:x"), ("3", "👩🏽\u{200d}🚀")] {
        let mut share = ann.command(&["share", port, &format!("--name={name}")]);
        // In the form for people, which suggests the next command.
        share = without_json(&share);
        let said = Process::run(&mut share, TIMEOUT).success().stdout;
        let suggested = said.lines().next().and_then(|line| line.split_once("postern invite ")).unwrap().1.to_owned();
        let mut invite = Command::new("sh");
        invite.args(["-c", &format!("exec \"$0\" invite {suggested}")]).arg(program::path("postern"));
        invite.env("POSTERN_DATA_DIR", ann.data_dir());
        let _ = Process::run(&mut invite, TIMEOUT).success();
    }
}

fn without_json(command: &Command) -> Command {
    let mut other = Command::new(command.get_program());
    other.args(command.get_args().filter(|it| *it != "--json"));
    other.envs(command.get_envs().filter_map(|(variable, value)| Some((variable, value?))));
    other
}

#[test]
fn an_answer_to_nobody_is_not_found() {
    let hub = Hub::start();
    let ann = Person::start(&hub, "Ann");
    let nobody = ann.fails(&["knock", "always"]);
    assert_eq!((nobody.exit, nobody.code.as_str()), (7, "not-found"));
}

#[test]
fn a_pasted_url_is_a_service_and_what_cannot_be_shared_is_said_to_be() {
    let hub = Hub::start();
    let ann = Person::start(&hub, "Ann");
    ann.run(&["share", "http://localhost:3000/lab", "--name", "lab"]);
    let service = ann.snapshot()["services"][0].clone();
    assert_eq!(
        (&service["target"], &service["kind"], &service["path"]),
        (&"localhost:3000".into(), &"http".into(), &"/lab".into())
    );
    for (target, reason) in [("udp:53", "UDP"), ("udp://1.2.3.4:53", "UDP"), ("unix:/run/x", "file system")] {
        let refused = ann.fails(&["share", target, "--name", "x"]);
        assert!(refused.exit == 2 && refused.message.contains(reason), "{refused:?}");
    }
}
