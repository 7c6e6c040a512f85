//! One engine by itself.

use super::test_engine::TestEngine;
use postern_engine::api::{Answer, AuditEvent, Code, EngineApi, InviteTo, Me, Request, Secret, Severity};
use postern_engine::keys::Passphrase;
use postern_engine::{Engine, EngineOptions, KeychainChoice, backup};

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_has_one_engine() {
    let mut person = TestEngine::with_key_in_memory().await;
    assert_eq!(Engine::start(person.options()).await.err().unwrap().code, Code::InUse);
    person.stop().await;
    person.start().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_it_is_set_up_everything_says_so() {
    let person = TestEngine::with_key_in_memory().await;
    let fault = person.request(Request::PauseAll { on: true }).await.unwrap_err();
    assert_eq!(fault.code, Code::NotSetUp);
    assert!(matches!(person.request(Request::Ports).await, Ok(Answer::Ports { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_not_proposed_and_the_engines_own_are_not_offered() {
    let person = TestEngine::with_key_in_memory().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let Ok(Answer::FreePort { port: Some(proposed) }) = person.request(Request::FreePort { port }).await else {
        panic!("there is no free port above {port}");
    };
    assert!(proposed > port, "{proposed}");
    // The listener belongs to the process that the engine runs in.
    let Ok(Answer::Ports { ports }) = person.request(Request::Ports).await else { panic!("there is no list") };
    assert!(ports.iter().all(|it| it.port != port), "{ports:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_crash() {
    let person = TestEngine::with_key_file().await;
    person.set_up("Olga", &[], false).await;
    let service = person.share("wiki", "127.0.0.1:1").await;
    // What a crash leaves behind: the directory as it is at this instant, without a goodbye.
    let crashed = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(person.home.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), crashed.path().join(file.file_name())).unwrap();
    }
    let options = EngineOptions { data_dir: crashed.path().to_owned(), ..person.options() };
    let again = Engine::start(options).await.unwrap();
    let snapshot = again.snapshot().borrow().clone();
    assert_eq!(snapshot.services.iter().map(|it| it.id).collect::<Vec<_>>(), [service]);
    let identifier = |me: Option<&Me>| me.map(|me| me.identifier);
    assert_eq!(identifier(snapshot.me.as_ref()), identifier(person.latest().me.as_ref()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_lists_events_and_the_doctor_lists_faults() {
    let person = TestEngine::with_key_file().await;
    person.set_up("Olga", &[], false).await;
    person.share("wiki", "127.0.0.1:1").await;
    let Ok(Answer::Receipts { receipts, intact }) = person.request(Request::Log { before: None, limit: 10 }).await
    else {
        panic!("no log")
    };
    assert!(intact);
    assert!(
        receipts.iter().any(|it| matches!(&it.deed, AuditEvent::Service { what, .. } if what == "shared")),
        "{receipts:?}"
    );
    person
        .wait_for("the service down", |it| {
            matches!(it.services[0].health, postern_engine::api::Health::Down { .. }).then_some(())
        })
        .await;
    let Ok(Answer::Findings { findings }) = person.request(Request::Doctor).await else { panic!("no findings") };
    assert!(findings.is_sorted_by_key(|it| std::cmp::Reverse(it.severity)));
    let bad: Vec<_> = findings.iter().filter(|it| it.severity == Severity::Bad).map(|it| it.subject.as_str()).collect();
    assert!(bad.contains(&"service") && !bad.contains(&"keychain") && !bad.contains(&"data"), "{findings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_the_whole_person() {
    let mut person = TestEngine::with_key_file().await;
    person.set_up("Olga", &["127.0.0.1:1"], false).await;
    let service = person.share("wiki", "127.0.0.1:1").await;
    let (invitation, link) = person.invite(service, InviteTo::Link { note: None }).await;
    let me = person.latest().me.clone();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("olga.backup");
    let request = || Request::Backup { path: file.display().to_string(), passphrase: Secret::new("another one") };
    person.must_do(request()).await;
    assert_eq!(person.request(request()).await.unwrap_err().code, Code::Invalid);
    person.stop().await;

    let passphrase = |text: &str| Passphrase::new(text.to_owned()).unwrap();
    let keychain = || KeychainChoice::File(passphrase("a new one"));
    let new = place.path().join("new");
    let restored = |passphrase| backup::restore(&new, &file, passphrase, keychain());
    assert_eq!(restored(passphrase("wrong")).await.unwrap_err().code, Code::WrongPassphrase);
    restored(passphrase("another one")).await.unwrap();
    assert_eq!(restored(passphrase("another one")).await.unwrap_err().code, Code::Invalid);
    let again =
        Engine::start(EngineOptions { data_dir: new.clone(), keychain: keychain(), listen: None }).await.unwrap();
    let snapshot = again.snapshot().borrow().clone();
    let identifier = |me: Option<&Me>| me.map(|me| me.identifier);
    assert_eq!((identifier(snapshot.me.as_ref()), snapshot.services.len()), (identifier(me.as_ref()), 1));
    // Also what is sealed with the person's key.
    let shown = again.request(Request::InvitationLink { invitation }).await;
    assert_eq!(shown, Ok(Answer::Invitation { invitation, link }));
    again.shutdown().await;
    // Where Postern has run and nobody was set up: what was there is set aside.
    let options =
        |data_dir: &std::path::Path| EngineOptions { data_dir: data_dir.into(), keychain: keychain(), listen: None };
    let unused = place.path().join("unused");
    std::fs::create_dir(&unused).unwrap();
    Engine::start(options(&unused)).await.unwrap().shutdown().await;
    let restored = |passphrase| backup::restore_before_set_up(&unused, &file, passphrase, keychain());
    assert_eq!(restored(passphrase("wrong")).await.unwrap_err().code, Code::WrongPassphrase);
    restored(passphrase("another one")).await.unwrap();
    assert_eq!(restored(passphrase("another one")).await.unwrap_err().code, Code::AlreadySetUp);
    let again = Engine::start(options(&unused)).await.unwrap();
    let snapshot = again.snapshot().borrow().clone();
    assert_eq!((identifier(snapshot.me.as_ref()), snapshot.services.len()), (identifier(me.as_ref()), 1));
    again.shutdown().await;
    std::fs::write(&file, b"age-encryption.org/v1\n").unwrap();
    let damaged = backup::restore(&place.path().join("other"), &file, passphrase("another one"), keychain()).await;
    assert_eq!(damaged.unwrap_err().code, Code::DamagedData);
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_data_is_set_aside_and_the_identity_stays() {
    let mut person = TestEngine::with_key_file().await;
    person.set_up("Olga", &[], false).await;
    let me = person.latest().me.clone();
    person.stop().await;
    std::fs::write(person.home.path().join("postern.db"), "nonsense".repeat(4_000)).unwrap();
    person.start().await;
    assert!(person.latest().troubles.iter().any(|it| it.code == Code::DamagedData));
    person.set_up("Olga", &[], false).await;
    assert_eq!(person.latest().me, me);
}
