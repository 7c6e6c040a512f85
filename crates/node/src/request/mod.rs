//! Requests and responses between workers: a method, a path, a body, and a status (`docs/wire.md` §5.2).
//!
//! ```text
//! Context::request ─► Request ─► RequestWorker ─► RequestHandler::handle
//!                  ◄─ Response ◄─              ◄─ Reply
//! ```
//!
//! Programs on `ockam` query services this way, above all issuers of credentials: [`CredentialIssuer`] is one, and
//! [`CredentialClient`] asks one.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use postern_node::request::{Method, Reply, Request, RequestHandler, RequestWorker, Status};
//! use postern_node::{Context, Node, Routed, route};
//!
//! struct Greeter;
//!
//! impl RequestHandler for Greeter {
//!     async fn handle(&mut self, _: &mut Context, request: &Routed<Request>) -> Reply {
//!         match (request.body().method(), request.body().path()) {
//!             (Method::Get, "/greeting") => Reply::ok("hello"),
//!             _ => Reply::refused(Status::NotFound, "there is only /greeting"),
//!         }
//!     }
//! }
//!
//! let node = Node::new();
//! node.start_worker("greeter", RequestWorker::new(Greeter))?;
//! let context = node.context()?;
//! assert_eq!(context.request(route!["greeter"], Request::get("/greeting")).await?.body_as::<String>()?, "hello");
//! let refused = context.request(route!["greeter"], Request::get("/time")).await.unwrap_err();
//! assert_eq!(refused.to_string(), "the request was refused (404): there is only /greeting");
//! # Ok(())
//! # }
//! ```

mod credentials;
mod envelope;
mod error;

pub use credentials::{CREDENTIAL_RENEWAL, CredentialClient, CredentialIssuer, ObtainedCredential};
pub use envelope::{Method, PATH_MAX, Request, Response, Status};
pub use error::RequestError;

use crate::context::{Context, DEFAULT_TIMEOUT};
use crate::message::{Message, Routed};
use crate::route::Route;
use crate::worker::{Worker, WorkerError};
use bytes::Bytes;
use postern_env::time::Duration;
use std::future::Future;

/// What a handler answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    status: Status,
    body: ReplyBody,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ReplyBody {
    None,
    Payload(Bytes),
    Reason(String),
}

impl Reply {
    /// 200, with a body of any message type.
    pub fn ok(body: impl Message) -> Self {
        Self { status: Status::Ok, body: ReplyBody::Payload(body.encode()) }
    }

    /// 200 without a body.
    pub fn done() -> Self {
        Self { status: Status::Ok, body: ReplyBody::None }
    }

    /// Another status, and the reason for a person to read.
    pub fn refused(status: Status, reason: impl Into<String>) -> Self {
        Self { status, body: ReplyBody::Reason(reason.into()) }
    }

    fn to(self, request: &Request) -> Response {
        let body = match self.body {
            ReplyBody::None => None,
            ReplyBody::Payload(payload) => Some(payload),
            ReplyBody::Reason(reason) => Some(envelope::encode_reason(request, &reason)),
        };
        Response::new(request.id(), self.status, body)
    }
}

/// Answers requests, one at a time.
pub trait RequestHandler: Send + 'static {
    /// The answer to one request. Who sent it is [`Routed::peer`].
    fn handle(&mut self, context: &mut Context, request: &Routed<Request>) -> impl Future<Output = Reply> + Send;
}

/// A [`Worker`] that gives requests to a handler and sends its answers. What is not a request is dropped and logged.
pub struct RequestWorker<H>(H);

impl<H: RequestHandler> RequestWorker<H> {
    /// A worker for this handler.
    pub fn new(handler: H) -> Self {
        Self(handler)
    }
}

impl<H: RequestHandler> Worker for RequestWorker<H> {
    type Message = Request;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<Request>) -> Result<(), WorkerError> {
        let response = self.0.handle(context, &message).await.to(message.body());
        // Who does not take the answers must not hold up the next.
        Ok(context.send_at_once(message.return_route().clone(), response)?)
    }
}

impl Context {
    /// Sends a request and waits for its response, at most [`DEFAULT_TIMEOUT`].
    ///
    /// # Errors
    /// [`RequestError::Refused`] with the reason for any status but 200, [`RequestError::Context`] when nothing came or nothing could
    /// be sent.
    pub async fn request(&self, route: impl Into<Route>, request: Request) -> Result<Response, RequestError> {
        self.request_within(DEFAULT_TIMEOUT, route, request).await
    }

    /// [`request`](Self::request) with a time of its own.
    ///
    /// # Errors
    /// As for `request`.
    pub async fn request_within(
        &self,
        timeout: Duration,
        route: impl Into<Route>,
        request: Request,
    ) -> Result<Response, RequestError> {
        let id = request.id();
        let response = self.send_and_receive_within::<Response>(timeout, route, request).await?.into_body();
        match response.status() {
            _ if response.answers() != id => Err(RequestError::Mismatched),
            Status::Ok => Ok(response),
            status => Err(RequestError::Refused { status, reason: response.reason() }),
        }
    }
}
