//! The system gives the lowest free number, so the number of a new descriptor says how many are open at least.

use rlimit::Resource;
use std::io;
use std::os::fd::AsRawFd;

pub(super) fn raise_limit() -> io::Result<Option<u64>> {
    rlimit::increase_nofile_limit(u64::MAX).map(Some)
}

pub(super) fn number(socket: &tokio::net::TcpStream) -> Option<(u64, u64)> {
    let (limit, _) = Resource::NOFILE.get().ok()?;
    Some((u64::try_from(socket.as_raw_fd()).ok()?, limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Elsewhere the system may allow less than the limit that it names.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_limit_is_raised_as_far_as_it_goes_without_privileges() {
        let (_, hard) = Resource::NOFILE.get().unwrap();
        Resource::NOFILE.set(hard.min(256), hard).unwrap();
        assert_eq!(raise_limit().unwrap(), Some(hard));
        assert_eq!(Resource::NOFILE.get().unwrap(), (hard, hard));
    }
}
