//! Whether the machine has slept: not asked on these systems, where connections notice by themselves.

use tokio::sync::mpsc;

use crate::controller::Input;

/// Does nothing.
pub(crate) async fn watch(_inputs: mpsc::Sender<Input>) {}
