//! Invitation links: reading one without exposing it to other programs, and showing it as a QR code.

use anyhow::{Context, Result, bail};
use postern_engine::api::{Code, Fault, Secret};
use postern_engine::peer::ticket::is_incomplete;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use std::io::{self, BufRead, IsTerminal, Write};
use zeroize::Zeroizing;

/// Longest text that is read, in bytes: as much as the engine accepts as pasted text.
const MAX_TEXT: u64 = 16 * 1024;

/// The help of an argument that is a link.
pub(crate) const HELP: &str = "\
The invitation, postern://join/…, or `-` to be prompted for it or to read it from the standard input. A link on the \
command line is visible to everybody on this machine while the command runs, and stays in the shell's history: \
prefer `-`";

/// The link in an argument; for `-`, read from a prompt or a pipe.
pub(crate) async fn read(argument: String) -> Result<Secret> {
    if argument != "-" {
        return Ok(Secret::new(argument));
    }
    tokio::task::spawn_blocking(|| {
        let stdin = io::stdin();
        let is_terminal = stdin.is_terminal();
        if is_terminal {
            to_stderr_now("Invitation link: ");
        }
        let text = read_text(stdin.lock(), is_terminal).context("Failed to read the link")?;
        if text.trim().is_empty() {
            bail!(Fault::new(Code::BadTicket, "No link was given."));
        }
        Ok(Secret::new(text.trim()))
    })
    .await?
}

/// Reads lines up to the end of the first whole link, so that nothing of a wrapped one is left for the shell. From a person an empty
/// line ends the text too.
fn read_text(input: impl BufRead, is_terminal: bool) -> io::Result<Zeroizing<String>> {
    let mut input = input.take(MAX_TEXT);
    let mut text = Zeroizing::new(String::new());
    loop {
        let begin = text.len();
        let is_end = input.read_line(&mut text)? == 0;
        let is_empty = text[begin..].trim().is_empty();
        if is_end || is_terminal && is_empty || !is_incomplete(&text) {
            return Ok(text);
        }
        if is_terminal {
            to_stderr_now("The link is not complete. Paste the rest, or an empty line to end: ");
        }
    }
}

/// Prints a prompt on the standard error.
fn to_stderr_now(prompt: &str) {
    let mut err = io::stderr();
    let _ = err.write_all(prompt.as_bytes()).and_then(|()| err.flush());
}

/// The link as a QR code, for a telephone's camera.
pub(crate) fn qr_code(link: &Secret) -> Result<String> {
    let code = QrCode::new(link.reveal()).context("The link does not fit into a QR code")?;
    // Most terminals are dark, so the code's dark modules are left empty.
    Ok(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link of the snapshot test in `postern_engine::peer::ticket`, which nobody can use.
    const LINK: &str = concat!(
        "postern://join/",
        "aealfckqaeaqcaibaeaqcaibaeaqcaibafmcaaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcla",
        "qagaydambqgaydambqgaydambqgaydambqgaydambqgaydambqga3jljx4hkza6cpyzo4cqiahcmjzgixdcnryfyys",
        "4nz2gqytamrsqmaxa2dvmixgk6dbnvygyzj2gqydamduojzhe4tsojzhe4tsojzhe4tsojzhe4tsm5dxfq5wyopwka",
        "izbo4bwaaaagf47zliac5yommn",
    );

    #[test]
    fn a_wrapped_link_is_read_to_its_end_and_nothing_behind_it() {
        let (front, back) = LINK.split_at(76);
        for is_terminal in [true, false] {
            let pasted = format!("> {front}\n> {back}\nls\n");
            let mut input = pasted.as_bytes();
            let text = read_text(&mut input, is_terminal).unwrap();
            assert!(!is_incomplete(&text), "{}", *text);
            assert_eq!(input, b"ls\n", "the rest is for whoever reads next");
        }
    }

    #[test]
    fn text_without_a_link_ends_with_an_empty_line_of_a_person_or_the_input() {
        let read = |text: &str, is_terminal| read_text(text.as_bytes(), is_terminal).unwrap().to_string();
        assert_eq!(read("hello\n\npostern://join/aeal\n", true), "hello\n\n");
        assert_eq!(read("hello\n\npostern://join/aeal\n", false), "hello\n\npostern://join/aeal\n");
        assert_eq!(read("", true), "");
        let long = read(&"x\n".repeat(100_000), false);
        assert_eq!(long.len() as u64, MAX_TEXT);
    }

    #[test]
    fn a_link_becomes_a_picture_with_a_margin() {
        let code = qr_code(&Secret::new("postern://join/".to_owned() + &"x".repeat(300))).unwrap();
        let lines: Vec<&str> = code.lines().collect();
        assert!(lines.len() > 20 && lines.iter().all(|line| line.chars().count() == lines[0].chars().count()));
        assert!(lines[0].chars().all(|c| c == '█'), "the margin of a code is bright");
        assert!(super::qr_code(&Secret::new("x".repeat(5000))).is_err());
    }
}
