//! Which notifications are shown, and when they are withdrawn.

use super::*;
use crate::controller::events::MAX_LINK_BYTES;

#[tokio::test]
async fn accepting_from_a_notification_takes_a_free_port() {
    let harness = Harness::running().await;
    let offer = invitation();
    let waiting = Snapshot { invitations: vec![offer.clone()], ..configured_snapshot() };
    harness.engine.snapshot.send_replace(Arc::new(waiting.clone()));
    *harness.engine.answer.lock().unwrap() = Ok(Answer::FreePort { port: Some(5433) });
    harness.drain().await;
    let accept = Request::Accept { invitation: offer.id, port: None };
    harness.send(Input::Notification(NotificationResponse::Action(accept.clone()))).await;
    harness.drain().await;
    let chosen = Request::Accept { invitation: offer.id, port: Some(5433) };
    assert_eq!(harness.requests(), [Request::FreePort { port: 5432 }, chosen]);

    // The port that is proposed is free: then it is not chosen, so that it stays the service's.
    harness.engine.requests.lock().unwrap().clear();
    *harness.engine.answer.lock().unwrap() = Ok(Answer::FreePort { port: Some(5432) });
    harness.send(Input::Tray(TrayAction::Request(accept.clone()))).await;
    harness.drain().await;
    assert_eq!(harness.requests(), [Request::FreePort { port: 5432 }, accept]);
}

#[tokio::test]
async fn a_failed_request_is_notified() {
    let harness = Harness::running().await;
    *harness.engine.answer.lock().unwrap() = Err(Fault::new(Code::PortTaken, "Port 5432 is taken. Choose another."));
    let accept = Request::Accept { invitation: InvitationId([5; 16]), port: None };
    harness.send(Input::Notification(NotificationResponse::Action(accept.clone()))).await;
    let Call::Notify(notification) = harness.wait_for(|call| matches!(call, Call::Notify(_))).await else {
        unreachable!()
    };
    assert_eq!(
        (notification.title.as_str(), notification.body.as_str()),
        ("Request failed", "Port 5432 is taken. Choose another.")
    );
    assert_eq!(harness.requests(), [accept]);
}

#[tokio::test]
async fn an_invalid_link_is_reported_in_window_and_notification() {
    let harness = Harness::running().await;
    let fault = Fault::new(Code::BadTicket, "This is not an invitation.");
    *harness.engine.answer.lock().unwrap() = Err(fault.clone());
    harness.initial_state().await.unwrap();
    for link in ["postern://join/broken".to_owned(), "x".repeat(MAX_LINK_BYTES + 1)] {
        harness.clear();
        harness.send(Input::OpenLink(Secret::new(link))).await;
        harness.drain().await;
        let notification = harness.wait_for(|call| matches!(call, Call::Notify(_))).await;
        assert!(matches!(notification, Call::Notify(note) if note.title == "This link cannot be used"));
    }
    assert_eq!(harness.requests().len(), 1, "a link that is too long is not sent to the engine");
}

#[tokio::test]
async fn no_notification_while_the_window_is_focused() {
    let harness = Harness::running().await;
    let notice = Notice::Joined { service: ServiceId([1; 16]), from: "Bob".into(), name: "Notes".into() };
    harness.send(Input::Tray(TrayAction::ToggleWindow)).await;
    harness.send(Input::Window(WindowEvent::Focused(true))).await;
    harness.drain().await;
    harness.emit_notice(notice.clone()).await;
    assert_eq!(harness.notification_titles(), [""; 0]);
    assert!(harness.calls().contains(&Call::Emit(Event::Notice(notice.clone()))));

    harness.send(Input::Window(WindowEvent::Focused(false))).await;
    harness.drain().await;
    harness.emit_notice(notice.clone()).await;
    assert_eq!(harness.notification_titles(), ["Bob joined"]);

    harness.perform(ShellAction::SetNotifications { on: false }).await.unwrap();
    harness.emit_notice(notice).await;
    assert_eq!(harness.notification_titles(), ["Bob joined"]);
}

#[tokio::test]
async fn an_invitation_answered_elsewhere_withdraws_its_notification() {
    let harness = Harness::running().await;
    harness
        .engine
        .snapshot
        .send_replace(Arc::new(Snapshot { invitations: vec![invitation()], ..configured_snapshot() }));
    harness.drain().await;
    assert!(!harness.calls().iter().any(|call| matches!(call, Call::Withdraw(_))));
    let accepting = ReceivedView { state: ReceivedState::Accepting { fault: None }, ..invitation() };
    harness.engine.snapshot.send_replace(Arc::new(Snapshot { invitations: vec![accepting], ..configured_snapshot() }));
    harness.drain().await;
    assert!(harness.calls().contains(&Call::Withdraw(Topic::Invitation(InvitationId([5; 16])))));
}

#[tokio::test]
async fn notifications_of_lost_hubs_are_rate_limited() {
    let harness = Harness::running().await;
    let back = Notice::HubBack { address: "hub:1".into() };
    for _ in 0..3 {
        harness.emit_notice(hub_lost()).await;
    }
    harness.emit_notice(back.clone()).await;
    harness.emit_notice(hub_lost()).await;
    assert_eq!(harness.notification_titles(), ["Disconnected from hub:1", "Reconnected to hub:1"]);
}

#[tokio::test]
async fn a_hub_lost_after_the_interval_is_notified_again() {
    let harness =
        Harness::with_timeouts(Timeouts { hub_notifications: Duration::ZERO, ..NO_TIMEOUTS }, None, true, None);
    harness.wait_until_running().await;
    harness.emit_notice(hub_lost()).await;
    harness.emit_notice(hub_lost()).await;
    assert_eq!(harness.notification_titles(), ["Disconnected from hub:1", "Disconnected from hub:1"]);
}
