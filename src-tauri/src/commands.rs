//! What the window can call. Each call goes to the controller and waits for its answer.

use postern_engine::api::{Answer, Code, Fault};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tauri::State;
use tokio::sync::{mpsc, oneshot};

use crate::controller::{Ask, Input, Seen};
use crate::shell::ShellState;

/// The way to the controller; managed by Tauri.
pub(crate) struct Inputs(pub(crate) mpsc::Sender<Input>);

impl Inputs {
    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Result<T, Fault> {
        let (answer, answered) = oneshot::channel();
        let stopped = || Fault::new(Code::Stopped, "Postern is quitting.");
        self.0.send(Input::Ask(ask(answer))).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())
    }
}

/// Asks the engine.
#[tauri::command]
pub(crate) async fn request(request: Value, inputs: State<'_, Inputs>) -> Result<Answer, Fault> {
    let request = read(request)?;
    inputs.ask(|answer| Ask::Request(Box::new(request), answer)).await?
}

/// Everything visible. To be called once the window listens to events: what was said before is lost.
#[tauri::command]
pub(crate) async fn snapshot(inputs: State<'_, Inputs>) -> Result<Seen, Fault> {
    inputs.ask(Ask::Seen).await?
}

/// What the shell shows.
#[tauri::command]
pub(crate) async fn shell_state(inputs: State<'_, Inputs>) -> Result<ShellState, Fault> {
    inputs.ask(Ask::Shell).await
}

/// Asks the shell.
#[tauri::command]
pub(crate) async fn shell(action: Value, inputs: State<'_, Inputs>) -> Result<ShellState, Fault> {
    let action = read(action)?;
    inputs.ask(|answer| Ask::Act(action, answer)).await?
}

/// Where the person wants a file that is called `name` at first; nothing if they changed their mind.
#[tauri::command]
pub(crate) async fn save_as(name: String, inputs: State<'_, Inputs>) -> Result<Option<String>, Fault> {
    inputs.ask(|answer| Ask::SaveAs(name, answer)).await?
}

/// Reads what the window sent here, so that a mistake in it is a fault like any other. The text may hold a link or a
/// passphrase and is in no message.
fn read<T: DeserializeOwned>(value: Value) -> Result<T, Fault> {
    serde_json::from_value(value).map_err(|_| Fault::new(Code::Invalid, "The window asked for what there is not."))
}
