//! The status port: health for load balancers, metrics for Prometheus.

use crate::mailbox::MailboxStats;
use crate::{HubError, metrics};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use postern_node::Node;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;

/// What the status port shows.
#[derive(Clone)]
pub(crate) struct Status {
    pub(crate) node: Node,
    pub(crate) mailbox: Arc<MailboxStats>,
    pub(crate) draining: watch::Receiver<bool>,
}

/// Serves the status until the node stops; where it really listens.
pub(crate) async fn serve(address: &str, status: Status) -> Result<SocketAddr, HubError> {
    let failed = |source| HubError::Status { address: address.to_owned(), source };
    let listener = tokio::net::TcpListener::bind(address).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    let stopped = status.node.clone();
    let pages = axum::Router::new().route("/healthz", get(healthz)).route("/metrics", get(metrics)).with_state(status);
    let serving = axum::serve(listener, pages).with_graceful_shutdown(async move { stopped.stopped().await });
    tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "the status port failed");
        }
    });
    Ok(local)
}

async fn healthz(State(status): State<Status>) -> impl IntoResponse {
    match *status.draining.borrow() {
        false => (StatusCode::OK, "ok\n"),
        true => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
    }
}

async fn metrics(State(status): State<Status>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], metrics::render(status.node.stats(), &status.mailbox))
}
