//! The requests on one connection, as a state machine: what may be sent on, and what waits until a head is complete.

use super::RequestCheck;
use super::answer::InletAnswer;
use super::framing::BodyFraming;
use super::head::{self, MAX_HEAD};
use super::page::AnswerForm;
use crate::portal::message::EndReason;
use postern_env::time::Duration;

/// Bytes that are read at once while a head is awaited: what of a body comes with it is copied once more.
pub(in super::super) const HEAD_READ: usize = 16 * 1024;
/// Longest method, in bytes. Chosen: registered ones have up to 17.
const MAX_METHOD: usize = 64;
/// How a connection begins on which the client speaks HTTP/2 without asking (RFC 9113 §3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Checks the requests on one connection.
#[derive(Debug)]
pub(in super::super) struct RequestGuard {
    check: RequestCheck,
    state: State,
    /// Received, and not checked yet.
    unchecked: Vec<u8>,
    /// How many bytes of `unchecked` were searched for the end of a head, and have none.
    searched: usize,
    /// A head that was checked, as it is sent on, and how much of it was.
    checked: Vec<u8>,
    taken: usize,
    /// Whether a head was passed on.
    is_used: bool,
    /// Which form of an answer the client of the last complete head takes; nothing before, and for other protocols.
    form: Option<AnswerForm>,
    /// What is answered once everything before it was taken. Nothing is checked any more then.
    refused: Option<InletAnswer>,
}

#[derive(Debug)]
enum State {
    Head,
    InBody(BodyFraming),
}

impl RequestGuard {
    /// At the beginning of a connection.
    pub(super) fn new(check: RequestCheck) -> Self {
        Self {
            check,
            state: State::Head,
            unchecked: Vec::new(),
            searched: 0,
            checked: Vec::new(),
            taken: 0,
            is_used: false,
            form: None,
            refused: None,
        }
    }

    /// How long a head may take from its first byte.
    pub(in super::super) fn head_timeout(&self) -> Duration {
        self.check.head_timeout
    }

    /// Whether it waits for more of a head that has begun.
    pub(in super::super) fn is_within_head(&self) -> bool {
        matches!(self.state, State::Head) && !self.unchecked.is_empty() && !self.has_next()
    }

    /// Whether bytes that are received now belong to a body, so that [`pass`](Self::pass) takes them where they lie.
    pub(in super::super) fn is_within_body(&self) -> bool {
        matches!(self.state, State::InBody(_)) && !self.has_next()
    }

    /// Whether [`next`](Self::next) has bytes to send, or an answer, without more being received.
    pub(in super::super) fn has_next(&self) -> bool {
        self.taken < self.checked.len()
            || self.refused.is_some()
            || (!self.unchecked.is_empty() && matches!(self.state, State::InBody(_)))
    }

    /// Takes received bytes while a head is awaited.
    pub(in super::super) fn receive(&mut self, data: &[u8]) {
        self.unchecked.extend_from_slice(data);
        self.advance();
    }

    /// Takes received bytes of a body. Returns how many may be sent on, from the first; the rest is kept.
    ///
    /// # Errors
    /// The body's framing is malformed.
    pub(in super::super) fn pass(&mut self, data: &[u8]) -> Result<usize, InletAnswer> {
        let passed = self.pass_body(data)?;
        self.unchecked.extend_from_slice(&data[passed..]);
        self.advance();
        Ok(passed)
    }

    /// Moves what may be sent on into `room`: at most as much as fits. Returns how much it is.
    ///
    /// # Errors
    /// What is answered instead of passing the next request on. Everything before it was taken.
    pub(in super::super) fn next(&mut self, room: &mut [u8]) -> Result<usize, InletAnswer> {
        let head = &self.checked[self.taken..];
        if !head.is_empty() {
            let count = head.len().min(room.len());
            room[..count].copy_from_slice(&head[..count]);
            self.taken += count;
            if self.taken == self.checked.len() {
                (self.checked, self.taken) = (Vec::new(), 0);
                self.advance();
            }
            return Ok(count);
        }
        if let Some(answer) = self.refused.take() {
            return Err(answer);
        }
        let data = std::mem::take(&mut self.unchecked);
        let passed = self.pass_body(&data[..data.len().min(room.len())])?;
        room[..passed].copy_from_slice(&data[..passed]);
        self.unchecked = data[passed..].to_vec();
        self.advance();
        Ok(passed)
    }

