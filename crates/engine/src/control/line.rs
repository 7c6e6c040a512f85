//! Reading and writing JSON lines of bounded length.
//!
//! Buffers are wiped from memory, and errors never contain what was read: lines carry links and passphrases.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use zeroize::Zeroizing;

/// Reads lines of at most `max` bytes. Dropping a read loses nothing: what was read of a line stays buffered.
pub(super) struct Lines<R> {
    source: BufReader<R>,
    line: Zeroizing<Vec<u8>>,
    max: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(source: R, max: usize) -> Self {
        Self { source: BufReader::new(source), line: Zeroizing::default(), max }
    }

    /// The next line, or nothing at the end.
    ///
    /// # Errors
    /// `InvalidData` for a line that is too long, or has another form; the connection cannot be used any more.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let remaining = (self.max + 1).saturating_sub(self.line.len());
        (&mut self.source).take(remaining as u64).read_until(b'\n', &mut self.line).await?;
        if self.line.is_empty() {
            return Ok(None);
        }
        if self.line.last() != Some(&b'\n') {
            let kind =
                if self.line.len() > self.max { io::ErrorKind::InvalidData } else { io::ErrorKind::UnexpectedEof };
            return Err(kind.into());
        }
        let line = std::mem::take(&mut self.line);
        // The parser's message would repeat what it found, which may be a link.
        serde_json::from_slice(&line).map(Some).map_err(|_| io::ErrorKind::InvalidData.into())
    }

    /// Resolves when the other side closes, or sends something although it must not.
    pub(super) async fn closed(&mut self) {
        let _ = self.source.fill_buf().await;
    }
}

/// Writes a line and flushes it.
pub(super) async fn write(to: &mut (impl AsyncWrite + Unpin), line: &impl Serialize) -> io::Result<()> {
    let mut text = Zeroizing::new(serde_json::to_vec(line)?);
    text.push(b'\n');
    to.write_all(&text).await?;
    to.flush().await
}
