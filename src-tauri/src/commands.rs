//! The Tauri commands: what the window's page may call. Each call goes to the controller and waits for its reply.

use postern_engine::api::{Answer, Code, Fault};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tauri::State;
use tokio::sync::{mpsc, oneshot};

use crate::controller::{Command, InitialState, Input};
use crate::shell::ShellState;

/// The controller's input channel, as state managed by Tauri.
pub(crate) struct ControllerHandle(pub(crate) mpsc::Sender<Input>);

impl ControllerHandle {
    async fn call<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Fault> {
        let (answer, answered) = oneshot::channel();
        let stopped = || Fault::new(Code::Stopped, "Postern is quitting.");
        self.0.send(Input::Command(command(answer))).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())
    }
}

/// Sends a request to the engine.
#[tauri::command]
pub(crate) async fn request(request: Value, controller: State<'_, ControllerHandle>) -> Result<Answer, Fault> {
    let request = parse(request)?;
    controller.call(|answer| Command::Request(Box::new(request), answer)).await?
}

/// The current state. The page calls it once it listens to events, since earlier events are lost.
#[tauri::command]
pub(crate) async fn snapshot(controller: State<'_, ControllerHandle>) -> Result<InitialState, Fault> {
    controller.call(Command::InitialState).await?
}

/// The shell's own state.
#[tauri::command]
pub(crate) async fn shell_state(controller: State<'_, ControllerHandle>) -> Result<ShellState, Fault> {
    controller.call(Command::ShellState).await
}

/// Performs an action of the shell.
#[tauri::command]
pub(crate) async fn shell(action: Value, controller: State<'_, ControllerHandle>) -> Result<ShellState, Fault> {
    let action = parse(action)?;
    controller.call(|answer| Command::ShellAction(action, answer)).await?
}

/// Opens a file dialog that proposes `name`; nothing if the user cancelled.
#[tauri::command]
pub(crate) async fn save_as(name: String, controller: State<'_, ControllerHandle>) -> Result<Option<String>, Fault> {
    controller.call(|answer| Command::SaveAs(name, answer)).await?
}

/// Opens a file dialog that chooses a file which exists; nothing if the user cancelled.
#[tauri::command]
pub(crate) async fn open_file(controller: State<'_, ControllerHandle>) -> Result<Option<String>, Fault> {
    controller.call(Command::OpenFile).await?
}

/// Parses the argument here instead of in Tauri, so that an error is a fault like any other. The text may contain a link
/// or a passphrase, so it is in no message.
fn parse<T: DeserializeOwned>(value: Value) -> Result<T, Fault> {
    serde_json::from_value(value).map_err(|_| Fault::new(Code::Invalid, "The window sent an unknown request."))
}
