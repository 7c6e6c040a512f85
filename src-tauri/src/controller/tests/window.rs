//! The window, links, and the calls of the page.

use super::*;

#[tokio::test]
async fn a_link_opens_the_invitation_and_accepts_nothing() {
    let harness = Harness::running().await;
    let preview = InvitationPreview {
        invitation: InvitationId([5; 16]),
        owner: configured_snapshot().me.unwrap().identifier,
        owner_name: "Bob".into(),
        owner_known: false,
        words: None,
        looks_like: None,
        service_name: "Database".into(),
        kind: ServiceKind::Tcp,
        port: 5432,
        expires: UnixMillis(0),
        fault: None,
    };
    *harness.engine.answer.lock().unwrap() = Ok(Answer::Preview { preview });
    let link = Secret::new("postern://join/x");
    harness.send(Input::OpenLink(link.clone())).await;
    harness.drain().await;
    assert_eq!(harness.requests(), [Request::Open { link }]);
    assert!(harness.calls().contains(&Call::Show));
    // The page does not listen yet: nothing is said to it that it would miss.
    assert!(!harness.calls().iter().any(|call| matches!(call, Call::Emit(Event::Navigate(_)))));
    harness.initial_state().await.unwrap();
    let to = Navigate::from(View::Invitation(InvitationId([5; 16])));
    harness.wait_for(|call| *call == Call::Emit(Event::Navigate(to.clone()))).await;
}

#[tokio::test]
async fn a_link_waits_for_the_first_run_setup() {
    let harness = Harness::start(None, true, Some("postern://join/x"));
    harness.engine.snapshot.send_replace(Arc::default());
    harness.wait_for(|call| *call == Call::Emit(Event::Shell)).await;
    harness.drain().await;
    assert!(harness.calls().contains(&Call::Show));
    harness.engine.snapshot.send_replace(Arc::new(configured_snapshot()));
    harness.drain().await;
    assert_eq!(harness.requests(), [Request::Open { link: Secret::new("postern://join/x") }]);
}

#[tokio::test]
async fn a_hidden_window_is_kept() {
    let harness = Harness::running().await;
    harness.send(Input::Tray(TrayAction::ToggleWindow)).await;
    harness.send(Input::Window(WindowEvent::Focused(true))).await;
    harness.drain().await;
    harness.send(Input::Window(WindowEvent::CloseRequested)).await;
    harness.drain().await;
    harness.send(Input::ShowWindow).await;
    harness.drain().await;
    let calls = harness.calls();
    assert!(matches!(&calls[..], [Call::Show, Call::Hide, Call::Notify(_), Call::Show]), "{calls:?}");
}

/// Shows the window and closes it with its own button; the texts of the notifications that follow.
async fn closing_explained(harness: &Harness) -> Vec<String> {
    harness.clear();
    harness.send(Input::ShowWindow).await;
    harness.send(Input::Window(WindowEvent::CloseRequested)).await;
    harness.drain().await;
    let bodies = harness.calls().into_iter().filter_map(|call| match call {
        Call::Notify(note) => Some(note.body),
        _ => None,
    });
    bodies.collect()
}

#[tokio::test]
async fn what_closing_the_window_does_is_said_once() {
    let harness = Harness::running().await;
    let told = closing_explained(&harness).await;
    assert!(matches!(&told[..], [text] if text.contains("icon in the tray")), "{told:?}");
    assert_eq!(closing_explained(&harness).await, Vec::<String>::new());
    assert!(ShellSettings::read(harness.data.path()).closing_explained, "not in the next run either");
}

#[tokio::test]
async fn where_no_tray_icon_is_shown_closing_says_how_to_come_back() {
    let harness = Harness::running().await;
    harness.send(Input::TrayHost(false)).await;
    let told = closing_explained(&harness).await;
    assert!(matches!(&told[..], [text] if text.contains("Start Postern again")), "{told:?}");
    assert_eq!(closing_explained(&harness).await, Vec::<String>::new(), "once in a run");
    // The panel came back: the other way to open the window has not been said yet.
    harness.send(Input::TrayHost(true)).await;
    assert_eq!(closing_explained(&harness).await.len(), 1);
}

#[tokio::test]
async fn a_click_on_the_icon_with_a_dot_shows_what_waits() {
    let harness = Harness::running().await;
    // There is a window, whose page listens.
    harness.send(Input::Tray(TrayAction::ToggleWindow)).await;
    harness.initial_state().await.unwrap();
    harness.perform(ShellAction::Hide).await.unwrap();
    let dot = Snapshot { status: Status::Attention, ..configured_snapshot() };
    let waiting = Snapshot { invitations: vec![invitation()], ..dot.clone() };
    let troubled = Snapshot { troubles: vec![locked()], ..dot };
    let without = configured_snapshot();
    for (snapshot, view) in [(waiting, Some(View::Invitations)), (troubled, Some(View::Home)), (without, None)] {
        harness.engine.snapshot.send_replace(Arc::new(snapshot));
        harness.drain().await;
        harness.clear();
        harness.send(Input::Tray(TrayAction::ToggleWindow)).await;
        harness.drain().await;
        let shown = view.map(|view| Call::Emit(Event::Navigate(view.into())));
        assert_eq!(harness.calls(), [Some(Call::Show), shown].into_iter().flatten().collect::<Vec<_>>());
        harness.perform(ShellAction::Hide).await.unwrap();
    }
}

