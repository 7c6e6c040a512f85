//! Streams of a [`Node`].

use super::Node;
use crate::stream::{Stream, StreamBuilder};

impl Stream {
    /// Begins to make a stream in a node.
    #[expect(
        clippy::new_ret_no_self,
        reason = "a stream is what it leads to; the builder has no name of its own elsewhere"
    )]
    pub fn new(node: &Node) -> StreamBuilder {
        StreamBuilder::new(node.core())
    }
}
