//! The app as a program of the desktop: tray, window, second launches, files, mistakes. Nobody else is needed.

use std::fs::{self, File};

use postern_desktop_tests::DesktopUser;
use postern_engine::api::{Answer, Code, Request, ServiceKind};
use postern_testkit::{Process, debian, program};
use postern_testkit::{TIMEOUT, eventually_async};

/// Ann, whom nobody else is needed for.
async fn ann_alone() -> DesktopUser {
    let mut ann = DesktopUser::new().await;
    ann.start(&["--hidden"]);
    ann.request(Request::SetUp { name: "Ann".into(), hubs: Vec::new(), this_computer: true }).await.unwrap();
    ann
}

/// What the dialog says that a program shows which cannot go on.
async fn told(ann: &DesktopUser) -> String {
    eventually_async("the dialog", TIMEOUT, || async {
        let words = ann.desktop.owner_of("Postern")?;
        let place = words.iter().position(|word| word == "--tell")?;
        words.get(place + 1).cloned()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn hidden_it_is_only_in_the_tray() {
    let mut ann = DesktopUser::new().await;
    ann.start(&["--hidden"]);
    ann.tray.line("Not set up yet", |line| !line.enabled).await;
    assert_eq!(ann.tray.tooltip().await.as_deref(), Some("Postern: Not set up yet"));
    assert_eq!(ann.tray.icon_sizes().await, [22, 32, 48]);
    assert!(!ann.shows_window());
    ann.tray.click("", "Quit Postern").await;
    let app = ann.app();
    eventually_async("the app to end", TIMEOUT, || async { app.ended() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_icon_shows_the_window_and_closing_hides_it() {
    let mut ann = DesktopUser::new().await;
    ann.start(&["--hidden"]);
    ann.tray.click_icon().await;
    eventually_async("the window", TIMEOUT, || async { ann.shows_window().then_some(()) }).await;
    ann.desktop.close_window("Postern");
    eventually_async("the window to be gone", TIMEOUT, || async { (!ann.shows_window()).then_some(()) }).await;
    assert!(ann.app().ended().is_none(), "it stays in the tray");
    ann.tray.click("", "Open Postern").await;
    eventually_async("the window again", TIMEOUT, || async { ann.shows_window().then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panel_may_come_late_and_crash() {
    let mut ann = DesktopUser::new().await;
    ann.tray.crash().await;
    ann.start(&["--hidden"]);
    ann.wait_for("the engine", |_| Some(())).await;
    assert!(ann.tray.menu().await.is_none());
    ann.tray.come_back().await;
    ann.tray.line("Not set up yet", |_| true).await;
    ann.tray.crash().await;
    ann.tray.come_back().await;
    ann.tray.line("Open Postern", |line| line.enabled).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_nvidias_driver_the_window_is_drawn_without_dmabuf() {
    let ann = DesktopUser::new().await;
    let app = ann.command();
    // The driver's file, in a mount namespace of the app alone.
    let fake = "mount -t tmpfs none /proc/driver && mkdir /proc/driver/nvidia && : >/proc/driver/nvidia/version && exec \"$@\"";
    let mut command = ann.desktop.with_environment(std::process::Command::new("unshare"));
    command.args(["--map-current-user", "--keep-caps", "--mount", "sh", "-c", fake, "sh"]);
    command.arg(app.get_program()).arg("--hidden");
    command.envs(app.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let process = Process::spawn(&mut command);
    ann.tray.line("Open Postern", |line| line.enabled).await;
    let environment = fs::read(format!("/proc/{}/environ", process.id())).unwrap();
    let set = environment.split(|byte| *byte == 0).filter(|it| *it == b"WEBKIT_DISABLE_DMABUF_RENDERER=1");
    assert_eq!(set.count(), 1);
    let Answer::Findings { findings } = ann.request(Request::Doctor).await.unwrap() else { panic!("no findings") };
    assert!(findings.iter().any(|it| it.subject == "desktop" && it.message.contains("NVIDIA")), "{findings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_shows_the_first_instance() {
    let mut ann = DesktopUser::new().await;
    ann.start(&["--hidden"]);
    ann.tray.line("Open Postern", |_| true).await;
    let second = ann.start_second(&[]).success();
    assert!(second.stdout.contains("already running"), "{}", second.stdout);
    eventually_async("the window", TIMEOUT, || async { ann.shows_window().then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_starts_are_a_single_instance() {
    let ann = DesktopUser::new().await;
    let mut starts: Vec<_> = (0..5).map(|_| Process::spawn(ann.command().arg("--hidden"))).collect();
    // Whichever is first stays; the others have it show itself and end.
    let first = eventually_async("all but one to end", TIMEOUT, || async {
        let running: Vec<_> = (0..starts.len()).filter(|it| starts[*it].ended().is_none()).collect();
        (running.len() == 1).then(|| running[0])
    });
    let first = starts.swap_remove(first.await);
    assert!(starts.iter().all(|it| it.ended().is_some_and(|status| status.success())));
    ann.tray.line("Open Postern", |_| true).await;
    assert!(first.ended().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_registered_with_the_desktop() {
    let mut ann = DesktopUser::new().await;
    ann.start(&["--hidden"]);
    let entry = ann.desktop.home().join("data/applications/org.postern.app.desktop");
    let text = eventually_async("the desktop entry", TIMEOUT, || async { std::fs::read_to_string(&entry).ok() }).await;
    assert!(text.contains("\nMimeType=x-scheme-handler/postern;\n"), "{text}");
    let valid = ann.desktop.command("desktop-file-validate").arg(&entry).output().unwrap();
    assert!(valid.status.success(), "{}", String::from_utf8_lossy(&valid.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_screen_it_says_so() {
    let ann = DesktopUser::new().await;
    let mut command = ann.desktop.with_environment(program::command("postern-app"));
    let ended = Process::run(command.env_remove("DISPLAY"), TIMEOUT);
    assert_eq!(ended.status.code(), Some(69), "{}", ended.stderr);
    assert!(ended.stderr.contains("Postern needs a display"), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn starting_with_the_desktop_is_an_entry_in_its_settings() {
    let ann = ann_alone().await;
    let entry = ann.desktop.home().join("config/autostart/org.postern.app.desktop");
    ann.tray.click("", "Settings…").await;
    let window = ann.page().await;
    window.wait_for("[data-testid=autostart][aria-checked=false]").await;
    assert!(!entry.exists());
    window.click("[data-testid=autostart]").await;
    window.wait_for("[data-testid=autostart][aria-checked=true]").await;
    let text = fs::read_to_string(&entry).unwrap();
    let valid = ann.desktop.command("desktop-file-validate").arg(&entry).output().unwrap();
    assert!(valid.status.success(), "{}", String::from_utf8_lossy(&valid.stdout));

    // A desktop runs that line when the person logs in; here a shell does, once Ann has logged out.
    let line = text.lines().find_map(|line| line.strip_prefix("Exec=")).unwrap().to_owned();
    window.click("[data-testid=autostart]").await;
    window.wait_for("[data-testid=autostart][aria-checked=false]").await;
    assert!(!entry.exists());
    ann.tray.click("", "Quit Postern").await;
    eventually_async("the app to end", TIMEOUT, || async { ann.app().ended() }).await;
    let mut shell = ann.desktop.with_environment(debian::command("sh"));
    let _again = Process::spawn(shell.arg("-c").arg(format!("exec {line}")));
    ann.tray.line("Pause everything", |line| line.enabled).await;
    assert!(!ann.shows_window());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_written_where_the_system_asked() {
    let ann = ann_alone().await;
    ann.tray.click("", "Settings…").await;
    let window = ann.page().await;
    window.click("[data-testid=backup]").await;
    window.click("[data-testid=backup-choose]").await;
    eventually_async("the file dialog", TIMEOUT, || async { ann.desktop.shows_window("Save as").then_some(()) }).await;
    ann.desktop.close_window("Save as");
    eventually_async("the file dialog to be gone", TIMEOUT, || async {
        (!ann.desktop.shows_window("Save as")).then_some(())
    })
    .await;

    window.click("[data-testid=backup-choose]:enabled").await;
    eventually_async("the file dialog again", TIMEOUT, || async { ann.desktop.shows_window("Save as").then_some(()) })
        .await;
    let to = ann.desktop.home().join("mine.postern");
    ann.desktop.type_into("Save as", to.to_str().unwrap());
    let chosen = || async {
        let path = window.evaluate("return document.querySelector('[data-testid=backup-path]').value").await?;
        (path == to.to_str().unwrap()).then_some(())
    };
    eventually_async("the path in the window", TIMEOUT, chosen).await;
    window.fill("[data-testid=backup-passphrase]", "correct horse").await;
    window.fill("[data-testid=backup-again]", "correct horse").await;
    window.click("[data-testid=backup-save]").await;
    window.wait_until_gone("[data-testid=backup-dialog]").await;
    assert!(fs::metadata(&to).unwrap().len() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_start_says_what_to_do_and_where_the_log_is() {
    let ann = DesktopUser::new().await;
    // Where the lock should be there is something else.
    fs::create_dir_all(ann.data_dir().join("app.lock")).unwrap();
    let app = Process::spawn(&mut ann.command());
    let text = told(&ann).await;
    assert!(text.starts_with("Postern could not start: ") && text.contains("Then start it again."), "{text}");
    let log = ann.data_dir().join("logs/postern.log");
    assert!(text.ends_with(log.to_str().unwrap()), "{text}");
    assert!(log.is_file());
    ann.desktop.close_window("Postern");
    eventually_async("the dialog to be gone", TIMEOUT, || async { (!ann.shows_window()).then_some(()) }).await;
    let status = eventually_async("the program to end", TIMEOUT, || async { app.ended() }).await;
    assert_eq!(status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_reported_and_leaves_no_process_behind() {
    let ann = DesktopUser::new().await;
    let app = Process::spawn(ann.command().arg("--panic"));
    let text = told(&ann).await;
    assert!(text.starts_with("Postern has crashed because of an internal error.\n\nStart it again."), "{text}");
    let log = fs::read_to_string(ann.data_dir().join("logs/postern.log")).unwrap();
    assert!(log.contains("requested with --panic"), "{log}");
    // It ended, so that starting it again is possible.
    assert_eq!(app.wait(TIMEOUT).code(), Some(1), "{}", app.stderr());
    let _again = Process::spawn(ann.command().arg("--hidden"));
    ann.tray.line("Open Postern", |_| true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_the_terminal_does_not_end_it() {
    let ann = DesktopUser::new().await;
    let mut command = ann.command();
    // Writing there fails, as to a terminal that is gone.
    let full = || File::options().write(true).open("/dev/full").unwrap();
    command.arg("--hidden").stdout(full()).stderr(full());
    let mut app = command.spawn().unwrap();
    ann.tray.line("Open Postern", |_| true).await;
    assert_eq!(app.try_wait().unwrap(), None);
    ann.tray.click("", "Quit Postern").await;
    let status = tokio::task::spawn_blocking(move || app.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_services_are_all_there() {
    const MANY: usize = 500;
    let ann = ann_alone().await;
    let target = postern_testkit::Service::echo();
    let mut shared = 0;
    while shared < MANY {
        let share = Request::Share {
            name: format!("number-{shared}"),
            kind: ServiceKind::Tcp,
            target: target.address().to_string(),
            path: None,
            description: None,
        };
        match ann.request(share).await {
            Ok(_) => shared += 1,
            Err(fault) => {
                assert_eq!(fault.code, Code::TooMany, "{fault}");
                break;
            }
        }
    }
    assert!(shared >= 128, "only {shared} services can be shared");
    // The menu stays a menu, the window shows everything.
    ann.tray.line(&format!("{} more…", shared - 10), |line| line.enabled).await;
    ann.tray.click("", "Open Postern").await;
    let window = ann.page().await;
    let all = || async {
        let rows = window.evaluate("return document.querySelectorAll('[data-testid=service]').length").await?;
        (rows == shared).then_some(())
    };
    eventually_async("all rows", TIMEOUT, all).await;
    let last = format!("number-{}", shared - 1);
    window.fill("[data-testid=search]", &last).await;
    let found = || async {
        let rows = window.evaluate("return document.querySelectorAll('[data-testid=service]').length").await?;
        (rows == 1).then_some(())
    };
    eventually_async("the one that was searched", TIMEOUT, found).await;
    window.click("[data-testid=service-toggle]").await;
    window.wait_for("[data-testid=service][data-on=false]").await;
    let off = |snapshot: &postern_engine::api::Snapshot| {
        let mut off = snapshot.services.iter().filter(|service| !service.on);
        off.next().map(|service| service.name.clone())
    };
    assert_eq!(ann.wait_for("the one switched off", off).await, last);
}
