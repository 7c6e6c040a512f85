//! Windows limits handles by memory alone.

pub(super) fn raise_limit() -> std::io::Result<Option<u64>> {
    Ok(None)
}

pub(super) fn number(_: &tokio::net::TcpStream) -> Option<(u64, u64)> {
    None
}
