//! Where a body in chunks ends (RFC 9112 §7.1). The bytes pass as they are; only their lengths are read.

use super::answer::InletAnswer;

/// Longest line with a chunk's size and its extensions, in bytes. Chosen: sizes have at most 16 digits, and extensions are
/// hardly used.
pub(super) const MAX_SIZE_LINE: usize = 256;
/// Largest trailer section, in bytes. Chosen: half of what Node.js accepts as a head.
pub(super) const MAX_TRAILERS: usize = 8 * 1024;

/// Reads the framing of one body.
#[derive(Debug, Default)]
pub(super) struct ChunkedBody {
    part: Part,
    /// The line read so far, for sizes and trailers.
    line: Vec<u8>,
    /// Bytes of trailers so far.
    trailers: usize,
}

#[derive(Debug, Default, Clone, Copy)]
enum Part {
    /// The line with a chunk's size.
    #[default]
    Size,
    /// The data of a chunk, as many bytes as are left.
    Data(u64),
    /// The line end behind a chunk's data.
    DataEnd,
    /// The trailers behind the last chunk, and the empty line that ends the body.
    Trailers,
    /// The body is complete.
    Done,
}

impl ChunkedBody {
    /// Reads on. Returns how many bytes belong to the body; fewer than there are only if it is complete.
    ///
    /// # Errors
    /// The framing is not exactly that of RFC 9112: services could disagree on where the body ends.
    pub(super) fn pass(&mut self, data: &[u8]) -> Result<usize, InletAnswer> {
        let mut at = 0;
        while at < data.len() && !self.is_done() {
            match self.part {
                Part::Data(left) => {
                    let here = usize::try_from(left).map_or(data.len() - at, |left| left.min(data.len() - at));
                    at += here;
                    let left = left - here as u64;
                    self.part = if left == 0 { Part::DataEnd } else { Part::Data(left) };
                }
                Part::Size | Part::DataEnd | Part::Trailers => {
                    self.on_line_byte(data[at])?;
                    at += 1;
                }
                Part::Done => {}
            }
        }
        Ok(at)
    }

    /// Whether the body is complete.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.part, Part::Done)
    }

    fn on_line_byte(&mut self, byte: u8) -> Result<(), InletAnswer> {
        self.line.push(byte);
        if self.line.len() > MAX_SIZE_LINE && matches!(self.part, Part::Size | Part::DataEnd) {
            return Err(InletAnswer::Malformed("a chunk's size is too long"));
        }
        if matches!(self.part, Part::Trailers) {
            self.trailers += 1;
            if self.trailers > MAX_TRAILERS {
                return Err(InletAnswer::TooLarge);
            }
        }
        let ends_in_cr = self.line.len() > 1 && self.line[self.line.len() - 2] == b'\r';
        match (byte, ends_in_cr) {
            (b'\n', true) => self.on_line(),
            (b'\n', false) | (_, true) => Err(InletAnswer::Malformed("a line of a chunked body does not end in CR LF")),
            _ => Ok(()),
        }
    }

    /// A line is complete, with its line end.
    fn on_line(&mut self) -> Result<(), InletAnswer> {
        let line = std::mem::take(&mut self.line);
        self.part = match self.part {
            Part::Size => match size(&line)? {
                0 => Part::Trailers,
                size => Part::Data(size),
            },
            Part::DataEnd if line.len() == 2 => Part::Size,
            Part::DataEnd => return Err(InletAnswer::Malformed("a chunk is longer than its size")),
            Part::Trailers if line.len() == 2 => Part::Done,
            // A trailer must not become a part of the head (RFC 9110 §6.5.1): those that services take for framing are refused.
            Part::Trailers => check_trailer(&line).map(|()| Part::Trailers)?,
            Part::Data(_) | Part::Done => self.part,
        };
        Ok(())
    }
}

/// A chunk's size. Stricter than `httparse`, which accepts spaces behind the digits: some servers do not.
fn size(line: &[u8]) -> Result<u64, InletAnswer> {
    let malformed = InletAnswer::Malformed("a chunk's size is not a hexadecimal number");
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if digits == 0 || !matches!(line.get(digits), Some(b';' | b'\r')) {
        return Err(malformed);
    }
    match httparse::parse_chunk_size(line) {
        Ok(httparse::Status::Complete((_, size))) => Ok(size),
        _ => Err(malformed),
    }
}

fn check_trailer(line: &[u8]) -> Result<(), InletAnswer> {
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    let is_framing = |it: &str| name.eq_ignore_ascii_case(it.as_bytes());
    if name.len() == line.len() || name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        return Err(InletAnswer::Malformed("a trailer is not a header"));
    }
    if ["transfer-encoding", "content-length", "host"].into_iter().any(is_framing) {
        return Err(InletAnswer::Malformed("a trailer says where the body ends"));
    }
    Ok(())
}

/// Whether a byte may be in a header's name (RFC 9110 §5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
