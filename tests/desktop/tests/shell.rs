//! The app as a program of the desktop: tray, window, second launches. Nobody else is needed.

#![cfg(target_os = "linux")]

use postern_desktop_tests::{Person, until};
use postern_tests::Process;

#[tokio::test(flavor = "multi_thread")]
async fn hidden_it_is_only_in_the_tray() {
    let mut ann = Person::new().await;
    ann.start(&["--hidden"]);
    ann.tray.line("Not set up yet", |line| !line.enabled).await;
    assert_eq!(ann.tray.tooltip().await.as_deref(), Some("Postern: Not set up yet"));
    assert_eq!(ann.tray.icon_sizes().await, [22, 32, 48]);
    assert!(!ann.sees_window());
    ann.tray.click("", "Quit Postern").await;
    let app = ann.app();
    until("the app to end", || async { app.ended() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_icon_shows_the_window_and_closing_hides_it() {
    let mut ann = Person::new().await;
    ann.start(&["--hidden"]);
    ann.tray.click_icon().await;
    until("the window", || async { ann.sees_window().then_some(()) }).await;
    ann.desktop.close_window("Postern");
    until("the window to be gone", || async { (!ann.sees_window()).then_some(()) }).await;
    assert!(ann.app().ended().is_none(), "it stays in the tray");
    ann.tray.click("", "Open Postern").await;
    until("the window again", || async { ann.sees_window().then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panel_may_come_late_and_crash() {
    let mut ann = Person::new().await;
    ann.tray.crash().await;
    ann.start(&["--hidden"]);
    ann.sees("the engine", |_| Some(())).await;
    assert!(ann.tray.menu().await.is_none());
    ann.tray.come_back().await;
    ann.tray.line("Not set up yet", |_| true).await;
    ann.tray.crash().await;
    ann.tray.come_back().await;
    ann.tray.line("Open Postern", |line| line.enabled).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_shows_the_first() {
    let mut ann = Person::new().await;
    ann.start(&["--hidden"]);
    ann.tray.line("Open Postern", |_| true).await;
    let second = ann.start_again(&[]).success();
    assert!(second.stdout.contains("running already"), "{}", second.stdout);
    until("the window", || async { ann.sees_window().then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_starts_at_once_are_one_program() {
    let ann = Person::new().await;
    let mut starts: Vec<_> = (0..5).map(|_| Process::spawn(ann.command().arg("--hidden"))).collect();
    // Whichever is first stays; the others have it show itself and end.
    let first = until("all but one to end", || async {
        let running: Vec<_> = (0..starts.len()).filter(|it| starts[*it].ended().is_none()).collect();
        (running.len() == 1).then(|| running[0])
    });
    let first = starts.swap_remove(first.await);
    assert!(starts.iter().all(|it| it.ended().is_some_and(|status| status.success())));
    ann.tray.line("Open Postern", |_| true).await;
    assert!(first.ended().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn links_lead_here() {
    let mut ann = Person::new().await;
    ann.start(&["--hidden"]);
    let entry = ann.desktop.home().join("data/applications/org.postern.app.desktop");
    let text = until("the desktop entry", || async { std::fs::read_to_string(&entry).ok() }).await;
    assert!(text.contains("\nMimeType=x-scheme-handler/postern;\n"), "{text}");
    let valid = ann.desktop.command("desktop-file-validate").arg(&entry).output().unwrap();
    assert!(valid.status.success(), "{}", String::from_utf8_lossy(&valid.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_screen_it_says_so() {
    let ann = Person::new().await;
    let mut command = ann.desktop.surrounded(postern_tests::program::command("postern-app"));
    let ended = postern_tests::Process::run(command.env_remove("DISPLAY"), postern_desktop_tests::PATIENCE);
    assert_eq!(ended.status.code(), Some(69), "{}", ended.stderr);
    assert!(ended.stderr.contains("Postern needs a screen"), "{}", ended.stderr);
}
