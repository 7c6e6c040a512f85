//! Starting, using and stopping the engine; the tray; diagnostics.

use super::*;

#[tokio::test]
async fn a_hidden_start_shows_only_the_tray() {
    let harness = Harness::start(None, true, None);
    harness.wait_for(|call| matches!(call, Call::Emit(Event::Shell))).await;
    harness.drain().await;
    assert!(!harness.calls().contains(&Call::Show));
    let trays: Vec<_> = harness.calls().into_iter().filter(|call| matches!(call, Call::Tray(_))).collect();
    let expected = [EngineViewState::Starting, EngineViewState::Running(&configured_snapshot())]
        .map(|state| Call::Tray(Tray::of(state)));
    assert_eq!(trays, expected);
}

#[tokio::test]
async fn an_unchanged_tray_is_not_sent_again() {
    let harness = Harness::running().await;
    harness.engine.snapshot.send_replace(Arc::new(Snapshot { troubles: vec![locked()], ..configured_snapshot() }));
    harness.drain().await;
    harness.engine.traffic.send_replace(Arc::default());
    harness.drain().await;
    assert!(!harness.calls().iter().any(|call| matches!(call, Call::Tray(_))), "{:?}", harness.calls());

    let changed = Snapshot { services: vec![service(true)], ..configured_snapshot() };
    harness.engine.snapshot.send_replace(Arc::new(changed.clone()));
    harness.drain().await;
    let last = harness.calls().into_iter().rfind(|call| matches!(call, Call::Tray(_)));
    assert_eq!(last, Some(Call::Tray(Tray::of(EngineViewState::Running(&changed)))));
}

#[tokio::test]
async fn a_failed_start_is_reported_and_can_be_retried() {
    let harness = Harness::start(Some(locked()), true, None);
    harness.wait_for(|call| *call == Call::Emit(Event::Shell)).await;
    assert_eq!(harness.notification_titles(), ["Postern could not start"]);
    assert_eq!(harness.shell_state().await.fault, Some(locked()));
    harness.wait_for(|call| *call == Call::Tray(Tray::of(EngineViewState::Failed(&locked())))).await;
    let (answer, answered) = oneshot::channel();
    harness.send(Input::Command(Command::Request(Box::new(Request::Retry), answer))).await;
    assert_eq!(answered.await.unwrap(), Err(locked()));

    assert_eq!(harness.initial_state().await.unwrap_err(), locked());
    assert_eq!(harness.perform(ShellAction::RetryStart).await, Err(locked()));

    *harness.fault.lock().unwrap() = None;
    assert_eq!(harness.perform(ShellAction::RetryStart).await.unwrap().fault, None);
    harness.wait_for(|call| *call == Call::Tray(Tray::of(EngineViewState::Running(&configured_snapshot())))).await;
    assert_eq!(harness.shell_state().await.fault, None);
}

#[tokio::test]
async fn requests_wait_for_the_engine_to_start() {
    let harness = Harness::start(None, true, None);
    let (answer, answered) = oneshot::channel();
    harness.send(Input::Command(Command::Request(Box::new(Request::Ports), answer))).await;
    assert_eq!(answered.await.unwrap(), Ok(Answer::Done));
    assert_eq!(harness.requests(), [Request::Ports]);
}

#[tokio::test]
async fn two_retries_start_one_engine() {
    let harness = Harness::start(Some(locked()), true, None);
    harness.wait_for(|call| *call == Call::Emit(Event::Shell)).await;
    *harness.fault.lock().unwrap() = None;
    harness.send(Input::Tray(TrayAction::RetryStart)).await;
    harness.send(Input::Tray(TrayAction::RetryStart)).await;
    harness.drain().await;
    let starts = harness.calls().into_iter().filter(|call| *call == Call::Emit(Event::Shell)).count();
    assert_eq!(starts, 2, "the one that failed, and one more");
}

#[tokio::test]
async fn without_a_keychain_the_key_is_kept_in_a_file() {
    let harness = Harness::running().await;
    let use_key_file = |text: &str| ShellAction::UseKeyFile { passphrase: Secret::new(text) };
    let stored = harness.perform(use_key_file("correct horse")).await.unwrap_err();
    assert_eq!(stored.code, Code::AlreadySetUp, "a key that is stored elsewhere would be lost");
    assert!(harness.passphrases.lock().unwrap().is_empty() && !*harness.engine.ended.borrow());

    harness.engine.snapshot.send_replace(Arc::default());
    harness.drain().await;
    assert_eq!(harness.perform(use_key_file("")).await.unwrap_err().code, Code::Invalid);
    let state = harness.perform(use_key_file("correct horse")).await.unwrap();
    assert!(state.key_file && state.fault.is_none());
    assert_eq!(*harness.passphrases.lock().unwrap(), ["correct horse"]);
    assert!(*harness.engine.ended.borrow(), "the engine before was stopped first");
}

