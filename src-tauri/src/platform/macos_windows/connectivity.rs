//! Resume from sleep and network changes: not reported on these systems; the engine's own timers notice them.

use tokio::sync::mpsc;

use crate::controller::Input;

/// Does nothing.
pub(crate) async fn watch(_inputs: mpsc::Sender<Input>) {}
