//! One engine for each data directory, and what reaches it.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use postern_testkit::client::ask;
use postern_testkit::json::{find, text};
use postern_testkit::port::free_port;
use postern_testkit::{Hub, Person, Process, Service, TIMEOUT, program, temp_dir};

#[test]
fn without_an_engine_every_command_says_how_to_start_one() {
    let ann = Person::stopped("Ann", &[]);
    for command in [
        &["ls"][..],
        &["share", "3000"],
        &["invite", "wiki"],
        &["pause", "--all"],
        &["doctor"],
        &["ports"],
        &["log"],
        &["contacts"],
        &["verify", "Ben"],
    ] {
        let refusal = ann.fails(command);
        assert_eq!((refusal.exit, refusal.code.as_str()), (6, "not-running"), "{command:?}");
        assert!(refusal.message.contains("postern up"), "{refusal:?}");
    }
}

#[test]
fn a_second_engine_on_one_data_directory_is_refused() {
    let hub = Hub::start();
    let ann = Person::start(&hub, "Ann");
    let second = ann.spawn_engine();
    assert_eq!(second.wait(TIMEOUT).code(), Some(9));
    let failed = second.json_line(|json| json["event"] == "failed", TIMEOUT);
    assert_eq!(failed["code"], "in-use");
    assert!(text(&failed["error"]).contains("Another Postern"), "{failed}");
    // The first is none the worse for it.
    assert_eq!(ann.snapshot()["me"]["name"], "Ann");
}

#[test]
fn two_directories_are_two_people() {
    let hub = Hub::start();
    let (ann, ben) = (Person::start(&hub, "Ann"), Person::start(&hub, "Ben"));
    let [one, other] = [&ann, &ben].map(|person| person.snapshot()["me"]["identifier"].clone());
    assert_ne!(one, other);
    assert_eq!(ann.snapshot()["settings"]["data_dir"], *ann.data_dir().to_string_lossy());
}