#[tokio::test]
async fn the_passphrase_of_the_key_file_is_asked_again_until_it_is_right() {
    let wrong = || Fault::new(Code::WrongPassphrase, "The passphrase is wrong.");
    let harness = Harness::start(Some(wrong()), true, None);
    harness.wait_for(|call| *call == Call::Emit(Event::Shell)).await;
    let use_key_file = |text: &str| ShellAction::UseKeyFile { passphrase: Secret::new(text) };
    assert_eq!(harness.perform(use_key_file("sailfish")).await, Err(wrong()));
    *harness.fault.lock().unwrap() = None;
    assert_eq!(harness.perform(use_key_file("swordfish")).await.unwrap().fault, None);
    assert_eq!(*harness.passphrases.lock().unwrap(), ["sailfish", "swordfish"]);
}

#[tokio::test]
async fn a_backup_is_restored_while_nobody_is_set_up_and_the_engine_is_stopped() {
    let harness = Harness::running().await;
    let restore =
        |text: &str| ShellAction::Restore { file: "/stick/ann.postern".into(), passphrase: Secret::new(text) };
    assert_eq!(harness.perform(restore("right")).await.unwrap_err().code, Code::AlreadySetUp);
    assert!(harness.restored.lock().unwrap().is_empty() && !*harness.engine.ended.borrow());

    harness.engine.snapshot.send_replace(Arc::default());
    harness.drain().await;
    assert_eq!(harness.perform(restore("wrong")).await.unwrap_err().code, Code::WrongPassphrase);
    assert!(*harness.engine.ended.borrow());
    // The engine runs again all the same.
    assert_eq!(harness.shell_state().await.fault, None);
    assert_eq!(harness.perform(restore("right")).await.unwrap().fault, None);
    let file = PathBuf::from("/stick/ann.postern");
    assert_eq!(*harness.restored.lock().unwrap(), [(file.clone(), "wrong".into()), (file, "right".into())]);
}

#[tokio::test]
async fn restored_connectivity_retries_at_once() {
    let harness = Harness::running().await;
    harness.send(Input::ConnectivityRestored).await;
    harness.drain().await;
    assert_eq!(harness.requests(), [Request::Retry]);
}

#[tokio::test]
async fn quitting_shuts_the_engine_down_first() {
    let harness = Harness::running().await;
    harness.send(Input::Tray(TrayAction::Quit)).await;
    harness.wait_for(|call| *call == Call::Quit).await;
    assert!(*harness.engine.ended.borrow());
}

#[tokio::test]
async fn diagnostics_contain_nothing_personal() {
    let harness = Harness::running().await;
    let hub =
        HubView { address: "hub.example:4000".into(), link: LinkState::Up, identifier: None, clock_ahead_ms: None };
    let inlet = postern_engine::api::InletView {
        id: InletId([2; 16]),
        owner: configured_snapshot().me.unwrap().identifier,
        owner_name: "Bob".into(),
        owner_verified: true,
        name: "Database".into(),
        service_name: "Database".into(),
        kind: ServiceKind::Tcp,
        description: None,
        port: 5432,
        address: "127.0.0.1:5432".into(),
        url: None,
        host: None,
        checked: false,
        on: true,
        link: InletLink::Down { fault: Fault::new(Code::OwnerOffline, "Bob is offline."), since: UnixMillis(0) },
        live: 0,
        expires: None,
        invitation: None,
    };
    let snapshot =
        Snapshot { hubs: vec![hub], services: vec![service(true)], inlets: vec![inlet], ..configured_snapshot() };
    harness.engine.snapshot.send_replace(Arc::new(snapshot));
    harness.drain().await;
    let log = "2026-11-28T03:50:39.123456Z  WARN postern_node: Bob is offline: hub.example:4000 and 127.0.0.1:8000 refuse Notes\n";
    let logs = harness.data.path().join("logs");
    std::fs::create_dir_all(&logs).unwrap();
    std::fs::write(logs.join("postern.log"), log).unwrap();
    harness.perform(ShellAction::CopyDiagnostics).await.unwrap();
    let Call::Copy(text) = harness.wait_for(|call| matches!(call, Call::Copy(_))).await else { unreachable!() };
    assert!(text.contains("portals: owner-offline") && text.contains("hubs: up"), "{text}");
    assert!(text.contains("is offline:"), "the log is there: {text}");
    for private in ["Ann", "Bob", "Notes", "Database", "hub.example", "5432", "8000"] {
        assert!(!text.contains(private), "{private} in {text}");
    }
}

#[tokio::test]
async fn a_menu_item_sends_its_request() {
    let harness = Harness::running().await;
    let request = Request::SetService { service: ServiceId([1; 16]), on: false };
    harness.send(Input::Tray(TrayAction::Request(request.clone()))).await;
    harness.drain().await;
    assert_eq!(harness.requests(), [request]);
    assert_eq!(harness.notification_titles(), [""; 0]);
}