#[tokio::test]
async fn a_window_hidden_beyond_its_timeout_is_destroyed() {
    let harness = Harness::with_timeouts(Timeouts { hidden_window: Duration::ZERO, ..NO_TIMEOUTS }, None, true, None);
    harness.wait_until_running().await;
    harness.send(Input::Tray(TrayAction::ToggleWindow)).await;
    harness.perform(ShellAction::Hide).await.unwrap();
    harness.wait_for(|call| *call == Call::Destroy).await;
    // The new window's page has to listen first.
    harness.clear();
    harness.send(Input::Tray(TrayAction::Show(View::Settings))).await;
    harness.drain().await;
    assert_eq!(harness.calls(), [Call::Show]);
    harness.initial_state().await.unwrap();
    harness.wait_for(|call| *call == Call::Emit(Event::Navigate(View::Settings.into()))).await;
}

#[tokio::test]
async fn the_window_is_shown_in_the_size_it_was_left_in() {
    let size = WindowSize { width: 700, height: 600 };
    let harness = Harness::running().await;
    harness.send(Input::ShowWindow).await;
    harness.send(Input::Window(WindowEvent::Resized(WindowSize { width: 500, ..size }))).await;
    harness.send(Input::Window(WindowEvent::Resized(size))).await;
    harness.send(Input::Window(WindowEvent::CloseRequested)).await;
    harness.drain().await;
    assert_eq!(ShellSettings::read(harness.data.path()).window_size, Some(size), "for the next start");
    harness.send(Input::Window(WindowEvent::Destroyed)).await;
    harness.send(Input::ShowWindow).await;
    harness.drain().await;
    assert_eq!(*harness.desktop.sizes.lock().unwrap(), [None, Some(size)]);
}

#[tokio::test]
async fn a_click_on_the_icon_toggles_the_window() {
    let harness = Harness::running().await;
    harness.send(Input::Tray(TrayAction::ToggleWindow)).await;
    harness.send(Input::Window(WindowEvent::Focused(true))).await;
    harness.send(Input::Tray(TrayAction::ToggleWindow)).await;
    harness.drain().await;
    assert_eq!(harness.calls(), [Call::Show, Call::Hide]);
}

#[tokio::test]
async fn shell_actions_have_their_effect_and_no_other() {
    let harness = Harness::running().await;
    assert!(harness.perform(ShellAction::SetAutostart { on: true }).await.unwrap().autostart);
    harness.perform(ShellAction::Copy { text: "127.0.0.1:5432".into() }).await.unwrap();
    harness.perform(ShellAction::OpenUrl { url: "http://127.0.0.1:8888/lab".into() }).await.unwrap();
    let refused = harness.perform(ShellAction::OpenUrl { url: "file:///etc/passwd".into() }).await;
    assert_eq!(refused.unwrap_err().code, Code::Invalid);
    harness.perform(ShellAction::Pin { on: true }).await.unwrap();
    let dark = harness.perform(ShellAction::SetTheme { theme: Theme::Dark }).await.unwrap();
    assert_eq!((dark.theme, ShellSettings::read(harness.data.path()).theme), (Theme::Dark, Theme::Dark));
    harness.perform(ShellAction::ShowLogs).await.unwrap();
    let expected = [
        Call::Autostart(true),
        Call::Copy("127.0.0.1:5432".into()),
        Call::OpenUrl("http://127.0.0.1:8888/lab".into()),
        Call::Pin(true),
        Call::ShowLogs,
    ];
    assert_eq!(harness.calls(), expected);
}

#[tokio::test]
async fn the_user_chooses_where_a_file_is_saved() {
    let harness = Harness::running().await;
    assert_eq!(harness.save_as("backup.postern").await, Ok(None), "cancelled");
    *harness.desktop.save_path.lock().unwrap() = Some("/media/stick/mine.postern".into());
    assert_eq!(harness.save_as("backup.postern").await, Ok(Some("/media/stick/mine.postern".into())));
    assert_eq!(harness.open_file().await, Ok(Some("/media/stick/mine.postern".into())));
    let asked = || Call::SaveAs("backup.postern".into());
    assert_eq!(harness.calls(), [asked(), asked(), Call::OpenFile]);
    for no_file in ["", "..", "/etc/passwd", "a/b"] {
        assert_eq!(harness.save_as(no_file).await.unwrap_err().code, Code::Invalid, "{no_file}");
    }
    assert_eq!(harness.calls().len(), 3);
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_name_that_is_not_utf8_is_refused() {
    let harness = Harness::running().await;
    let name = std::os::unix::ffi::OsStringExt::from_vec(b"/tmp/\xff".to_vec());
    *harness.desktop.save_path.lock().unwrap() = Some(std::ffi::OsString::into(name));
    assert_eq!(harness.save_as("backup.postern").await.unwrap_err().code, Code::Invalid);
}
