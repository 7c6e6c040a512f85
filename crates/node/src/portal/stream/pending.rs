//! Bytes that came from the other end and wait for the socket.

use crate::portal::flow_control::FlowControlPool;
use std::sync::Arc;

/// A pending buffer larger than this is given back when it is empty.
const KEEP_CAPACITY: usize = 16 * 1024;

/// Bytes that wait for the socket.
#[derive(Default)]
pub(super) struct Pending {
    bytes: Vec<u8>,
    start: usize,
    /// Those that nobody granted, and what they are counted in.
    uncontrolled: Option<(Arc<FlowControlPool>, u64)>,
}

impl Pending {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Adds bytes that nobody granted, unless the node holds too many of those.
    pub(super) fn push_uncontrolled(&mut self, bytes: &[u8], pool: &Arc<FlowControlPool>) -> bool {
        let count = bytes.len() as u64;
        if !pool.reserve_uncontrolled(count) {
            return false;
        }
        self.uncontrolled.get_or_insert_with(|| (pool.clone(), 0)).1 += count;
        self.push(bytes);
        true
    }

    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub(super) fn take(&mut self, count: usize) {
        if let Some((pool, counted)) = &mut self.uncontrolled {
            let freed = (*counted).min(count as u64);
            *counted -= freed;
            pool.free_uncontrolled(freed);
        }
        self.start += count;
        if self.start == self.bytes.len() {
            self.start = 0;
            self.bytes.clear();
            if self.bytes.capacity() > KEEP_CAPACITY {
                self.bytes = Vec::new();
            }
        } else if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some((pool, counted)) = &self.uncontrolled {
            pool.free_uncontrolled(*counted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_peers_without_flow_control_make_a_node_hold_is_bounded_and_given_back() {
        let pool = Arc::new(FlowControlPool::default());
        let mut streams: Vec<Pending> = (0..5).map(|_| Pending::default()).collect();
        let much = vec![0; 16 << 20];
        let taken: Vec<bool> = streams.iter_mut().map(|pending| pending.push_uncontrolled(&much, &pool)).collect();
        assert_eq!(taken, [true, true, true, true, false]);
        streams[0].take(much.len());
        assert!(streams[4].push_uncontrolled(&much, &pool));
        drop(streams);
        assert!(pool.reserve_uncontrolled(64 << 20) && !pool.reserve_uncontrolled(1));
    }
}
