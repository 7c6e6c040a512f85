//! The status port: a health check for load balancers (503 while the hub drains, or Kafka does not work), and metrics for
//! Prometheus.
//!
//! It serves plain HTTP and shows counters only: no identifier, address or relay name. If the hub is configured to, it also serves the page that
//! web links lead to; somebody who exposes it to the internet puts a proxy with TLS in front, of that page only.

use crate::mailbox::MailboxStats;
use crate::stream::{KafkaStatus, StreamStats};
use crate::{HubError, metrics};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use postern_env::{net, task};
use postern_node::Node;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;

/// What the status port reads.
#[derive(Clone)]
pub(crate) struct Status {
    pub(crate) node: Node,
    pub(crate) mailbox: Arc<MailboxStats>,
    pub(crate) streams: Arc<StreamStats>,
    /// Set once the services on Kafka are there, if they are configured.
    pub(crate) kafka: Option<KafkaStatus>,
    pub(crate) draining: watch::Receiver<bool>,
    /// Whether [`JOIN_PAGE`] is served.
    pub(crate) join_page: bool,
}

/// The page that web links lead to. It is static, and the ticket of a link never comes here: browsers keep it.
const JOIN_PAGE: &str = include_str!("../../../web/join.html");

/// Serves until the node stops; returns the address it listens on.
pub(crate) async fn serve(address: &str, status: Status) -> Result<SocketAddr, HubError> {
    let failed = |source| HubError::Status { address: address.to_owned(), source };
    let listener = net::listen(address).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    let stopped = status.node.clone();
    let mut pages = axum::Router::new().route("/healthz", get(healthz)).route("/metrics", get(metrics));
    if status.join_page {
        pages = pages.route("/join", get(join_page));
    }
    let pages = pages.with_state(status);
    let serving = axum::serve(listener, pages).with_graceful_shutdown(async move { stopped.stopped().await });
    task::spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "the status port failed; health and metrics are no longer served");
        }
    });
    Ok(local)
}

async fn healthz(State(status): State<Status>) -> impl IntoResponse {
    if *status.draining.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned());
    }
    match status.kafka.as_ref().and_then(KafkaStatus::trouble) {
        Some(trouble) => (StatusCode::SERVICE_UNAVAILABLE, format!("kafka: {trouble}\n")),
        None => (StatusCode::OK, "ok\n".to_owned()),
    }
}

async fn join_page() -> impl IntoResponse {
    // The page has a policy of its own; only a header can say that it must not be shown in a frame.
    let headers = [
        (header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, Html(JOIN_PAGE))
}

async fn metrics(State(status): State<Status>) -> impl IntoResponse {
    let mut text = metrics::render(status.node.stats(), &status.mailbox);
    metrics::render_streams(&mut text, "stream", &status.streams);
    if let Some(kafka) = &status.kafka {
        metrics::render_streams(&mut text, "kafka_stream", &kafka.stats);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
