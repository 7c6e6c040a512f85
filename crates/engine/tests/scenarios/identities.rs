//! Key histories between real engines: what one knows of the other, over restarts and replaced keys.

use super::test_engine::{TestEngine, assert_echo, echo};
use postern_engine::api::{Code, ContactView, Request, VerifyAgain};
use postern_engine::identity::IdentityStore;
use std::path::Path;
use tempfile::TempDir;

fn contact(engine: &TestEngine) -> ContactView {
    engine.latest().contacts[0].clone()
}

/// A copy of a data directory.
fn copy(home: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(home).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
    }
    copy
}

/// Gives the stopped engine's identity another key.
async fn rotate(engine: &TestEngine) {
    let options = engine.options();
    let store = IdentityStore::open(&options.data_dir, options.keychain).await.unwrap();
    let mut identity = store.load().await.unwrap().unwrap();
    store.rotate(&mut identity).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_replaced_is_refused_and_reported_after_a_restart() {
    let (mut owner, mut friend) = (TestEngine::with_key_file().await, TestEngine::with_key_file().await);
    owner.set_up("Olga", &[], true).await;
    owner.wait_until_reachable().await;
    let service = owner.share("wiki", &echo().await).await;
    let link = owner.link(service).await;
    friend.set_up("Fred", &[], false).await;
    friend.accept(&link).await;
    friend.wait_until_portal_up().await;
    owner.wait_for("Fred's words", |it| it.contacts.first().filter(|it| !it.words.is_empty()).map(drop)).await;
    let before = contact(&owner);
    assert_eq!(Some(&before.words), friend.latest().me.as_ref().unwrap().words.as_ref());
    let verify = |words: String| Request::Verify { person: before.identifier, verified: true, words: Some(words) };
    owner.must_do(verify(before.words.clone())).await;

    // Fred replaces his key; a thief has a copy of what he had.
    friend.stop().await;
    let stolen = copy(friend.home.path());
    rotate(&friend).await;
    friend.start().await;
    let portal = friend.wait_until_portal_up().await;
    owner.wait_for("the new key", |it| it.contacts.first().filter(|it| it.key_changed).map(drop)).await;
    let after = contact(&owner);
    assert!(after.words != before.words && after.verify_again == Some(VerifyAgain::KeyChanged));
    assert_eq!(owner.request(verify(before.words.clone())).await.unwrap_err().code, Code::KeyChanged);
    owner.must_do(verify(after.words.clone())).await;
    assert_echo(&portal.address, "with the new key").await;

    // After a restart the owner knows the new key still.
    friend.stop().await;
    owner.stop().await;
    owner.start().await;
    owner.wait_until_reachable().await;
    let thief = TestEngine::from_directory(stolen, &friend).await;
    let refused = owner.wait_for("the refusal", |it| it.contacts.first()?.key_refused.clone()).await;
    assert_eq!(refused.code, Code::KeyRefused);
    let seen = contact(&owner);
    assert!(seen.verified && seen.words == after.words, "nothing is known but the report");
    let found = owner.request(Request::Doctor).await;
    assert!(format!("{found:?}").contains(&refused.message), "{found:?}");
    drop(thief);
    owner.stop().await;
    owner.start().await;
    owner.wait_for("the report after a restart", |it| it.contacts.first()?.key_refused.clone()).await;
}
