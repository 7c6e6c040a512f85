//! The demo's own service: a small page, and enough bytes to measure throughput.

use anyhow::Result;
use axum::response::Html;
use axum::routing::get;
use std::net::SocketAddr;

/// Path of the page.
pub(super) const SMALL: &str = "/";
/// Path of the bytes.
pub(super) const BULK: &str = "/bytes";

const BULK_BYTES: usize = 64 * 1024 * 1024;
const PAGE: &str = "<!doctype html><meta charset=utf-8><title>Postern</title>\
    <body style='font:1.2rem system-ui;max-width:32rem;margin:20vh auto;padding:0 1rem'>\
    <h1>It came through.</h1><p>This page is served on the owner's machine. You see it on your localhost. \
    The hub in between carried it and could not read it.";

/// Serves on a free port until the process ends.
pub(super) async fn start() -> Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let pages = axum::Router::new()
        .route(SMALL, get(|| async { Html(PAGE) }))
        .route(BULK, get(|| async { (0..BULK_BYTES).map(byte).collect::<Vec<u8>>() }));
    tokio::spawn(async move { axum::serve(listener, pages).await });
    Ok(address)
}

/// Whether these are exactly the service's bytes.
pub(super) fn is_bulk(body: &[u8]) -> bool {
    body.len() == BULK_BYTES && body.iter().enumerate().all(|(index, found)| *found == byte(index))
}

fn byte(index: usize) -> u8 {
    ((index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}
