//! Processes: with a time limit, ended politely or not, and never left behind.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Error;

/// Between two looks at something nobody announces; short beside a JVM's start.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Reads process ids. When its input ends, which is when this process is gone, however it ended, it kills the last one and
/// removes the directory. An empty line says that there is none.
const GUARD: &str = r#"while read -r line; do broker=$line; done
[ -z "$broker" ] || kill -KILL "$broker" 2>/dev/null
rm -rf "$1""#;

/// Sees to it that neither a broker nor its directory outlives this process.
pub(crate) struct Guard {
    shell: Child,
    input: Option<ChildStdin>,
}

impl Guard {
    pub(crate) fn start(directory: &Path) -> Result<Self, Error> {
        let mut shell = Command::new("sh");
        shell.args(["-c", GUARD, "guard"]).arg(directory).process_group(0);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut shell = shell.spawn().map_err(Error::io("cannot start a shell"))?;
        let input = shell.stdin.take();
        Ok(Self { shell, input })
    }

    /// Whom to kill from now on.
    pub(crate) fn watch(&mut self, broker: Option<u32>) {
        let line = broker.map(|id| id.to_string()).unwrap_or_default();
        if let Some(input) = &mut self.input {
            // A guard that is gone guards nothing; `Drop` of the broker still ends it.
            let _ = writeln!(input, "{line}");
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.input.take();
        let _ = self.shell.wait();
    }
}

/// Asks a child to end (SIGTERM). The child has not been waited for, so its id is still its own.
pub(crate) fn terminate(child: &Child) {
    let mut kill = Command::new("sh");
    kill.args(["-c", "kill -TERM \"$1\"", "kill", &child.id().to_string()]);
    let _ = kill.stderr(Stdio::null()).status();
}

/// Waits for a child's end.
pub(crate) fn ended_within(child: &mut Child, timeout: Duration) -> Option<ExitStatus> {
    poll(timeout, || child.try_wait().ok().flatten())
}

/// Asks again and again until there is an answer or the time is over; at least once.
pub(crate) fn poll<T>(timeout: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + timeout;
    loop {
        let last = Instant::now() >= deadline;
        match probe() {
            None if !last => pause(),
            answer => return answer,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "between two looks at a state that nobody announces")]
fn pause() {
    thread::sleep(POLL_INTERVAL);
}

/// Runs a command to its end and collects what it prints; after the time it is killed, with everything it started.
///
/// # Errors
/// When it cannot be started, or the time is over.
pub(crate) fn output_within(command: &mut Command, timeout: Duration) -> Result<Output, Error> {
    let name = command.get_program().to_string_lossy().into_owned();
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().map_err(Error::io(format_args!("cannot start {name}")))?;
    let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let status = ended_within(&mut child, timeout);
    let _ = child.kill();
    let _ = child.wait();
    let [stdout, stderr] = [stdout, stderr].map(|it| it.join().unwrap_or_default());
    let status = status.ok_or_else(|| {
        let mut why = format!("{name} did not end within {timeout:?}");
        // Writing to a string does not fail.
        let _ = write!(why, ": {}", String::from_utf8_lossy(&stderr));
        Error::Failed(why)
    })?;
    Ok(Output { status, stdout, stderr })
}

/// Everything that comes out of a pipe.
fn collect(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
        bytes
    })
}

/// As [`output_within`], for a command whose exit code must be 0.
///
/// # Errors
/// With what it printed if it is not.
pub(crate) fn run_within(command: &mut Command, timeout: Duration) -> Result<Vec<u8>, Error> {
    let output = output_within(command, timeout)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let name = command.get_program().to_string_lossy().into_owned();
    let said = [output.stdout, output.stderr].concat();
    Err(Error::Failed(format!("{name} ended with {}: {}", output.status, String::from_utf8_lossy(&said).trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_hangs_is_killed() {
        let started = Instant::now();
        let hung = output_within(Command::new("sleep").arg("60"), Duration::from_millis(10));
        assert!(hung.unwrap_err().to_string().contains("did not end"));
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_guard_kills_the_process_and_removes_the_directory() {
        let directory = std::env::temp_dir().join(format!("postern-guard-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let mut sleeper = Command::new("sleep").arg("600").spawn().unwrap();
        let mut guard = Guard::start(&directory).unwrap();
        guard.watch(Some(sleeper.id()));
        drop(guard);
        assert!(!sleeper.wait().unwrap().success());
        assert!(!directory.exists());
    }
}
