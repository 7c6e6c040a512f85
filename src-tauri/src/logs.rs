//! Logging: to a file of bounded size in the data directory, and to standard error.
//!
//! Above DEBUG it contains nothing personal, and at no level a secret. Only its owner can read it, whatever the umask.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The size at which the log file is rotated, in bytes. One rotated file is kept: 2 MiB are weeks of INFO, and still
/// small enough to attach to an issue.
const MAX_LOG_BYTES: u64 = 1024 * 1024;
const LOG_FILE: &str = "postern.log";
const ROTATED_FILE: &str = "postern.1.log";

/// The path of the log file of a data directory.
#[must_use]
pub(crate) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("logs").join(LOG_FILE)
}

/// Starts logging. `POSTERN_LOG` sets the filter, for instance `debug` or `postern_engine=trace`.
///
/// # Errors
/// When the file cannot be opened.
pub(crate) fn init(data_dir: &Path) -> io::Result<()> {
    let log = Arc::new(Mutex::new(RotatingFile::open(path(data_dir))?));
    let filter =
        || EnvFilter::try_from_env("POSTERN_LOG").unwrap_or_else(|_| EnvFilter::new("info,tao=error,wry=error"));
    // Errors of the writers are ignored: the program goes on when the disk is full or the terminal closed.
    let file_layer =
        fmt::layer().with_ansi(false).with_writer(move || SharedWriter(Arc::clone(&log))).log_internal_errors(false);
    let stderr_layer = fmt::layer().with_writer(io::stderr).without_time().log_internal_errors(false);
    // Fails only for a second call, in tests.
    let _ = tracing_subscriber::registry().with(filter()).with(file_layer).with(stderr_layer).try_init();
    Ok(())
}

struct SharedWriter(Arc<Mutex<RotatingFile>>);

impl Write for SharedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct RotatingFile {
    path: PathBuf,
    file: File,
    length: u64,
}

impl RotatingFile {
    fn open(path: PathBuf) -> io::Result<Self> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        // Also a file that an older version made with the permissions of the umask.
        #[cfg(unix)]
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        let length = file.metadata()?.len();
        Ok(Self { path, file, length })
    }
}

impl Write for RotatingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.length + bytes.len() as u64 > MAX_LOG_BYTES {
            fs::rename(&self.path, self.path.with_file_name(ROTATED_FILE))?;
            *self = Self::open(self.path.clone())?;
        }
        self.file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_rotated_at_its_maximum_size() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = RotatingFile::open(path(directory.path())).unwrap();
        let line = [b'x'; 64 * 1024];
        for _ in 0..40 {
            log.write_all(&line).unwrap();
        }
        let sizes: Vec<u64> = fs::read_dir(directory.path().join("logs"))
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .collect();
        assert_eq!(sizes.len(), 2);
        assert!(sizes.iter().all(|size| *size <= MAX_LOG_BYTES), "{sizes:?}");
    }
    #[cfg(unix)]
    #[test]
    fn only_its_owner_reads_the_log() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = path(directory.path());
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        drop(RotatingFile::open(path.clone()).unwrap());
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        drop(RotatingFile::open(path.clone()).unwrap());
        assert_eq!(mode(), 0o600);
    }
}
