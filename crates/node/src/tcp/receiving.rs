//! The frames that come over a connection, taken where they lie.

use super::connection::Connection;
use super::reader::FrameBuffer;
use crate::address::Address;
use crate::congestion::spare_connection;
use crate::delivery::{Delivery, HOLD_TIMEOUT, Held, HoldLimit};
use crate::local_message::{BorrowedMessage, PayloadBuf};
use crate::route::RouteRef;
use crate::undeliverable::Undeliverable;
use crate::wire::frame::{self, MAX_FRAME_UNAUTHENTICATED};
use postern_env::task;
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

/// Frames after which a busy connection lets others run: what its own messages have woken would otherwise wait for the end of a
/// flood. Some hundred microseconds.
pub(super) const FRAMES_PER_TURN: usize = 128;

impl Connection {
    /// Takes all whole frames; whether there was one. What they make this node send is flushed once, behind the last.
    pub(super) async fn deliver_frames(&self, inbox: &mut FrameBuffer) -> ControlFlow<io::Error, bool> {
        let (mut unflushed, mut taken) = (Vec::new(), 0);
        loop {
            if taken > 0 && taken % FRAMES_PER_TURN == 0 {
                unflushed.clear();
                task::yield_now().await;
            }
            let authenticated = self.source.authenticated.load(Ordering::Relaxed);
            let frame = self.core.limits.frame;
            let max = if authenticated { frame } else { frame.min(MAX_FRAME_UNAUTHENTICATED) };
            let frame = match inbox.next(max) {
                Ok(Some(frame)) => frame,
                Ok(None) => return ControlFlow::Continue(taken > 0),
                Err(error) => return ControlFlow::Break(io::Error::other(error)),
            };
            self.source.used.store(true, Ordering::Relaxed);
            taken += 1;
            self.core.stats.frames.add(1);
            self.core.stats.bytes.add(frame.len() as u64);
            let delivered = match self.deliver_frame(frame) {
                None => return ControlFlow::Break(io::Error::other("a frame is not a message")),
                Some(Ok(delivery)) => delivery.wait_deferring_flush(&mut unflushed, self.hold_limit()).await,
                Some(Err(reason)) => Err(reason),
            };
            match delivered {
                Ok(Held::Released) => {}
                Ok(Held::TooLong(receiver)) => return ControlFlow::Break(self.held_too_long(&receiver)),
                Err(reason) => self.core.dropped(reason),
            }
        }
    }

    fn hold_limit(&self) -> HoldLimit {
        match self.source.flow_controlled.load(Ordering::Relaxed) {
            true => HoldLimit::Short,
            false => HoldLimit::WhileTaken,
        }
    }

    fn held_too_long(&self, receiver: &Address) -> io::Error {
        let [sender, receiver] =
            [&self.address, receiver].map(|address| address.to_string().chars().take(8).collect::<String>());
        let seconds = HOLD_TIMEOUT.as_secs();
        tracing::warn!(
            %sender, %receiver, seconds,
            "a pair was ended: the receiver took nothing while the sender was held for it; both may connect again"
        );
        io::Error::other("it was held too long for a receiver that took nothing")
    }

    /// Delivers one frame; nothing if it is none.
    fn deliver_frame(&self, bytes: &mut [u8]) -> Option<Result<Delivery, Undeliverable>> {
        if let Some(payload) = frame::find_payload(bytes) {
            let (head, body) = bytes.split_at_mut(payload.start);
            let (onward, return_route) = frame::read_routes(head)?;
            return Some(self.dispatch(onward, return_route, &mut body[..payload.len()]));
        }
        let (onward, return_route, mut payload) = frame::canonical(bytes)?;
        Some(self.dispatch(onward.as_ref(), return_route.as_ref(), &mut payload))
    }

    fn dispatch(
        &self,
        onward: RouteRef<'_>,
        return_route: RouteRef<'_>,
        payload: &mut [u8],
    ) -> Result<Delivery, Undeliverable> {
        if onward.len() == 0 {
            return Ok(Delivery::default());
        }
        let body = PayloadBuf::exactly(payload);
        let source = Some(&self.source);
        let message = BorrowedMessage { onward, return_route, body, source, depth: 0, completion: None };
        let delivery = self.core.router.dispatch(message)?;
        Ok(match self.source.windows.get() {
            Some(windows) => spare_connection(&self.core, windows, delivery, return_route),
            None => delivery,
        })
    }
}
