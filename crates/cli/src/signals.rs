//! The signals that ask a running command to end.

use std::io;

/// Resolves at Ctrl-C, at SIGTERM, or when the terminal is closed (SIGHUP), unless that was ignored when the program was started, as
/// `nohup` does. Signals count from this call on, so call it before announcing that the program runs.
///
/// # Errors
/// When the system refuses to report a signal.
pub(crate) fn shutdown_signal() -> io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let mut hang_up = if is_hang_up_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        let hung_up = async move {
            match &mut hang_up {
                Some(hang_up) => hang_up.recv().await,
                None => std::future::pending().await,
            }
        };
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hung_up => {}
            }
        })
    }
    #[cfg(not(unix))]
    {
        let mut interrupt = tokio::signal::windows::ctrl_c()?;
        Ok(async move {
            interrupt.recv().await;
        })
    }
}

/// Whether SIGHUP has no effect on this process. Only Linux says so without unsafe code; elsewhere the system's default stays.
#[cfg(unix)]
fn is_hang_up_ignored() -> bool {
    match std::fs::read_to_string("/proc/self/status") {
        Ok(status) => ignores(&status, 1),
        Err(_) => true,
    }
}

/// Whether a process ignores a signal: `SigIgn` is a bit mask in hexadecimal whose lowest bit is signal 1 (proc(5)).
#[cfg(unix)]
fn ignores(status: &str, signal: u32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_none_or(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_read_as_linux_writes_it() {
        let status = |mask: &str| format!("Name:\tpostern\nSigIgn:\t{mask}\nSigCgt:\t0000000000004002\n");
        assert!(ignores(&status("0000000000001001"), 1));
        assert!(!ignores(&status("0000000000001000"), 1));
        // What is not said is left as it is.
        assert!(ignores("Name:\tpostern\n", 1));
    }
}
