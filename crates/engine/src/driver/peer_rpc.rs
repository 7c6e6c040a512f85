//! Requests to peers: one channel for each peer, kept open for the next request.
//!
//! ```text
//! Effect::Call ─► call ─► the channel that is open, or a new one of the dialer ─► "desk" ─► PeerResponse
//! ```
//!
//! Requests to one peer are sent one after the other, those to different peers in parallel. A response that does not come
//! over an old channel is asked for once more over a new one; the core makes its requests so that a repetition does no harm.

use super::dialer::{Dialer, PeerConnection};
use super::node_context::{NodeContext, REQUESTS};
use crate::api::{Code, Fault};
use crate::peer::{PeerAddress, PeerRequest, PeerResponse};
use bytes::Bytes;
use postern_env::time::{self, Duration, Instant};
use postern_node::identity::Identifier;
use postern_node::route;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How long a response may take. Chosen: the peer saves to disk before it responds.
const RESPONSE_WITHIN: Duration = Duration::from_secs(10);
/// The same over a channel that was opened earlier, which may be dead without knowing: then another one is opened.
const RESPONSE_WITHIN_OLD: Duration = Duration::from_secs(3);
/// Channels that are kept for the next request; above, the one that was used longest ago is closed. As many as portals
/// (`MAX_INLETS`).
const MAX_CHANNELS: usize = 256;

/// Sends requests to peers; clones share the channels.
#[derive(Clone)]
pub(super) struct PeerRpc {
    dialer: Dialer,
    channels: Arc<Mutex<HashMap<Identifier, Slot>>>,
}

/// The place of one peer's channel. Whoever holds its lock may send.
struct Slot {
    connection: Arc<tokio::sync::Mutex<Option<PeerConnection>>>,
    used: Instant,
}

impl PeerRpc {
    pub(super) fn new(dialer: Dialer) -> Self {
        Self { dialer, channels: Arc::default() }
    }

    /// Sends a request and waits for the response.
    pub(super) async fn call(
        &self,
        peer: Identifier,
        addresses: &[PeerAddress],
        request: &PeerRequest,
    ) -> Result<PeerResponse, Fault> {
        let too_long = |_| {
            Fault::new(
                Code::TooMany,
                "The request does not fit into one message. Remove portals or contacts that are not needed.",
            )
        };
        let bytes = Bytes::from(request.encode().map_err(too_long)?);
        let context = &self.dialer.context;
        let slot = self.slot(peer);
        let mut open = slot.lock().await;
        if let Some(connection) = open.as_ref().filter(|it| !it.channel.is_closed())
            && let Ok(response) = exchange(context, connection, bytes.clone(), RESPONSE_WITHIN_OLD).await
        {
            return response;
        }
        *open = None;
        let connection = self.dialer.dial(peer, addresses).await?;
        match exchange(context, &connection, bytes, RESPONSE_WITHIN).await {
            Ok(response) => {
                *open = Some(connection);
                response
            }
            Err(NoResponse) => Err(Fault::new(
                Code::OwnerOffline,
                "The other side does not answer, although it is there. Postern asks again.",
            )),
        }
    }

    /// Closes the channel that we have opened with a peer. One that the peer has opened stays, for notifications.
    pub(super) fn close_channel(&self, peer: Identifier) {
        self.channels().remove(&peer);
    }

    /// Closes all channels.
    pub(super) fn clear(&self) {
        self.channels().clear();
    }

    fn slot(&self, peer: Identifier) -> Arc<tokio::sync::Mutex<Option<PeerConnection>>> {
        let mut channels = self.channels();
        if channels.len() >= MAX_CHANNELS && !channels.contains_key(&peer) {
            let oldest = channels.iter().min_by_key(|(_, slot)| slot.used).map(|(peer, _)| *peer);
            oldest.map(|oldest| channels.remove(&oldest));
        }
        let now = time::now();
        let slot = channels.entry(peer).or_insert_with(|| Slot { connection: Arc::default(), used: now });
        slot.used = now;
        slot.connection.clone()
    }

    fn channels(&self) -> MutexGuard<'_, HashMap<Identifier, Slot>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No response came: the channel closed, or time was up.
struct NoResponse;

/// Sends a request over an open channel.
async fn exchange(
    context: &NodeContext,
    connection: &PeerConnection,
    request: Bytes,
    within: Duration,
) -> Result<Result<PeerResponse, Fault>, NoResponse> {
    let sender = context.node.context().map_err(|_| NoResponse)?;
    let response = sender.send_and_receive_within::<Bytes>(within, route![&connection.channel, REQUESTS], request);
    let response = tokio::select! {
        response = response => response.map_err(|_| NoResponse)?,
        () = connection.channel.closed() => return Err(NoResponse),
    };
    Ok(PeerResponse::decode(response.body()).map_err(|error| {
        Fault::new(Code::Failed, format!("The response of the other side cannot be decoded: {error}. Update Postern."))
    }))
}
