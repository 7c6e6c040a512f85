//! The passphrase of a key file: read from a file descriptor or asked on the terminal.
//!
//! Never from the command line or an environment variable, which other programs can read.

use std::{fmt, io, io::Read};

use age::secrecy::SecretString;
use postern_env::fs;
use zeroize::Zeroizing;

/// The longest passphrase, in bytes. Chosen: longer than anybody types, and bounded because it comes from outside.
pub const MAX_PASSPHRASE: usize = 4096;

/// A passphrase: UTF-8, 1 to [`MAX_PASSPHRASE`] bytes, wiped from memory when dropped and never shown by `Debug`.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

/// Why there is no passphrase.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PassphraseError {
    /// Nothing was given.
    #[error("The passphrase is empty. Give one with at least one character.")]
    Empty,
    /// More than [`MAX_PASSPHRASE`] bytes.
    #[error("The passphrase is longer than {MAX_PASSPHRASE} bytes. Choose a shorter one.")]
    TooLong,
    /// Bytes that are not UTF-8.
    #[error("The passphrase is not text in UTF-8. Choose one you can type.")]
    NotText,
    /// The two answers on the terminal differ.
    #[error("The two passphrases differ. Try again.")]
    Mismatch,
    /// The file descriptor cannot be read.
    #[error(
        "File descriptor {descriptor} cannot be read ({source}). Give an open one, as in `--passphrase-fd 3 3<file`."
    )]
    Descriptor {
        /// Its number.
        descriptor: u32,
        /// What the system said.
        source: io::Error,
    },
    /// There is no terminal to ask on.
    #[error("There is no terminal to ask for the passphrase ({source}). Give it with `--passphrase-fd N`.")]
    Terminal {
        /// What the system said.
        source: io::Error,
    },
}

impl PassphraseError {
    /// A stable name of the error for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "passphrase-empty",
            Self::TooLong => "passphrase-too-long",
            Self::NotText => "passphrase-not-text",
            Self::Mismatch => "passphrase-mismatch",
            Self::Descriptor { .. } => "passphrase-descriptor",
            Self::Terminal { .. } => "passphrase-terminal",
        }
    }
}

/// How often the terminal asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Once, to open a file.
    Once,
    /// Twice, to create one: with a typing error nobody could open it.
    Twice,
}

impl Passphrase {
    /// Takes a passphrase as it is.
    ///
    /// # Errors
    /// [`PassphraseError::Empty`], [`PassphraseError::TooLong`].
    pub fn new(text: impl Into<Zeroizing<String>>) -> Result<Self, PassphraseError> {
        let text = text.into();
        match text.len() {
            0 => Err(PassphraseError::Empty),
            1..=MAX_PASSPHRASE => Ok(Self(text)),
            _ => Err(PassphraseError::TooLong),
        }
    }

