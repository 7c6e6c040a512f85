//! What the window can call. Each call goes to the controller and waits for its answer.

use postern_engine::model::{Answer, Code, Fault};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tauri::State;
use tokio::sync::{mpsc, oneshot};

use crate::controller::{Command, InitialState, Input};
use crate::shell::ShellState;

/// The way to the controller; managed by Tauri.
pub(crate) struct ControllerHandle(pub(crate) mpsc::Sender<Input>);

impl ControllerHandle {
    async fn call<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Fault> {
        let (answer, answered) = oneshot::channel();
        let stopped = || Fault::new(Code::Stopped, "Postern is quitting.");
        self.0.send(Input::Command(command(answer))).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())
    }
}

/// Asks the engine.
#[tauri::command]
pub(crate) async fn request(request: Value, controller: State<'_, ControllerHandle>) -> Result<Answer, Fault> {
    let request = parse(request)?;
    controller.call(|answer| Command::Request(Box::new(request), answer)).await?
}

/// Everything visible. To be called once the window listens to events: what was said before is lost.
#[tauri::command]
pub(crate) async fn snapshot(controller: State<'_, ControllerHandle>) -> Result<InitialState, Fault> {
    controller.call(Command::InitialState).await?
}

/// What the shell shows.
#[tauri::command]
pub(crate) async fn shell_state(controller: State<'_, ControllerHandle>) -> Result<ShellState, Fault> {
    controller.call(Command::ShellState).await
}

/// Asks the shell.
#[tauri::command]
pub(crate) async fn shell(action: Value, controller: State<'_, ControllerHandle>) -> Result<ShellState, Fault> {
    let action = parse(action)?;
    controller.call(|answer| Command::ShellAction(action, answer)).await?
}

/// Where the person wants a file that is called `name` at first; nothing if they changed their mind.
#[tauri::command]
pub(crate) async fn save_as(name: String, controller: State<'_, ControllerHandle>) -> Result<Option<String>, Fault> {
    controller.call(|answer| Command::SaveAs(name, answer)).await?
}

/// Reads what the window sent here, so that a mistake in it is a fault like any other. The text may hold a link or a
/// passphrase and is in no message.
fn parse<T: DeserializeOwned>(value: Value) -> Result<T, Fault> {
    serde_json::from_value(value).map_err(|_| Fault::new(Code::Invalid, "The window asked for what there is not."))
}
