//! The window on the screen: what closing it does, with a panel and without one; its size.

use postern_desktop_tests::{Desktop, DesktopUser, Geometry, Keyring};
use postern_testkit::{TIMEOUT, eventually_async};

const EXPLAINED: &str = "Postern is still running";

async fn closes(ann: &DesktopUser) {
    ann.desktop.close_window("Postern");
    eventually_async("the window to be gone", TIMEOUT, || async { (!ann.shows_window()).then_some(()) }).await;
}

async fn window(ann: &DesktopUser) -> Geometry {
    eventually_async("the window", TIMEOUT, || async { ann.desktop.geometry("Postern") }).await
}

fn explanations(ann: &DesktopUser) -> usize {
    ann.notifications.all().iter().filter(|note| note.title == EXPLAINED).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_the_window_says_once_where_it_is() {
    let mut ann = DesktopUser::new().await;
    ann.start(&["--hidden"]);
    ann.tray.click_icon().await;
    let _ = window(&ann).await;
    closes(&ann).await;
    let note = ann.notifications.wait_for_notification(EXPLAINED).await;
    assert!(note.body.contains("icon in the tray"), "{}", note.body);
    // In the next run it is known.
    ann.stop();
    ann.start(&[]);
    let _ = window(&ann).await;
    closes(&ann).await;
    ann.tray.click("", "Open Postern").await;
    let _ = window(&ann).await;
    assert_eq!(explanations(&ann), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_tray_host_the_window_does_not_vanish_silently() {
    let mut ann = DesktopUser::new().await;
    ann.tray.crash().await;
    ann.start(&[]);
    let _ = window(&ann).await;
    let noticed = || async { ann.app().stderr().contains("this desktop shows no tray icon").then_some(()) };
    eventually_async("the missing tray host to be noticed", TIMEOUT, noticed).await;
    closes(&ann).await;
    let note = ann.notifications.wait_for_notification(EXPLAINED).await;
    assert!(note.body.contains("Start Postern again"), "{}", note.body);
    // As it says.
    assert!(ann.app().ended().is_none());
    let _ = ann.start_second(&[]).success();
    let _ = window(&ann).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_200_percent_the_window_fits_a_small_screen() {
    let mut ann = DesktopUser::on(Desktop::start_with(Keyring::Unlocked, "1280x800").await).await;
    ann.set_double_scale();
    ann.start(&[]);
    let Geometry { y, height, .. } = window(&ann).await;
    assert!(y >= 0 && y + height <= 800, "from {y}, {height} high, on a screen of 800");
    // And the first thing to do is within it.
    let page = ann.page().await;
    page.wait_for("[data-testid=name]").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_has_the_size_it_was_left_in() {
    let mut ann = DesktopUser::new().await;
    ann.start(&[]);
    let first = window(&ann).await;
    assert_eq!((first.width, first.height), (380, 560));
    ann.page().await.wait_for("[data-testid=first-run]").await;
    ann.desktop.resize_window("Postern", 700, 600);
    let resized = |ann: &DesktopUser| {
        let size = ann.desktop.geometry("Postern").map(|it| (it.width, it.height));
        (size == Some((700, 600))).then_some(())
    };
    eventually_async("the new size", TIMEOUT, || async { resized(&ann) }).await;
    closes(&ann).await;
    let settings = ann.data_dir().join("shell.json");
    let stored = || async { std::fs::read_to_string(&settings).ok()?.contains("700").then_some(()) };
    eventually_async("the size to be stored", TIMEOUT, stored).await;
    ann.stop();
    ann.start(&[]);
    let again = window(&ann).await;
    assert_eq!((again.width, again.height), (700, 600));
}
