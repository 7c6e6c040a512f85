//! The service beside an outlet: connecting to it, and asking whether it is there.

use super::message::EndReason;
use postern_env::net::{self, TcpStream};
use postern_env::time::{self, Duration};
use std::io;

/// Connects to `host:port` and closes the connection again, to learn whether a service is there.
///
/// # Errors
/// What clients would be told now: [`EndReason::Refused`], [`EndReason::TimedOut`] after `timeout`, or
/// [`EndReason::Unreachable`].
pub async fn check_target(target: &str, timeout: Duration) -> Result<(), EndReason> {
    connect(target, timeout).await.map(drop)
}

/// Connects to `host:port`; the name is resolved now.
pub(super) async fn connect(target: &str, timeout: Duration) -> Result<TcpStream, EndReason> {
    match time::timeout(timeout, net::connect(target)).await {
        Ok(Ok(socket)) => Ok(socket),
        Err(_) => Err(EndReason::TimedOut),
        Ok(Err(error)) => Err(match error.kind() {
            io::ErrorKind::ConnectionRefused => EndReason::Refused,
            io::ErrorKind::TimedOut => EndReason::TimedOut,
            _ => EndReason::Unreachable,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_service_is_there_or_says_why_not() {
        let long = Duration::from_secs(20);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap().to_string();
        assert_eq!(check_target(&target, long).await, Ok(()));
        drop(listener);
        assert_eq!(check_target(&target, long).await, Err(EndReason::Refused));
        for nowhere in ["localhost", "localhost:port", ""] {
            assert_eq!(check_target(nowhere, long).await, Err(EndReason::Unreachable), "{nowhere}");
        }
    }
}
