//! Which connections are accepted: how many, from where, and while how many file descriptors are left.

use super::MAX_FRAME_UNAUTHENTICATED;
use crate::core::Limits;
use crate::fairness::{EntryId, FairSet};
use crate::origin::SourceAddress;
use crate::stats::Stats;
use crate::sync::lock;
use postern_env::descriptors;
use postern_env::net::TcpStream;
use postern_env::time::{self, Duration, Instant};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// Refusals are logged once in this time, with how many there were: chosen.
const LOG_INTERVAL: Duration = Duration::from_secs(60);
/// Bytes of frames that have begun to arrive over all connections and take long: 64 of the largest before authentication.
const SLOW_BYTES_MAX: usize = 64 * MAX_FRAME_UNAUTHENTICATED;

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConnectionRefused {
    #[error("too many are open; raise `connections` if this machine can hold more")]
    TooMany,
    #[error("too many are open from its address; raise `connections_per_address` if many people share one")]
    TooManyFromThere,
    #[error("few file descriptors are left; raise the limit of the system (`ulimit -n`, `LimitNOFILE`)")]
    NoDescriptors,
}

/// The accepted connections of a node, by where they come from.
#[derive(Default)]
pub(super) struct ConnectionTable(Mutex<HashMap<SourceAddress, usize>>);

impl ConnectionTable {
    /// Counts a connection in until the slot is dropped.
    pub(super) fn admit(
        self: &Arc<Self>,
        socket: &TcpStream,
        address: SourceAddress,
        (limits, stats): (&Limits, &Stats),
    ) -> Result<ConnectionSlot, ConnectionRefused> {
        if stats.connections.get() >= limits.connections {
            return Err(ConnectionRefused::TooMany);
        }
        if descriptors::are_scarce(socket) {
            return Err(ConnectionRefused::NoDescriptors);
        }
        let mut counts = lock(&self.0);
        let count = counts.entry(address).or_default();
        if *count >= limits.connections_per_address {
            return Err(ConnectionRefused::TooManyFromThere);
        }
        *count += 1;
        Ok(ConnectionSlot { table: self.clone(), address })
    }
}

/// The place of an accepted connection.
pub(super) struct ConnectionSlot {
    table: Arc<ConnectionTable>,
    address: SourceAddress,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut counts = lock(&self.table.0);
        let Some(count) = counts.get_mut(&self.address) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(&self.address);
        }
    }
}

/// Logs refusals, but not each of a flood.
#[derive(Default)]
pub(super) struct RefusalLog {
    last: Option<Instant>,
    unlogged: u64,
}

impl RefusalLog {
    pub(super) fn record(&mut self, reason: ConnectionRefused) {
        self.unlogged += 1;
        let now = time::now();
        if self.last.is_some_and(|last| now - last < LOG_INTERVAL) {
            return;
        }
        tracing::warn!(refused = self.unlogged, "connections refused: {reason}");
        (self.last, self.unlogged) = (Some(now), 0);
    }
}

/// The frames of a node's connections that arrive slowly.
#[derive(Default)]
pub(super) struct SlowFrames(Mutex<SlowFramesState>);

#[derive(Default)]
struct SlowFramesState {
    frames: FairSet<Option<SourceAddress>, (usize, CancellationToken)>,
    bytes: usize,
}

/// A frame that arrives slowly: what it holds counts against [`SLOW_BYTES_MAX`] until this is dropped.
pub(super) struct SlowFrame {
    table: Arc<SlowFrames>,
    id: EntryId<Option<SourceAddress>>,
}

impl SlowFrames {
    /// Counts a frame of which so many bytes are held. When there are too many, the connections with the oldest frames from
    /// wherever most come from are ended.
    pub(super) fn add(
        self: &Arc<Self>,
        address: Option<SourceAddress>,
        bytes: usize,
        connection: &CancellationToken,
    ) -> SlowFrame {
        let mut evicted = Vec::new();
        let id = {
            let mut state = lock(&self.0);
            let id = state.frames.insert(address, (bytes, connection.clone()));
            state.bytes += bytes;
            while state.bytes > SLOW_BYTES_MAX {
                let Some((_, (bytes, connection))) = state.frames.evict() else { break };
                state.bytes -= bytes;
                evicted.push(connection);
            }
            id
        };
        evicted.iter().for_each(CancellationToken::cancel);
        SlowFrame { table: self.clone(), id }
    }
}

impl Drop for SlowFrame {
    fn drop(&mut self) {
        let mut state = lock(&self.table.0);
        if let Some((bytes, _)) = state.frames.remove(&self.id) {
            state.bytes -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn network(number: u8) -> SourceAddress {
        IpAddr::from([192, 0, 2, number]).into()
    }

    #[tokio::test]
    async fn connections_are_counted_by_where_they_come_from() {
        let listener = postern_env::net::listen("127.0.0.1:0").await.unwrap();
        let socket = postern_env::net::connect(listener.local_addr().unwrap()).await.unwrap();
        let (table, stats) = (Arc::new(ConnectionTable::default()), Stats::default());
        let limits = Limits { connections: 3, connections_per_address: 2, ..Limits::default() };
        let admit = |address| table.admit(&socket, network(address), (&limits, &stats));
        let flood = [admit(1).unwrap(), admit(1).unwrap()];
        assert_eq!(admit(1).err(), Some(ConnectionRefused::TooManyFromThere));
        let friend = admit(2).unwrap();
        stats.connections.set(3);
        assert_eq!(admit(3).err(), Some(ConnectionRefused::TooMany));
        drop((flood, friend));
        assert!(lock(&table.0).is_empty());
    }

    #[test]
    fn slow_frames_are_bounded_and_a_flood_gives_way_to_itself() {
        let (table, connection) = (Arc::new(SlowFrames::default()), CancellationToken::new);
        let (friend, flood) = (connection(), connection());
        let _friends = table.add(Some(network(2)), MAX_FRAME_UNAUTHENTICATED, &friend);
        let held: Vec<_> = (0..64).map(|_| table.add(Some(network(1)), MAX_FRAME_UNAUTHENTICATED, &flood)).collect();
        assert!(flood.is_cancelled() && !friend.is_cancelled());
        assert!(lock(&table.0).bytes <= SLOW_BYTES_MAX);
        drop(held);
        assert_eq!(lock(&table.0).bytes, MAX_FRAME_UNAUTHENTICATED);
    }
}
