//! Reports that the machine resumed from sleep or that a network became available, so that waiting retries start at once.

use futures_util::StreamExt;
use tokio::sync::mpsc;
use tracing::debug;
use zbus::Connection;

use crate::controller::Input;

/// `NM_STATE_CONNECTED_SITE`: from this state on there is a network beyond this machine.
const CONNECTED: u32 = 60;

#[zbus::proxy(
    interface = "org.freedesktop.login1.Manager",
    default_service = "org.freedesktop.login1",
    default_path = "/org/freedesktop/login1",
    gen_blocking = false
)]
trait Login {
    #[zbus(signal)]
    fn prepare_for_sleep(&self, start: bool) -> zbus::Result<()>;
}

#[zbus::proxy(
    interface = "org.freedesktop.NetworkManager",
    default_service = "org.freedesktop.NetworkManager",
    default_path = "/org/freedesktop/NetworkManager",
    gen_blocking = false
)]
trait Network {
    #[zbus(signal)]
    fn state_changed(&self, state: u32) -> zbus::Result<()>;
}

/// Sends [`Input::ConnectivityRestored`] to the controller until that ends.
pub(crate) async fn watch(inputs: mpsc::Sender<Input>) {
    if let Err(error) = listen(&inputs).await {
        debug!("sleep and network changes are not reported on this system: {error}");
    }
}

async fn listen(inputs: &mpsc::Sender<Input>) -> zbus::Result<()> {
    let bus = Connection::system().await?;
    let (login, network) = (LoginProxy::new(&bus).await?, NetworkProxy::new(&bus).await?);
    let (mut sleeps, mut networks) = (login.receive_prepare_for_sleep().await?, network.receive_state_changed().await?);
    loop {
        let up = tokio::select! {
            Some(sleep) = sleeps.next() => !sleep.args()?.start,
            Some(network) = networks.next() => network.args()?.state >= CONNECTED,
            else => return Ok(()),
        };
        if up && inputs.send(Input::ConnectivityRestored).await.is_err() {
            return Ok(());
        }
    }
}
