//! File descriptors: how many the process may have, and whether few are left.
//!
//! Every connection takes one. A program that has none left can neither accept, nor open its database, nor resolve a name; so
//! a part is reserved, and what would take from it is refused.

#[cfg_attr(unix, path = "descriptors/unix.rs")]
#[cfg_attr(not(unix), path = "descriptors/other.rs")]
mod system;

/// Descriptors that are left for files, resolving and the like: chosen. Of a low limit at most an eighth.
pub const RESERVE: u64 = 64;

/// Raises the process's limit as far as the system allows without privileges; the limit then, or nothing if there is none.
///
/// Programs that it starts inherit the limit.
///
/// # Errors
/// The system refuses; the limit is what it was.
pub fn raise_limit() -> std::io::Result<Option<u64>> {
    system::raise_limit()
}

/// Whether a socket that was just opened has taken one of the reserved descriptors. Where there is no limit it has not.
pub fn are_scarce(socket: &tokio::net::TcpStream) -> bool {
    system::number(socket).is_some_and(|(number, limit)| number >= limit - RESERVE.min(limit / 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_limit_is_raised_and_few_open_descriptors_are_no_scarcity() {
        let limit = raise_limit().unwrap();
        assert_eq!(raise_limit().unwrap(), limit);
        let listener = crate::net::listen("127.0.0.1:0").await.unwrap();
        let socket = crate::net::connect(listener.local_addr().unwrap()).await.unwrap();
        assert!(!are_scarce(&socket));
    }
}
