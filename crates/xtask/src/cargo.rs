//! Starting cargo and other programs from the root of the workspace.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package)
}

/// The cargo that runs this program, started in the root of the workspace.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(arguments);
    command
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// One of the workspace's programs that was built, as `debug` or `release`.
pub(crate) fn program(profile: &str, name: &str) -> Command {
    let mut command = Command::new(target().join(profile).join(name));
    command.current_dir(root());
    command
}

/// The same command once more, started by another program if one is given: its arguments, then those of `command`.
pub(crate) fn again(command: &Command, by: &[&str]) -> Command {
    let mut words = by.iter().map(OsStr::new).chain([command.get_program()]).chain(command.get_args());
    let mut again = Command::new(words.next().unwrap_or(command.get_program()));
    again.args(words).current_dir(command.get_current_dir().unwrap_or(root()));
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => again.env(name, value),
            None => again.env_remove(name),
        };
    }
    again
}

/// Runs a command to its end.
///
/// # Errors
/// When it cannot be started or exits with anything but 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("Failed to start {}", display(command)))?;
    ensure!(status.success(), "{} ended with {status}", display(command));
    Ok(())
}

/// Replaces this process by a command (`exec` where there is one), so that Ctrl-C and the exit code are the command's own.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn replace_process(command: &mut Command) -> Result<ExitCode> {
    #[cfg(unix)]
    {
        let error = std::os::unix::process::CommandExt::exec(command);
        Err(error).with_context(|| format!("Failed to start {}", display(command)))
    }
    #[cfg(not(unix))]
    {
        let status = command.status().with_context(|| format!("Failed to start {}", display(command)))?;
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
    }
}

/// A command as it would be typed, with the program's name only.
pub(crate) fn display(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
