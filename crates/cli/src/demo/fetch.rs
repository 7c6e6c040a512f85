//! A minimal HTTP/1.0 client, so that the measurements are those of the portal.

use anyhow::{Context, Result, bail};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a fetch may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Fetches a page over HTTP/1.0, where the end of the connection is the end of the page.
pub(super) async fn get(address: &str, page: &str) -> Result<Vec<u8>> {
    let answer = tokio::time::timeout(TIMEOUT, answer(address, page)).await.context("no answer in time")??;
    let end = answer.windows(4).position(|it| it == b"\r\n\r\n").context("the answer is not HTTP")?;
    let status = answer.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    if status != b"200" {
        bail!("the service answered with status {}", status.escape_ascii());
    }
    Ok(answer[end + 4..].to_vec())
}

async fn answer(address: &str, page: &str) -> Result<Vec<u8>> {
    let mut socket = TcpStream::connect(address).await?;
    let request = format!("GET {page} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    socket.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await?;
    Ok(answer)
}