/// Asks the control socket for a health check, as this user or as another; what it answers.
fn ask_as(user: Option<u32>, socket: &Path) -> std::io::Result<String> {
    const ASK: &str = r#"
        $SIG{PIPE} = "IGNORE"; # The engine may have closed the connection.
        socket(my $engine, PF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
        connect($engine, sockaddr_un($ARGV[0])) or die "connect: $!";
        syswrite($engine, "{\"postern\":1}\n{\"call\":\"request\",\"request\":{\"request\":\"doctor\"}}\n");
        shutdown($engine, 1);
        local $/;
        print <$engine> // "";
    "#;
    // Part of every Debian, and readable for every user, unlike the programs in the build directory.
    let mut perl = Command::new("perl");
    perl.args(["-MSocket", "-e", ASK]).arg(socket);
    if let Some(user) = user {
        perl.uid(user).gid(user);
    }
    let output = perl.output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn another_local_user_is_not_served_even_where_the_files_let_them_in() {
    /// `nobody` of Debian.
    const OTHER: u32 = 65534;
    let hub = Hub::start();
    let ann = Person::start(&hub, "Ann");
    let socket = ann.data_dir().join("control.sock");
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
    for directory in socket.ancestors().skip(1).take_while(|it| *it != std::env::temp_dir()) {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
    }
    assert!(ask_as(None, &socket).unwrap().contains(r#""say":"answer""#));
    match ask_as(Some(OTHER), &socket) {
        Ok(answer) => assert_eq!(answer, ""),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            println!("skipped: another_local_user_is_not_served: only root can start a process of another user");
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_control_socket_is_private_and_survives_malformed_input() {
    let hub = Hub::start();
    let mut ann = Person::start(&hub, "Ann");
    let socket = ann.data_dir().join("control.sock");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(
        fs::metadata(ann.data_dir()).unwrap().permissions().mode() & 0o077,
        0,
        "others may look into the directory"
    );
    for noise in [&b"\x00\xff\xfe"[..], b"GET / HTTP/1.1\r\n\r\n", &[b'x'; 200_000]] {
        let mut stream = UnixStream::connect(&socket).unwrap();
        // It may hang up before it has heard all of it.
        let _ = stream.write_all(noise);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    assert_eq!(ann.snapshot()["me"]["name"], "Ann");

    // What a killed engine left behind is replaced, what a stopped one left is nothing.
    ann.kill();
    assert!(socket.exists());
    assert_eq!(ann.fails(&["ls"]).exit, 6);
    ann.up();
    assert_eq!(ann.snapshot()["me"]["name"], "Ann");
    ann.stop();
    assert!(!socket.exists());
}

#[test]
fn a_data_directory_with_a_long_path_has_a_socket_elsewhere() {
    let hub = Hub::start();
    let mut ann = Person::stopped("Ann", &["--hub", &hub.address().to_string()]);
    let deep = ann.data_dir().join("d".repeat(90));
    fs::create_dir_all(&deep).unwrap();
    ann.set_env("POSTERN_DATA_DIR", deep.to_string_lossy());
    ann.up();
    assert_eq!(ann.snapshot()["me"]["name"], "Ann");
    assert!(deep.join("control.sock").is_symlink());
    ann.stop();
    assert!(!deep.join("control.sock").is_symlink());
}

#[test]
fn services_and_portals_follow_the_declaration_file() {
    let hub = Hub::start();
    let (one, two) = (Service::echo_after_end(), Service::digest());
    let directory = temp_dir();
    let file = directory.path().join("portals.toml");
    let declare = |services: &str| fs::write(&file, format!("hubs = ['{}']\n{services}", hub.address())).unwrap();
    let service = |name: &str, service: &Service| format!("[services.{name}]\ntarget = '{}'\n", service.address());
    declare(&service("notes", &one));
    let mut ann = Person::stopped("Ann", &["--config", file.to_str().unwrap()]);
    ann.up();
    ann.wait_for("the service", |seen| find(&seen["services"], "notes").map(drop));
    let link = ann.invite("notes", &[]);

    // The friend's portal is declared too, with the link in a file of its own.
    let port = free_port();
    let portals = file.with_file_name("friend.toml");
    fs::write(file.with_file_name("notes.link"), &link).unwrap();
    let inlets = format!("[inlets.mine]\nlink-file = 'notes.link'\nport = {port}\n");
    fs::write(&portals, format!("hubs = ['{}']\n{inlets}", hub.address())).unwrap();
    let mut ben = Person::stopped("Ben", &["--config", portals.to_str().unwrap()]);
    ben.up();
    let inlet = ben.wait_until_up("mine");
    assert_eq!(inlet.port(), port);
    assert_eq!(ask(inlet, b"declared").unwrap(), b"declared");
    ben.restart();
    assert_eq!(ben.wait_until_up("mine").port(), port);
    assert_eq!(ben.snapshot()["inlets"].as_array().unwrap().len(), 1);

    // Another target and a second service, without a restart; and a slip changes nothing.
    declare(&(service("notes", &two) + &service("more", &one)));
    // All of it, and not only the first change.
    ann.process().json_line(|json| json["event"] == "applied" && json["services"] == 2, TIMEOUT);
    assert!(find(&ann.snapshot()["services"], "more").is_some());
    assert_eq!(ask(inlet, b"declared").unwrap().len(), 64);
    declare("[services.notes]\ntrget = 'x'");
    ann.process().json_line(|json| json["event"] == "not-applied", TIMEOUT);
    assert!(find(&ann.snapshot()["services"], "more").unwrap()["on"].as_bool().unwrap());
    // What is taken out is switched off, and not closed.
    declare(&service("notes", &two));
    ann.wait_for("it to be off", |seen| (find(&seen["services"], "more")?["on"] == false).then_some(()));
}

#[test]
fn names_are_resolved_and_doctor_and_ports_answer() {
    let hub = Hub::start();
    let ann = Person::start(&hub, "Ann");
    let service = Service::echo();
    ann.share(service.address(), "wiki");
    ann.share(service.address(), "wiki two");
    ann.share(service.address(), "wiki three");
    let ambiguous = ann.fails(&["pause", "wiki t"]);
    assert_eq!((ambiguous.exit, ambiguous.code.as_str()), (7, "ambiguous"), "{ambiguous:?}");
    assert!(ambiguous.message.contains("wiki two") && ambiguous.message.contains("wiki three"), "{ambiguous:?}");
    ann.run(&["pause", "wiki tw"]);
    ann.run(&["pause", "wiki"]);
    let unknown = ann.fails(&["pause", "blog"]);
    assert_eq!((unknown.exit, unknown.code.as_str()), (7, "not-found"), "{unknown:?}");

    let ports = ann.run(&["ports"]);
    let port = u64::from(service.address().port());
    assert!(ports[0]["ports"].as_array().unwrap().iter().any(|it| it["port"] == port), "{ports:?}");
    let doctor = ann.run(&["doctor"]);
    assert!(!doctor[0]["findings"].as_array().unwrap().is_empty());
    drop(hub);
    ann.wait_for("the hub to be down", |seen| (seen["hubs"][0]["link"]["state"] == "down").then_some(()));
    let unwell = ann.try_run(&["doctor"], "");
    let said = format!("{unwell:?}");
    assert!(unwell.is_err(), "{said}");

    let exported = ann.file("log.jsonl");
    ann.run(&["log", "--export", exported.to_str().unwrap()]);
    let lines = fs::read_to_string(&exported).unwrap();
    let numbers: Vec<u64> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["number"].as_u64().unwrap())
        .collect();
    assert!(numbers.len() >= 5 && numbers.iter().copied().eq(1..=numbers.len() as u64), "{numbers:?}");
}

#[test]
fn shells_get_completions() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let done = Process::run(program::postern().args(["completions", shell]), TIMEOUT).success();
        assert!(done.stdout.contains("invite"), "{shell}");
    }
}
