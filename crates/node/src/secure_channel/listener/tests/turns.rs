//! Whose handshakes are computed first.

use super::*;

/// Whoever has connections to a hub may cause as many handshakes as wait at once.
#[tokio::test]
async fn a_handshake_that_has_begun_goes_on_before_those_that_begin() {
    let responding = Responding::with(Limits { handshakes: 8_192, ..Limits::default() }, None).await;
    let friend = Initiating::from(&responding, 1).await;
    let begun = responding.begin(&friend).await;
    let release = responding.occupy_handshake_threads();
    let hub = responding.connection_from(None);
    let refused = (0..).map(|number: usize| {
        // Each from another connection to the hub.
        let back = route![format!("connection-{number}"), "them"];
        responding.deliver(&hub, &route!["listener"], &back, &[7; 32]).is_err()
    });
    assert!(refused.take(4_096).any(|refused| refused), "the queue is full");
    responding.deliver(&friend.source, &begun.responder, &route!["them"], &begun.m3).unwrap();
    drop(release);
    responding.until_channels(1).await;
}

/// Third messages that do not verify may be sent as often as anybody likes.
#[tokio::test]
async fn a_new_handshake_has_its_turn_beside_any_number_of_begun_ones() {
    let responding = Responding::with(Limits::default(), None).await;
    let release = responding.occupy_handshake_threads();
    let (done, mut order) = tokio::sync::mpsc::unbounded_channel();
    for stage in [[Stage::Begun; 20].as_slice(), &[Stage::New]].concat() {
        let done = done.clone();
        let step = move || done.send(stage).unwrap();
        super::super::super::handshake_queue::run(responding.node.core(), stage, Cause::Local, step).unwrap();
    }
    drop((release, done));
    let mut turns = 0;
    while in_time(order.recv()).await.unwrap() == Stage::Begun {
        turns += 1;
    }
    assert!(turns <= 3, "{turns}");
}
