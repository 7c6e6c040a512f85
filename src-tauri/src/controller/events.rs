//! Inputs from the desktop, results of spawned tasks, and events of the engine.

use std::sync::Arc;

use postern_engine::api::{Answer, Code, Fault, Notice, ReceivedState, Request, Secret, Status};
use tokio::sync::oneshot;
use tracing::{debug, error, info, warn};

use super::engine_state::{EngineEvent, EngineState, RunningEngine};
use super::{Completion, Controller, EngineFactory, Flow, Input, WindowEvent, notification_filter};
use crate::desktop_integration::{DesktopIntegration, Event, Navigate, View, ViewName};
use crate::notification::{Notification, NotificationResponse, Topic};
use crate::shell::is_loopback_url;
use crate::tray::TrayAction;

/// The longest link that is passed on to the engine, in bytes: four times the longest ticket (`ticket::MAX_LINK`).
pub(super) const MAX_LINK_BYTES: usize = 8 * 1024;

impl<D: DesktopIntegration, F: EngineFactory> Controller<D, F> {
    pub(super) fn on_input(&mut self, input: Input) -> Flow {
        match input {
            Input::Tray(action) => return self.on_tray_action(action),
            Input::Notification(NotificationResponse::Action(request)) => self.request_in_background(request),
            Input::Notification(NotificationResponse::Default(view)) => self.show(view),
            Input::ShowWindow => self.window.show(&mut self.desktop, None),
            // The user did not ask for it, so a failure is not reported.
            Input::ConnectivityRestored => self.forward_request(Request::Retry, oneshot::channel().0),
            Input::TrayHost(shows_icon) => self.shows_tray_icon = shows_icon,
            Input::OpenLink(link) => self.open_link(link),
            Input::Window(event) => {
                self.window.on_event(&mut self.desktop, event);
                if event == WindowEvent::CloseRequested {
                    self.explain_closing();
                }
            }
            Input::Command(command) => return self.on_command(command),
        }
        Flow::Continue
    }

    fn on_tray_action(&mut self, action: TrayAction) -> Flow {
        match action {
            TrayAction::ToggleWindow => {
                let cause = self.cause_of_dot().filter(|_| !self.window.is_visible());
                self.window.toggle(&mut self.desktop, cause.map(Navigate::from));
            }
            TrayAction::Request(request) => self.request_in_background(request),
            TrayAction::Copy(text) => self.desktop.copy(&text),
            TrayAction::OpenUrl(url) if is_loopback_url(&url) => self.desktop.open_url(&url),
            TrayAction::OpenUrl(_) => warn!("refused to open an address that is not on this computer"),
            TrayAction::Show(view) => self.show(view),
            TrayAction::RetryStart => self.start_engine(),
            TrayAction::Quit => return Flow::Quit,
        }
        Flow::Continue
    }

    pub(super) fn on_completion(&mut self, completion: Completion<F::Engine>) {
        match completion {
            Completion::EngineStarted(started, prepared) => self.on_engine_started(started, prepared),
            Completion::LinkOpened(link, opened) => self.on_link_opened(link, opened),
            Completion::RequestFailed(fault) => self.desktop.notify(Notification::fault("Request failed", &fault)),
            Completion::PathChosen(chosen, reply) => {
                self.window.set_modal_open(false);
                let path = chosen.map(|path| path.into_os_string().into_string()).transpose();
                let not_utf8 = |_| Fault::new(Code::Invalid, "This file name is not valid text. Choose another.");
                let _ = reply.send(path.map_err(not_utf8));
            }
        }
    }

    fn on_engine_started(&mut self, started: Result<F::Engine, Fault>, prepared: Result<(), Fault>) {
        self.is_starting = false;
        match started {
            Ok(engine) => {
                info!("the engine has started");
                let running = RunningEngine::new(engine);
                self.desktop.emit(&Event::Snapshot(Arc::clone(&running.displayed)));
                self.engine = EngineState::Running(running);
            }
            Err(fault) => {
                error!(code = ?fault.code, "the engine failed to start; it is started again when the user retries");
                if !self.window.is_visible() {
                    self.desktop.notify(Notification::fault("Postern could not start", &fault));
                }
                self.engine = EngineState::Failed(fault);
            }
        }
        self.desktop.emit(&Event::Shell);
        self.flush_pending(prepared);
    }

