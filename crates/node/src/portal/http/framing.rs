//! What follows a head: nothing, a body of a known length, chunks, or another protocol (RFC 9112 §6).

use super::answer::InletAnswer;
use super::chunked::ChunkedBody;
use httparse::Request;

/// What follows a head.
#[derive(Debug)]
pub(super) enum BodyFraming {
    /// So many bytes, 0 included.
    Length(u64),
    /// Chunks.
    Chunked(ChunkedBody),
    /// Another protocol, until the end of the connection: after an upgrade or CONNECT.
    Opaque,
}

/// What follows this head.
///
/// # Errors
/// Services could disagree on it: two lengths, a length beside chunks, an encoding whose end is not marked.
pub(super) fn body_of(request: &Request<'_, '_>) -> Result<BodyFraming, InletAnswer> {
    let length = once(request, "content-length")?;
    let encoding = once(request, "transfer-encoding")?;
    let body = match (length, encoding) {
        (Some(_), Some(_)) => return Err(InletAnswer::Malformed("it gives both a length and an encoding of its body")),
        (Some(length), None) => BodyFraming::Length(decimal(length)?),
        (None, Some(encoding)) if !encoding.eq_ignore_ascii_case(b"chunked") => {
            return Err(InletAnswer::Malformed("its body has an encoding other than chunked"));
        }
        (None, Some(_)) if request.version == Some(0) => {
            return Err(InletAnswer::Malformed("an HTTP/1.0 request has no chunks"));
        }
        (None, Some(_)) => BodyFraming::Chunked(ChunkedBody::default()),
        (None, None) => BodyFraming::Length(0),
    };
    // Whether the service accepts the upgrade is not waited for. Only clients that can set `Connection` ask for one, and a
    // browser asks for a WebSocket only, on a connection of its own.
    Ok(if request.method == Some("CONNECT") || asks_for_upgrade(request) { BodyFraming::Opaque } else { body })
}

/// The value of a header that may be there once.
///
/// # Errors
/// It is there more than once.
pub(super) fn once<'a>(request: &'a Request<'_, '_>, name: &str) -> Result<Option<&'a [u8]>, InletAnswer> {
    let mut values = request.headers.iter().filter(|it| it.name.eq_ignore_ascii_case(name)).map(|it| it.value);
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(InletAnswer::Malformed("a header that may be there once is there twice")),
        (value, None) => Ok(value),
    }
}

fn decimal(text: &[u8]) -> Result<u64, InletAnswer> {
    let text = std::str::from_utf8(text).unwrap_or_default();
    // `parse` alone would accept a sign.
    let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    number.ok_or(InletAnswer::Malformed("the length of its body is not a number"))
}

fn asks_for_upgrade(request: &Request<'_, '_>) -> bool {
    let is = |name: &'static str| move |it: &&httparse::Header<'_>| it.name.eq_ignore_ascii_case(name);
    let tokens = request.headers.iter().filter(is("connection")).flat_map(|it| it.value.split(|byte| *byte == b','));
    let mut tokens = tokens.map(<[u8]>::trim_ascii);
    tokens.any(|token| token.eq_ignore_ascii_case(b"upgrade")) && request.headers.iter().any(|it| is("upgrade")(&it))
}
