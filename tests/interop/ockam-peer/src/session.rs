//! A session, as the command line of `ockam` 0.150 keeps one for each inlet and relay: it pings `echo` behind its channel, and
//! replaces connection, channel and relay when too many pings in a row are not answered.

use crate::node::{Result, wrong};
use ockam::access_control::AllowAll;
use ockam::identity::{Identifier, SecureChannel, SecureChannelOptions, SecureChannels};
use ockam::remote::{RemoteRelay, RemoteRelayOptions};
use ockam::tcp::{TcpConnectionOptions, TcpTransport};
use ockam::{Address, Context, MessageSendReceiveOptions, Route, route};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The times of the command line.
const PING_EVERY: Duration = Duration::from_secs(10);
const MISSES_MAX: u32 = 3;
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// What it keeps up.
pub(crate) struct Session {
    pub(crate) context: Context,
    pub(crate) channels: Arc<SecureChannels>,
    pub(crate) tcp: Arc<TcpTransport>,
    pub(crate) me: Identifier,
    /// Of the node that it connects to.
    pub(crate) address: String,
    /// From there to the listener.
    pub(crate) route: Route,
    /// The relay that it registers through the channel.
    pub(crate) relay: Option<String>,
}

impl Session {
    /// Starts it. Each ping that is answered is told as `ponged NUMBER`, each replacement as `replaced NUMBER`.
    pub(crate) async fn start(self) -> Result<()> {
        let channel = self.connect().await?;
        tokio::spawn(self.run(channel));
        Ok(())
    }

    /// Like the command line, it leaves what it had before open.
    async fn connect(&self) -> Result<SecureChannel> {
        let connection = self.tcp.connect(&self.address, TcpConnectionOptions::new()).await?;
        let way = route![connection] + self.route.clone();
        let options = SecureChannelOptions::new();
        let channel = self.channels.create_secure_channel(&self.context, &self.me, way, options).await?;
        if let Some(name) = &self.relay {
            RemoteRelay::create_static(&self.context, route![channel.clone()], name, RemoteRelayOptions::new()).await?;
        }
        Ok(channel)
    }

    async fn run(self, mut channel: SecureChannel) {
        let (missed, answered) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let mut replaced = 0;
        loop {
            if missed.load(Ordering::SeqCst) == MISSES_MAX {
                replaced += 1;
                println!("replaced {replaced}");
                match self.connect().await {
                    Ok(new) => channel = new,
                    Err(_) => {
                        tokio::time::sleep(RETRY_AFTER).await;
                        continue;
                    }
                }
                missed.store(0, Ordering::SeqCst);
            }
            missed.fetch_add(1, Ordering::SeqCst);
            if let Ok(context) = self.context.new_detached(Address::random_local(), AllowAll, AllowAll) {
                tokio::spawn(ping(context, channel.clone(), missed.clone(), answered.clone()));
            }
            tokio::time::sleep(PING_EVERY).await;
        }
    }
}

/// Sends one ping. An answer makes up for all that were missed before.
async fn ping(
    context: Context,
    channel: SecureChannel,
    missed: Arc<AtomicU32>,
    answered: Arc<AtomicU32>,
) -> Result<()> {
    let number = vec![7u8; 8];
    let options = MessageSendReceiveOptions::new().with_timeout(PING_EVERY * MISSES_MAX);
    let way = route![channel, "echo"];
    let answer = context.send_and_receive_extended::<_, Vec<u8>>(way, number.clone(), options).await?.into_body()?;
    if answer != number {
        return Err(wrong("this is not what was sent"));
    }
    missed.store(0, Ordering::SeqCst);
    println!("ponged {}", answered.fetch_add(1, Ordering::SeqCst) + 1);
    Ok(())
}