    /// Whether a complete head of HTTP/1 has come.
    pub(super) fn is_http(&self) -> bool {
        self.form.is_some()
    }

    /// Which form of an answer the client takes.
    pub(in super::super) fn form(&self) -> AnswerForm {
        self.form.unwrap_or_default()
    }

    /// What is answered to the first request, which was accepted, when it cannot be carried to the service: the reason why its stream
    /// was not opened, or nothing if the other side is not connected. Nothing for other protocols than HTTP/1.
    pub(in super::super) fn unavailable(&self, reason: Option<EndReason>) -> Option<InletAnswer> {
        self.form?;
        Some(InletAnswer::Unavailable(self.check.description.get(reason)))
    }

    /// How many bytes the first head has: so far, or in all once it was checked.
    pub(super) fn head_len(&self) -> usize {
        if self.checked.is_empty() { self.unchecked.len() } else { self.checked.len() }
    }

    /// What is answered to the first request, if it was not accepted.
    pub(super) fn take_answer(&mut self) -> Option<InletAnswer> {
        self.refused.take_if(|_| self.checked.is_empty())
    }

    fn pass_body(&mut self, data: &[u8]) -> Result<usize, InletAnswer> {
        let State::InBody(body) = &mut self.state else { return Ok(0) };
        let (passed, is_done) = match body {
            BodyFraming::Opaque => (data.len(), false),
            BodyFraming::Length(left) => {
                let passed = usize::try_from(*left).map_or(data.len(), |left| left.min(data.len()));
                *left -= passed as u64;
                (passed, *left == 0)
            }
            BodyFraming::Chunked(chunks) => (chunks.pass(data)?, chunks.is_done()),
        };
        if is_done {
            self.state = State::Head;
        }
        Ok(passed)
    }

    /// Checks the next head if it is complete, and the one before was taken.
    fn advance(&mut self) {
        if matches!(self.state, State::Head) && self.checked.is_empty() && self.refused.is_none() {
            self.refused = self.check_head().err();
        }
    }

    fn check_head(&mut self) -> Result<(), InletAnswer> {
        self.skip_empty_lines();
        if !self.is_used && self.begins_http2() {
            if self.unchecked.len() >= HTTP2_PREFACE.len() {
                (self.is_used, self.state) = (true, State::InBody(BodyFraming::Opaque));
            }
            return Ok(());
        }
        let found = head::end(&self.unchecked, self.searched);
        head::check_line_ends(&self.unchecked[..found.unwrap_or(self.unchecked.len())], self.searched)?;
        let Some(end) = found.filter(|end| *end <= MAX_HEAD) else {
            self.searched = self.unchecked.len();
            return if self.searched > MAX_HEAD { Err(InletAnswer::TooLarge) } else { self.check_beginning() };
        };
        let (head, body) = head::check(&self.check, &self.unchecked[..end], &mut self.form)?;
        self.unchecked.drain(..end);
        (self.searched, self.checked, self.taken, self.is_used) = (0, head, 0, true);
        self.state = match body {
            BodyFraming::Length(0) => State::Head,
            body => State::InBody(body),
        };
        Ok(())
    }

    /// Clients of old send an empty line behind a body, and servers skip it (RFC 9112 §2.2).
    fn skip_empty_lines(&mut self) {
        while self.unchecked.starts_with(b"\r\n") {
            self.unchecked.drain(..2);
            self.searched = 0;
        }
    }

    /// Whether the connection begins, as far as it goes, as HTTP/2 does. No browser speaks that without TLS, and a page
    /// cannot make one send this.
    fn begins_http2(&self) -> bool {
        let count = self.unchecked.len().min(HTTP2_PREFACE.len());
        // Less could be the beginning of another method.
        count >= 4 && self.unchecked[..count] == HTTP2_PREFACE[..count]
    }

    /// Refuses at once what cannot become a head, such as the first bytes of TLS, instead of waiting for its end.
    fn check_beginning(&self) -> Result<(), InletAnswer> {
        let method = self.unchecked.iter().take_while(|byte| super::chunked::is_token(**byte)).count();
        match self.unchecked.get(method) {
            None if method <= MAX_METHOD => Ok(()),
            Some(b' ') if method > 0 && method <= MAX_METHOD => Ok(()),
            Some(b'\r') if method == 0 && self.unchecked.len() == 1 => Ok(()),
            _ => Err(InletAnswer::Malformed("it is not HTTP/1.1")),
        }
    }
}
