//! One request head: found, parsed, checked, and written as the service expects it.

use super::RequestCheck;
use super::answer::InletAnswer;
use super::framing::{BodyFraming, body_of, once};
use super::page::AnswerForm;
use super::rules::{self, Authority};
use httparse::{EMPTY_HEADER, Request, Status};

/// Largest head, in bytes: that of Tornado, on which Jupyter runs; other servers accept 8 to 32 KiB.
pub(super) const MAX_HEAD: usize = 64 * 1024;
/// Most headers of one request. Chosen: servers accept about 100.
pub(super) const MAX_HEADERS: usize = 128;

/// Where the head ends that these bytes begin with, the empty line included. The first `searched` bytes hold no end.
pub(super) fn end(bytes: &[u8], searched: usize) -> Option<usize> {
    // The end may have begun in what was searched before.
    let from = searched.saturating_sub(3);
    bytes[from..].windows(4).position(|window| window == b"\r\n\r\n").map(|at| from + at + 4)
}

/// Checks a head that is complete. Returns it as it is sent on, and what follows it; `form` becomes that of an answer to it, also if
/// it is refused by the rules.
///
/// # Errors
/// What is answered instead of passing it on.
pub(super) fn check(
    check: &RequestCheck,
    head: &[u8],
    form: &mut Option<AnswerForm>,
) -> Result<(Vec<u8>, BodyFraming), InletAnswer> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = Request::new(&mut headers);
    match request.parse(head) {
        Ok(Status::Complete(len)) if len == head.len() => {}
        Ok(_) => return Err(InletAnswer::Malformed("its head does not end where it should")),
        Err(httparse::Error::TooManyHeaders) => return Err(InletAnswer::TooLarge),
        Err(_) => return Err(InletAnswer::Malformed("it is not HTTP/1.1")),
    }
    *form = Some(AnswerForm::of(&request));
    let body = body_of(&request)?;
    let authority = rules::accept(check, &request)?;
    let rewritten = match authority.filter(|it| it.is_own) {
        Some(authority) => as_on_localhost(head, &request, authority)?,
        None => head.to_vec(),
    };
    Ok((rewritten, body))
}

/// Refuses line ends other than CR LF, which some servers read as such; the first `searched` bytes have none. The bytes may end
/// anywhere.
pub(super) fn check_line_ends(bytes: &[u8], searched: usize) -> Result<(), InletAnswer> {
    let is_bare = |at: usize| match bytes[at] {
        b'\n' => at == 0 || bytes[at - 1] != b'\r',
        b'\r' => bytes.get(at + 1).is_some_and(|next| *next != b'\n'),
        _ => false,
    };
    // The last byte that was searched may have been the CR of a line end.
    match (searched.saturating_sub(1)..bytes.len()).any(is_bare) {
        true => Err(InletAnswer::Malformed("a line of its head does not end in CR LF")),
        false => Ok(()),
    }
}

/// The head with `localhost` in place of the portal's own name, where the name says where the request is for or from. So a
/// service that accepts only `localhost` (Jupyter) works, and sees no other host than before.
fn as_on_localhost(head: &[u8], request: &Request<'_, '_>, authority: Authority<'_>) -> Result<Vec<u8>, InletAnswer> {
    let name_len = authority.text.len() - authority.port.len();
    let mut names = vec![offset(head, authority.text.as_bytes())];
    if let Some(origin) = once(request, "origin")?.filter(|it| rules::is_origin_of(it, authority)) {
        names.push(offset(head, origin) + "http://".len());
    }
    if let Some(referer) = once(request, "referer")?.filter(|it| is_below(it, authority)) {
        names.push(offset(head, referer) + "http://".len());
    }
    names.sort_unstable();
    let mut rewritten = Vec::with_capacity(head.len());
    let mut at = 0;
    for name in names {
        rewritten.extend_from_slice(&head[at..name]);
        rewritten.extend_from_slice(b"localhost");
        at = name + name_len;
    }
    rewritten.extend_from_slice(&head[at..]);
    Ok(rewritten)
}

/// Whether a `Referer` is a page at this address.
fn is_below(referer: &[u8], authority: Authority<'_>) -> bool {
    let len = "http://".len() + authority.text.len();
    referer.split_at_checked(len).is_some_and(|(origin, rest)| {
        rules::is_origin_of(origin, authority) && matches!(rest.first(), None | Some(b'/' | b'?' | b'#'))
    })
}

/// Where in the head a value that was parsed from it begins.
fn offset(head: &[u8], value: &[u8]) -> usize {
    value.as_ptr() as usize - head.as_ptr() as usize
}
