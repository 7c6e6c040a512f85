//! Calls of the window's page: requests to the engine, actions of the shell, the file dialog.
//!
//! Every call is answered exactly once. The page may be gone by then (its window can be destroyed at any time), so a
//! reply that nobody receives is no error.

use std::path::{Path, PathBuf};

use postern_engine::api::{Code, Fault};
use tokio::sync::oneshot;

use super::{Command, Completion, Controller, EngineFactory, Flow, diagnostics};
use crate::desktop_integration::DesktopIntegration;
use crate::shell::{ShellAction, is_loopback_url};

impl<D: DesktopIntegration, F: EngineFactory> Controller<D, F> {
    pub(super) fn on_command(&mut self, command: Command) -> Flow {
        match command {
            Command::Request(request, reply) => self.forward_request(*request, reply),
            Command::InitialState(reply) => {
                self.send_initial_state(reply);
                self.window.page_ready(&mut self.desktop);
            }
            Command::ShellState(reply) => {
                let _ = reply.send(self.shell_state());
            }
            Command::SaveAs(name, reply) => self.save_as(&name, reply),
            Command::OpenFile(reply) => {
                let (answer, answered) = oneshot::channel();
                self.desktop.open_file(answer);
                self.await_path(answered, reply);
            }
            Command::ShellAction(ShellAction::RetryStart, reply) => {
                self.start_engine();
                self.retry_waiters.push(reply);
            }
            Command::ShellAction(ShellAction::UseKeyFile { passphrase }, reply) => {
                self.use_key_file(&passphrase, reply)
            }
            Command::ShellAction(ShellAction::Restore { file, passphrase }, reply) => {
                self.restore(file.into(), &passphrase, reply);
            }
            Command::ShellAction(action, reply) => {
                let quit = action == ShellAction::Quit;
                let result = self.perform(action);
                let _ = reply.send(result.map(|()| self.shell_state()));
                if quit {
                    return Flow::Quit;
                }
            }
        }
        Flow::Continue
    }

    fn perform(&mut self, action: ShellAction) -> Result<(), Fault> {
        match action {
            ShellAction::SetAutostart { on } => self.desktop.set_autostart(on)?,
            ShellAction::SetNotifications { on } => {
                self.settings.notifications = on;
                self.save_settings()?;
            }
            ShellAction::SetTheme { theme } => {
                self.settings.theme = theme;
                self.save_settings()?;
            }
            ShellAction::OpenUrl { url } if is_loopback_url(&url) => self.desktop.open_url(&url),
            ShellAction::OpenUrl { .. } => {
                return Err(Fault::new(Code::Invalid, "Only pages on this computer can be opened from here."));
            }
            ShellAction::Copy { text } => self.desktop.copy(&text),
            ShellAction::ShowLogs => self.desktop.show_logs(),
            ShellAction::CopyDiagnostics => {
                let text = diagnostics::report(self.view_state(), &self.options.log_file);
                self.desktop.copy(&text);
            }
            // Handled by the caller.
            ShellAction::Quit
            | ShellAction::RetryStart
            | ShellAction::UseKeyFile { .. }
            | ShellAction::Restore { .. } => {}
            ShellAction::Hide => self.window.hide(&mut self.desktop),
            ShellAction::Pin { on } => self.window.pin(&mut self.desktop, on),
        }
        Ok(())
    }

    fn save_settings(&self) -> Result<(), Fault> {
        let written = self.settings.write(&self.options.data_dir);
        written.map_err(|error| Fault::new(Code::Storage, format!("The setting was not saved: {error}.")))
    }

    fn save_as(&mut self, name: &str, reply: oneshot::Sender<Result<Option<String>, Fault>>) {
        // A page that was taken over must not choose the directory.
        if Path::new(name).file_name() != Some(name.as_ref()) {
            let _ = reply.send(Err(Fault::new(Code::Invalid, "That is not a file name.")));
            return;
        }
        let (answer, answered) = oneshot::channel();
        self.desktop.save_as(name, answer);
        self.await_path(answered, reply);
    }

    /// Answers when the user has closed the file dialog, which takes the focus from the window meanwhile.
    fn await_path(
        &mut self,
        answered: oneshot::Receiver<Option<PathBuf>>,
        reply: oneshot::Sender<Result<Option<String>, Fault>>,
    ) {
        self.window.set_modal_open(true);
        let completed = self.completed.clone();
        tokio::spawn(async move {
            let chosen = answered.await.unwrap_or_default();
            let _ = completed.send(Completion::PathChosen(chosen, reply));
        });
    }
}
