//! Keeping the link of a first start out of the process's arguments, which other users of the machine can read (`ps`).
//!
//! ```text
//! postern-app postern://join/…  ─ exec, same process ─►  postern-app --link-from-stdin   (the link comes through a pipe)
//! ```
//!
//! The program runs itself again in its own place, so whatever started it still has the same process. Until then, some
//! milliseconds, the link is visible, as it is in the arguments of what opened it (a browser, `xdg-open`). On systems without
//! `exec` it stays in the arguments for as long as the program runs.

use postern_engine::api::Secret;
use std::ffi::{OsStr, OsString};
use std::io::Read;

/// The argument that says that the link comes from the standard input.
const FROM_STDIN: &str = "--link-from-stdin";
/// Longest link that is handed over, in bytes: what a pipe takes before anybody reads it, on every system. Links are shorter
/// (`MAX_LINK`).
const LINK_MAX: usize = 4096;

/// The arguments without the link; nothing if the link is not among them or cannot be handed over.
fn without_link(arguments: impl Iterator<Item = OsString>, link: &Secret) -> Option<Vec<OsString>> {
    if link.reveal().len() > LINK_MAX {
        return None;
    }
    let mut was_there = false;
    let replaced = arguments.map(|argument| match argument == OsStr::new(link.reveal()) {
        true => {
            was_there = true;
            OsString::from(FROM_STDIN)
        }
        false => argument,
    });
    let replaced = replaced.collect();
    was_there.then_some(replaced)
}

/// Runs the program again without the link in its arguments. Returns only if that is not possible.
#[cfg(unix)]
pub(crate) fn run_without(link: &Secret) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::process::CommandExt;

    let mut arguments = std::env::args_os();
    let program = arguments.next();
    let Some(arguments) = without_link(arguments, link) else { return Ok(()) };
    let (reader, mut writer) = std::io::pipe()?;
    writer.write_all(link.reveal().as_bytes())?;
    drop(writer);
    let mut command = std::process::Command::new(std::env::current_exe()?);
    if let Some(program) = program {
        command.arg0(program);
    }
    Err(command.args(arguments).stdin(reader).exec())
}

#[cfg(not(unix))]
pub(crate) fn run_without(_: &Secret) -> std::io::Result<()> {
    Ok(())
}

/// Reads a link that was handed over.
pub(crate) fn read(input: impl Read) -> std::io::Result<Secret> {
    let mut text = String::new();
    input.take(LINK_MAX as u64).read_to_string(&mut text)?;
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_is_in_no_argument_of_the_second_run() {
        let link = Secret::new("postern://join/abc");
        let arguments = |list: &[&str]| list.iter().map(OsString::from).collect::<Vec<_>>();
        let given = arguments(&["--hidden", "postern://join/abc", "--data-dir", "/d"]);
        let rest = without_link(given.into_iter(), &link).unwrap();
        assert_eq!(rest, arguments(&["--hidden", FROM_STDIN, "--data-dir", "/d"]));
        assert_eq!(without_link(arguments(&["--hidden"]).into_iter(), &link), None);
        let long = Secret::new("x".repeat(LINK_MAX + 1));
        assert_eq!(without_link(arguments(&[long.reveal()]).into_iter(), &long), None);
        assert_eq!(read(&b"postern://join/abc"[..]).unwrap(), link);
    }
}
