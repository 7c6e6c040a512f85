//! Whether the machine has slept, or found a network: what waited should be tried again at once.

use futures_util::StreamExt;
use tracing::debug;
use zbus::Connection;

/// NetworkManager's state from which on there is a network beyond this machine.
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

/// Calls `woken` whenever it has, for ever.
pub(crate) async fn follow(woken: impl AsyncFn()) {
    if let Err(error) = listen(&woken).await {
        debug!("sleep and networks are not announced here: {error}");
    }
}

async fn listen(woken: &impl AsyncFn()) -> zbus::Result<()> {
    let bus = Connection::system().await?;
    let (login, network) = (LoginProxy::new(&bus).await?, NetworkProxy::new(&bus).await?);
    let (mut sleeps, mut networks) =
        (login.receive_prepare_for_sleep().await?, network.receive_state_changed().await?);
    loop {
        let up = tokio::select! {
            Some(sleep) = sleeps.next() => !sleep.args()?.start,
            Some(network) = networks.next() => network.args()?.state >= CONNECTED,
            else => return Ok(()),
        };
        if up {
            woken().await;
        }
    }
}
