//! Messages on their way through this node: owned, for workers, or borrowed from the buffer that they were read into.

use crate::address::Address;
use crate::origin::Source;
use crate::route::{Route, RouteRef};
use bytes::Bytes;
use std::sync::Arc;

/// An owned message in this node.
#[derive(Clone)]
pub(crate) struct OwnedMessage {
    pub(crate) onward: Route,
    pub(crate) return_route: Route,
    pub(crate) payload: Bytes,
    pub(crate) source: Option<Arc<Source>>,
}

/// A payload, and the bytes around it that its receiver may overwrite with headers.
pub(crate) struct PayloadBuf<'a> {
    pub(crate) buffer: &'a mut [u8],
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl<'a> PayloadBuf<'a> {
    /// A payload with no bytes around it.
    pub(crate) fn exactly(buffer: &'a mut [u8]) -> Self {
        let end = buffer.len();
        Self { buffer, start: 0, end }
    }

    pub(crate) fn payload(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }
}

/// A message on its way through this node, borrowed from the buffer that it was read into.
pub(crate) struct BorrowedMessage<'a> {
    pub(crate) onward: RouteRef<'a>,
    pub(crate) return_route: RouteRef<'a>,
    pub(crate) body: PayloadBuf<'a>,
    /// Set on what came from outside; its sender then belongs on the front of the return route.
    pub(crate) source: Option<&'a Arc<Source>>,
    pub(crate) depth: u8,
}

impl BorrowedMessage<'_> {
    pub(crate) fn via(&self) -> Option<&Address> {
        self.source.map(|source| &source.sender)
    }

    /// The return route as a worker sees it.
    pub(crate) fn full_return_route(&self) -> Route {
        self.return_route.behind(self.via())
    }

    pub(crate) fn to_owned_message(&self) -> OwnedMessage {
        OwnedMessage {
            onward: self.onward.behind(None),
            return_route: self.full_return_route(),
            payload: Bytes::copy_from_slice(self.body.payload()),
            source: self.source.cloned(),
        }
    }
}