    /// Reads the passphrase from an open file descriptor of this process, up to its end; one newline at the end is not part of it.
    ///
    /// Blocks until the other side closes. A descriptor of a file is read from the file's beginning; a socket cannot be read.
    ///
    /// # Errors
    /// [`PassphraseError::Descriptor`] if it is not open, and on Windows always; `Empty`, `TooLong`, `NotText`.
    pub fn from_descriptor(descriptor: u32) -> Result<Self, PassphraseError> {
        // Using the number itself would need unsafe code; opening it by its path does not.
        let folder = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };
        fs::open(format!("{folder}/{descriptor}"))
            .and_then(read_bounded)
            .map_err(|source| PassphraseError::Descriptor { descriptor, source })
            .and_then(from_bytes)
    }

    /// Asks on the terminal without showing what is typed; blocks until it is answered.
    ///
    /// # Errors
    /// [`PassphraseError::Terminal`] if there is none, [`PassphraseError::Mismatch`]; `Empty`, `TooLong`.
    pub fn from_terminal(prompt: &str, ask: Ask) -> Result<Self, PassphraseError> {
        Self::asked(ask, prompt, |prompt| rpassword::prompt_password(prompt).map(Zeroizing::new))
    }

    /// The text, to be passed on.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    fn asked(
        ask: Ask,
        prompt: &str,
        mut answer: impl FnMut(&str) -> io::Result<Zeroizing<String>>,
    ) -> Result<Self, PassphraseError> {
        let mut answer = |prompt: &str| answer(prompt).map_err(|source| PassphraseError::Terminal { source });
        let passphrase = Self::new(answer(&format!("{prompt}: "))?)?;
        if ask == Ask::Twice && answer(&format!("{prompt}, once more: "))? != passphrase.0 {
            return Err(PassphraseError::Mismatch);
        }
        Ok(passphrase)
    }

    pub(crate) fn to_age(&self) -> SecretString {
        SecretString::from(self.0.as_str())
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// Reads one byte more than the longest passphrase with its newline, so that a longer one is noticed.
fn read_bounded(source: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    const LIMIT: usize = MAX_PASSPHRASE + "\r\n".len() + 1;
    // With spare capacity the buffer never grows and leaves no copies in freed memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LIMIT + 64));
    source.take(LIMIT as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Result<Passphrase, PassphraseError> {
    let line = bytes.strip_suffix(b"\r\n").or_else(|| bytes.strip_suffix(b"\n")).unwrap_or(&bytes);
    if line.len() > MAX_PASSPHRASE {
        return Err(PassphraseError::TooLong);
    }
    let text = std::str::from_utf8(line).map_err(|_| PassphraseError::NotText)?;
    Passphrase::new(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<String, &'static str> {
        let passphrase = read_bounded(bytes).map_err(|_| "io")?;
        from_bytes(passphrase).map(|passphrase| passphrase.0.to_string()).map_err(|error| error.code())
    }

    #[test]
    fn one_newline_at_the_end_is_stripped() {
        assert_eq!(read(b"open sesame").unwrap(), "open sesame");
        assert_eq!(read(b"open sesame\n").unwrap(), "open sesame");
        assert_eq!(read(b"open sesame\r\n").unwrap(), "open sesame");
        assert_eq!(read(b" two lines\n\n").unwrap(), " two lines\n");
    }

    #[test]
    fn empty_endless_and_binary_are_refused() {
        assert_eq!(read(b"").unwrap_err(), "passphrase-empty");
        assert_eq!(read(b"\n").unwrap_err(), "passphrase-empty");
        assert_eq!(read(b"\xff\xfe").unwrap_err(), "passphrase-not-text");
        let mut longest = vec![b'x'; MAX_PASSPHRASE];
        assert_eq!(read(&longest).unwrap().len(), MAX_PASSPHRASE);
        longest.extend(b"\r\n");
        assert_eq!(read(&longest).unwrap().len(), MAX_PASSPHRASE);
        assert_eq!(read(&[b'x'; MAX_PASSPHRASE + 1]).unwrap_err(), "passphrase-too-long");
        let endless = read_bounded(io::repeat(b'x')).unwrap();
        assert_eq!(from_bytes(endless).unwrap_err().code(), "passphrase-too-long");
    }

    #[cfg(unix)]
    #[test]
    fn a_descriptor_is_read_by_its_number() {
        use std::{io::Write, os::fd::AsRawFd};

        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"open sesame\n").unwrap();
        drop(writer);
        let number = u32::try_from(reader.as_raw_fd()).unwrap();
        assert_eq!(Passphrase::from_descriptor(number).unwrap().0.as_str(), "open sesame");
        assert_eq!(Passphrase::from_descriptor(999_999).unwrap_err().code(), "passphrase-descriptor");
    }

    #[test]
    fn creation_asks_twice() {
        let ask = |ask, answers: &[&str]| {
            let mut answers = answers.iter();
            let given = Passphrase::asked(ask, "Passphrase", |_| {
                let answer = answers.next().ok_or(io::ErrorKind::UnexpectedEof)?;
                Ok(Zeroizing::new((*answer).to_owned()))
            });
            given.map(|passphrase| passphrase.0.to_string()).map_err(|error| error.code())
        };
        assert_eq!(ask(Ask::Once, &["a"]), Ok("a".to_owned()));
        assert_eq!(ask(Ask::Twice, &["a", "a"]), Ok("a".to_owned()));
        assert_eq!(ask(Ask::Twice, &["a", "b"]), Err("passphrase-mismatch"));
        assert_eq!(ask(Ask::Once, &[""]), Err("passphrase-empty"));
        assert_eq!(ask(Ask::Once, &[]), Err("passphrase-terminal"));
    }

    #[test]
    fn debug_shows_nothing() {
        let passphrase = Passphrase::new("swordfish".to_owned()).unwrap();
        assert!(!format!("{passphrase:?}").contains("sword"));
    }
}
