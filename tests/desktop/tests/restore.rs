//! A backup of one computer, restored in the window of another.

use postern_desktop_tests::DesktopUser;
use postern_engine::api::{Request, Secret, ServiceKind, Snapshot};
use postern_testkit::{TIMEOUT, eventually_async};

const PASSPHRASE: &str = "correct horse battery";

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_restored_at_the_first_run() {
    let mut ann = DesktopUser::new().await;
    ann.start(&["--hidden"]);
    ann.request(Request::SetUp { name: "Ann".into(), hubs: Vec::new(), this_computer: true }).await.unwrap();
    let share = Request::Share {
        name: "Notes".into(),
        kind: ServiceKind::Http,
        target: "localhost:1".into(),
        path: None,
        description: None,
    };
    ann.request(share).await.unwrap();
    let file = ann.desktop.home().join("ann.postern");
    let path = file.to_str().unwrap().to_owned();
    ann.request(Request::Backup { path: path.clone(), passphrase: Secret::new(PASSPHRASE) }).await.unwrap();
    let with_words = |snapshot: &Snapshot| snapshot.me.clone().filter(|me| me.words.is_some());
    let me = ann.wait_for("herself", with_words).await;
    ann.stop();

    let mut laptop = DesktopUser::new().await;
    laptop.start(&[]);
    let window = laptop.page().await;
    window.click("[data-testid=restore]").await;
    window.click("[data-testid=restore-choose]").await;
    let dialog = |shown: bool| async move { shown.then_some(()) };
    eventually_async("the file dialog", TIMEOUT, || dialog(laptop.desktop.shows_window("Open"))).await;
    laptop.desktop.close_window("Open");
    eventually_async("the file dialog to be gone", TIMEOUT, || dialog(!laptop.desktop.shows_window("Open"))).await;

    window.fill("[data-testid=restore-path]", &path).await;
    window.fill("[data-testid=restore-passphrase]", "another").await;
    window.click("[data-testid=restore-submit]:enabled").await;
    window.wait_for("[data-testid=restore-dialog] [data-code=wrong-passphrase]").await;
    window.fill("[data-testid=restore-passphrase]", PASSPHRASE).await;
    window.click("[data-testid=restore-submit]:enabled").await;
    window.wait_for("[data-testid=service]").await;
    assert_eq!(laptop.wait_for("herself", with_words).await, me);
    // And it stays so.
    laptop.stop();
    laptop.start(&["--hidden"]);
    assert_eq!(laptop.wait_for("herself again", with_words).await, me);
}
