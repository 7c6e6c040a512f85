//! The log: a file in the data directory that never grows beyond its bounds, and standard error.
//!
//! Above DEBUG nothing in it is personal, and at no level a secret.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Longest log file; with the one before it, all that is kept.
const MAX_LOG_BYTES: u64 = 1024 * 1024;
const LOG_FILE: &str = "postern.log";
const ROTATED_FILE: &str = "postern.1.log";

/// Where the log of a data directory is.
#[must_use]
pub(crate) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("logs").join(LOG_FILE)
}

/// Starts logging into the data directory. `POSTERN_LOG` chooses more or less, as `debug` or `postern_engine=trace`.
///
/// # Errors
/// When the file cannot be opened.
pub(crate) fn init(data_dir: &Path) -> io::Result<()> {
    let log = Arc::new(Mutex::new(RotatingFile::open(path(data_dir))?));
    let filter =
        || EnvFilter::try_from_env("POSTERN_LOG").unwrap_or_else(|_| EnvFilter::new("info,tao=error,wry=error"));
    // A log that cannot be written, on a full disk or a terminal that was closed, is no reason to stop.
    let file_layer =
        fmt::layer().with_ansi(false).with_writer(move || SharedWriter(Arc::clone(&log))).log_internal_errors(false);
    let stderr_layer = fmt::layer().with_writer(io::stderr).without_time().log_internal_errors(false);
    // A second call, in a test, changes nothing.
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
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
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
    fn the_log_stays_within_its_bounds() {
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
}
