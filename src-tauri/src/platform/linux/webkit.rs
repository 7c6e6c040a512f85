//! How the window's engine, WebKitGTK, is started.
//!
//! With NVIDIA's driver its DMABUF renderer shows a blank window on many systems, under X11 and Wayland (tauri-apps/tauri issues 9304 and
//! 10702). It reads the environment when it starts, and a program cannot change its own safely (`set_var` is unsafe code), so this program
//! runs itself once more.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use tracing::{info, warn};

/// The variable that switches the renderer off. A user who has set it, to whatever value, has decided.
const VARIABLE: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";
/// What is there while NVIDIA's kernel driver is loaded. The free driver, nouveau, has no such file and no such fault.
const DRIVER: &str = "/proc/driver/nvidia/version";

/// Runs this program again, in the same process, if its window would stay blank. Returns if it need not, or cannot.
pub(crate) fn prepare() {
    if !is_needed(Path::new(DRIVER), std::env::var_os(VARIABLE).as_deref()) {
        return;
    }
    info!("NVIDIA's driver is there: the window is drawn without DMABUF");
    let error = run_again();
    warn!("the window may stay blank; start Postern with {VARIABLE}=1: {error}");
}

/// Whether NVIDIA's driver is there, so that the window is drawn without DMABUF.
pub(crate) fn has_nvidia_driver() -> bool {
    Path::new(DRIVER).exists()
}

fn is_needed(driver: &Path, variable: Option<&OsStr>) -> bool {
    variable.is_none() && driver.exists()
}

/// Runs this program again in its place; the reason if it cannot.
fn run_again() -> io::Error {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error,
    };
    let mut arguments = std::env::args_os();
    let mut again = Command::new(program);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    again.args(arguments).env(VARIABLE, "1").exec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_needed_with_the_driver_and_only_once() {
        let directory = tempfile::tempdir().unwrap();
        let driver = directory.path().join("version");
        assert!(!is_needed(&driver, None));
        std::fs::write(&driver, "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05").unwrap();
        assert!(is_needed(&driver, None));
        for decided in ["1", "0", ""] {
            assert!(!is_needed(&driver, Some(OsStr::new(decided))), "{decided}");
        }
    }
}