    fn on_link_opened(&mut self, link: Secret, opened: Result<Answer, Fault>) {
        match opened {
            Ok(Answer::Preview { preview }) => {
                let target = Navigate { fault: preview.fault, ..View::Invitation(preview.invitation).into() };
                self.window.navigate(&mut self.desktop, target);
            }
            Ok(_) => self.show(View::Invitations),
            // Opened again after the first-run setup.
            Err(fault) if fault.code == Code::NotSetUp => self.pending_link = Some(link),
            Err(fault) => {
                let target = Navigate {
                    view: ViewName::Invitations,
                    invitation: None,
                    service: None,
                    fault: Some(fault.clone()),
                };
                self.window.navigate(&mut self.desktop, target);
                self.desktop.notify(Notification::fault("This link cannot be used", &fault));
            }
        }
    }

    pub(super) fn on_engine_event(&mut self, event: EngineEvent) {
        let EngineState::Running(running) = &mut self.engine else {
            return;
        };
        match event {
            EngineEvent::Snapshot => {
                let (old, new) = running.advance();
                for topic in notification_filter::resolved_topics(&old, &new) {
                    self.desktop.withdraw(topic);
                }
                self.desktop.emit(&Event::Snapshot(new));
            }
            EngineEvent::Traffic => {
                let traffic = running.traffic.borrow_and_update().clone();
                self.desktop.emit(&Event::Traffic(traffic));
            }
            EngineEvent::Notice(notice) => self.on_notice(notice),
            EngineEvent::NoticesLagged => debug!("the shell lags behind; some notices of the engine were dropped"),
            EngineEvent::Ended => {
                error!("the engine stopped unexpectedly; it is started again when the user retries");
                let fault = Fault::new(Code::Stopped, "Postern’s engine stopped unexpectedly. Try again.");
                self.engine = EngineState::Failed(fault);
                self.desktop.emit(&Event::Shell);
            }
        }
    }

    fn on_notice(&mut self, notice: Notice) {
        // A focused window shows it anyway.
        let wanted = self.settings.notifications && !self.window.is_focused();
        if wanted && self.notification_filter.should_notify(&notice, self.options.timeouts.hub_notifications) {
            self.desktop.notify(Notification::from(&notice));
        }
        self.desktop.emit(&Event::Notice(notice));
    }

    /// The view with what the tray icon's dot is about, which is why the user clicks; nothing if it has no dot.
    fn cause_of_dot(&self) -> Option<View> {
        let EngineState::Running(running) = &self.engine else { return None };
        let snapshot = &running.displayed;
        if snapshot.status != Status::Attention {
            return None;
        }
        let has_requests =
            !snapshot.knocks.is_empty() || snapshot.invitations.iter().any(|it| it.state == ReceivedState::New);
        let is_contact = snapshot.troubles.is_empty() && snapshot.contacts.iter().any(|it| it.verify_again.is_some());
        Some(match (has_requests, is_contact) {
            (true, _) => View::Invitations,
            (false, true) => View::Contacts,
            // Troubles, and what is down, are there.
            (false, false) => View::Home,
        })
    }

    /// Says what closing the window does: once, where the icon brings it back; in each run, where nothing on the screen does.
    fn explain_closing(&mut self) {
        let text = match self.shows_tray_icon {
            true if self.settings.closing_explained || !self.settings.notifications => return,
            true => {
                "Click its icon in the tray to open it again. To stop it, choose “Quit Postern” in the icon’s menu."
            }
            false if self.closing_explained => return,
            false => {
                "This desktop shows no tray icons. Start Postern again to open its window. You can quit in Settings."
            }
        };
        self.closing_explained = true;
        let note = Notification::new(Topic::App, "Postern is still running", text, View::Home);
        self.desktop.notify(note);
        if self.shows_tray_icon {
            self.settings.closing_explained = true;
            if let Err(error) = self.settings.write(&self.options.data_dir) {
                warn!("the settings were not saved, closing the window will be explained again: {error}");
            }
        }
    }

    fn show(&mut self, view: View) {
        self.window.show(&mut self.desktop, Some(view.into()));
    }

    /// Shows the invitation of a link, once the engine runs. Accepts nothing.
    pub(super) fn open_link(&mut self, link: Secret) {
        self.show(View::Invitations);
        if link.reveal().len() > MAX_LINK_BYTES {
            let fault = Fault::new(Code::BadTicket, "This is not an invitation. Ask for the link again.");
            let _ = self.completed.send(Completion::LinkOpened(link, Err(fault)));
            return;
        }
        self.pending_link = Some(link);
    }
}
