//! Invitation links: reading one without exposing it to other programs, and showing it as a QR code.

use anyhow::{Context, Result, bail};
use postern_engine::api::Secret;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use std::io::{BufRead, IsTerminal, Read, Write};
use zeroize::Zeroizing;

/// Longest link that is read, in bytes: as much as the engine accepts as pasted text.
const MAX_LINK: u64 = 16 * 1024;

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
        let stdin = std::io::stdin();
        if stdin.is_terminal() {
            let mut err = std::io::stderr();
            write!(err, "Invitation link: ")?;
            err.flush()?;
        }
        let mut line = Zeroizing::new(String::new());
        stdin.lock().take(MAX_LINK).read_line(&mut line).context("Failed to read the link")?;
        if line.trim().is_empty() {
            bail!("no link was given");
        }
        Ok(Secret::new(line.trim()))
    })
    .await?
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

    #[test]
    fn a_link_becomes_a_picture_with_a_margin() {
        let code = qr_code(&Secret::new("postern://join/".to_owned() + &"x".repeat(300))).unwrap();
        let lines: Vec<&str> = code.lines().collect();
        assert!(lines.len() > 20 && lines.iter().all(|line| line.chars().count() == lines[0].chars().count()));
        assert!(lines[0].chars().all(|c| c == '█'), "the margin of a code is bright");
        assert!(super::qr_code(&Secret::new("x".repeat(5000))).is_err());
    }
}
