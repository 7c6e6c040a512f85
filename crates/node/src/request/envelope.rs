//! The envelope: BARE `data` that holds a CBOR header directly followed by the body.

use crate::message::{DecodeError, Message};
use crate::wire::bare;
use bytes::Bytes;
use minicbor::{Decoder, Encoder};
use postern_env::random;
use rand::Rng;

/// Longest path, and longest reason that is read from a refusal, in bytes. Chosen: longer than any path of `ockam`.
pub const PATH_MAX: usize = 1_024;
/// How deep other values of a header may be nested, and how many it may have, before it is refused.
const ENTRIES_MAX: u64 = 16;

/// What is to be done with the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read it.
    Get,
    /// Give it something to do.
    Post,
    /// Replace it.
    Put,
    /// Remove it.
    Delete,
    /// Change it.
    Patch,
}

impl Method {
    const ALL: [Self; 5] = [Self::Get, Self::Post, Self::Put, Self::Delete, Self::Patch];

    fn read(decoder: &mut Decoder<'_>) -> Option<Self> {
        Self::ALL.get(usize::from(decoder.u8().ok()?)).copied()
    }
}

/// How a request ended; the codes are those of HTTP (RFC 9110 §15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Status {
    /// It was done.
    Ok = 200,
    /// It makes no sense.
    BadRequest = 400,
    /// Who asks is not known.
    Unauthorized = 401,
    /// Who asks may not.
    Forbidden = 403,
    /// There is no such path.
    NotFound = 404,
    /// The path has no such method.
    MethodNotAllowed = 405,
    /// The service waited too long for something.
    RequestTimeout = 408,
    /// It contradicts what is there.
    Conflict = 409,
    /// The service failed.
    InternalServerError = 500,
    /// The service cannot do this.
    NotImplemented = 501,
}

impl Status {
    const ALL: [Self; 10] = [
        Self::Ok,
        Self::BadRequest,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::Conflict,
        Self::InternalServerError,
        Self::NotImplemented,
    ];

    /// Its number.
    pub fn code(self) -> u16 {
        self as u16
    }

    fn read(decoder: &mut Decoder<'_>) -> Option<Self> {
        let code = decoder.u16().ok()?;
        Self::ALL.into_iter().find(|status| status.code() == code)
    }
}

/// A request, as it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    id: u32,
    method: Method,
    path: String,
    body: Option<Bytes>,
}

impl Request {
    /// A request without a body. A path longer than [`PATH_MAX`] is refused by Postern's services.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self { id: random::rng().random_range(1..=u32::MAX), method, path: path.into(), body: None }
    }

    /// A GET request.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::Get, path)
    }

    /// A POST request.
    pub fn post(path: impl Into<String>) -> Self {
        Self::new(Method::Post, path)
    }

    /// A PUT request.
    pub fn put(path: impl Into<String>) -> Self {
        Self::new(Method::Put, path)
    }

    /// A DELETE request.
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::Delete, path)
    }

    /// A PATCH request.
    pub fn patch(path: impl Into<String>) -> Self {
        Self::new(Method::Patch, path)
    }

    /// The same with a body.
    #[must_use]
    pub fn with_body(mut self, body: impl Message) -> Self {
        self.body = Some(body.encode());
        self
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// What is to be done.
    pub fn method(&self) -> Method {
        self.method
    }

    /// With what.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The body's bytes.
    pub fn body(&self) -> Option<&Bytes> {
        self.body.as_ref()
    }

    /// Reads the body; no body is an empty one.
    ///
    /// # Errors
    /// It is of another type.
    pub fn body_as<T: Message>(&self) -> Result<T, DecodeError> {
        T::decode(self.body.clone().unwrap_or_default())
    }
}

impl Message for Request {
    fn encode(self) -> Bytes {
        let (id, path, method) = (self.id, self.path, self.method as u8);
        encode(self.body.as_ref(), |header| {
            header.u8(1)?.u32(id)?.u8(2)?.str(&path)?.u8(3)?.u8(method)?;
            Ok(())
        })
    }

    fn decode(payload: Bytes) -> Result<Self, DecodeError> {
        let (mut id, mut path, mut method) = (None, None, None);
        let body = decode(&payload, |key, value| {
            match key {
                1 => id = Some(value.u32().ok()?),
                2 => path = Some(value.str().ok().filter(|path| path.len() <= PATH_MAX)?.to_owned()),
                3 => method = Some(Method::read(value)?),
                _ => value.skip().ok()?,
            }
            Some(())
        });
        let read = || Some(Self { id: id?, method: method?, path: path?, body: body? });
        read().ok_or_else(DecodeError::of::<Self>)
    }
}

/// A response, as it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    id: u32,
    answers: u32,
    status: Status,
    body: Option<Bytes>,
}

impl Response {
    pub(super) fn new(answers: u32, status: Status, body: Option<Bytes>) -> Self {
        Self { id: random::rng().random_range(1..=u32::MAX), answers, status, body }
    }

    /// The id of the request that it answers.
    pub(super) fn answers(&self) -> u32 {
        self.answers
    }

    /// How the request ended.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The body's bytes.
    pub fn body(&self) -> Option<&Bytes> {
        self.body.as_ref()
    }

    /// Reads the body; no body is an empty one.
    ///
    /// # Errors
    /// It is of another type.
    pub fn body_as<T: Message>(&self) -> Result<T, DecodeError> {
        T::decode(self.body.clone().unwrap_or_default())
    }

    /// Why the request was refused: the body of a refusal is a map, or a text.
    pub(super) fn reason(&self) -> Option<String> {
        let body = self.body.as_ref()?;
        let reason = read_reason(body).or_else(|| String::decode(body.clone()).ok())?;
        Some(reason).filter(|reason| reason.len() <= PATH_MAX)
    }
}

impl Message for Response {
    fn encode(self) -> Bytes {
        let (id, answers, status) = (self.id, self.answers, self.status.code());
        encode(self.body.as_ref(), |header| {
            header.u8(1)?.u32(id)?.u8(2)?.u32(answers)?.u8(3)?.u16(status)?;
            Ok(())
        })
    }

    fn decode(payload: Bytes) -> Result<Self, DecodeError> {
        let (mut id, mut answers, mut status) = (None, None, None);
        let body = decode(&payload, |key, value| {
            match key {
                1 => id = Some(value.u32().ok()?),
                2 => answers = Some(value.u32().ok()?),
                3 => status = Some(Status::read(value)?),
                _ => value.skip().ok()?,
            }
            Some(())
        });
        let read = || Some(Self { id: id?, answers: answers?, status: status?, body: body? });
        read().ok_or_else(DecodeError::of::<Self>)
    }
}

type Encoded = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

/// A header of three entries and whether there is a body, then the body.
fn encode(body: Option<&Bytes>, entries: impl FnOnce(&mut Encoder<&mut Vec<u8>>) -> Encoded) -> Bytes {
    let mut content = Vec::new();
    let mut header = Encoder::new(&mut content);
    // Writing to memory does not fail.
    let _ = header.map(4).map(drop);
    let _ = entries(&mut header);
    let _ = header.u8(4).and_then(|header| header.bool(body.is_some())).map(drop);
    content.extend_from_slice(body.map_or(&[], |body| &body[..]));
    let mut payload = Vec::with_capacity(content.len() + bare::MAX_UINT);
    bare::push_data(&mut payload, &content);
    payload.into()
}

/// Reads the header's entries but the fourth; the body, if that says that there is one.
#[expect(clippy::option_option, reason = "no envelope, and an envelope without a body")]
fn decode(payload: &Bytes, mut entry: impl FnMut(u8, &mut Decoder<'_>) -> Option<()>) -> Option<Option<Bytes>> {
    let (content, rest) = bare::read_data(payload)?;
    if !rest.is_empty() {
        return None;
    }
    let mut decoder = Decoder::new(content);
    let entries = decoder.map().ok().flatten().filter(|entries| *entries <= ENTRIES_MAX)?;
    let mut has_body = None;
    for _ in 0..entries {
        match decoder.u8().ok()? {
            4 => has_body = Some(decoder.bool().ok()?),
            key => entry(key, &mut decoder)?,
        }
    }
    let body = payload.slice_ref(&content[decoder.position()..]);
    Some(if has_body? { Some(body) } else { None })
}

/// The body of a refusal: a map of path, method and message.
pub(super) fn encode_reason(request: &Request, reason: &str) -> Bytes {
    let mut body = Vec::new();
    let mut encoder = Encoder::new(&mut body);
    let mut write = || -> Encoded {
        encoder.map(3)?.u8(1)?.str(&request.path)?.u8(2)?.u8(request.method as u8)?.u8(3)?.str(reason)?;
        Ok(())
    };
    // Writing to memory does not fail.
    let _ = write();
    body.into()
}

fn read_reason(body: &[u8]) -> Option<String> {
    let mut decoder = Decoder::new(body);
    for _ in 0..decoder.map().ok().flatten().filter(|entries| *entries <= ENTRIES_MAX)? {
        match decoder.u8().ok()? {
            3 => return decoder.str().ok().map(str::to_owned),
            _ => decoder.skip().ok()?,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(hex: &str) -> Bytes {
        hex::decode(hex.replace(' ', "")).unwrap().into()
    }

    /// The examples of `docs/wire.md` §5.2.
    #[test]
    fn snapshots() {
        let request = |method, body| Request { id: 7, method, path: "/".into(), body };
        let hello = Some("hello".encode());
        let response = |status, body| Response { id: 8, answers: 7, status, body };
        let refused = encode_reason(&request(Method::Post, None), "no");
        for (hex, message) in [
            ("0a a4 01 07 02 61 2f 03 01 04 f4", request(Method::Post, None)),
            ("10 a4 01 07 02 61 2f 03 02 04 f5 05 68656c6c6f", request(Method::Put, hello.clone())),
        ] {
            assert_eq!(message.clone().encode(), bytes(hex));
            assert_eq!(Request::decode(bytes(hex)), Ok(message));
        }
        for (hex, message) in [
            ("10 a4 01 08 02 07 03 18c8 04 f5 05 68656c6c6f", response(Status::Ok, hello)),
            (
                "15 a4 01 08 02 07 03 190193 04 f5 a3 01 61 2f 02 01 03 62 6e6f",
                response(Status::Forbidden, Some(refused)),
            ),
        ] {
            assert_eq!(message.clone().encode(), bytes(hex));
            assert_eq!(Response::decode(bytes(hex)), Ok(message));
        }
    }

    #[test]
    fn the_reason_of_a_refusal_is_a_map_or_a_text() {
        let refused = |body| Response::new(7, Status::Conflict, Some(body)).reason();
        assert_eq!(refused(encode_reason(&Request::get("/"), "taken")).as_deref(), Some("taken"));
        assert_eq!(refused("taken".encode()).as_deref(), Some("taken"));
        assert_eq!(refused(Bytes::from_static(&[0xff])), None);
        assert_eq!(refused("x".repeat(PATH_MAX + 1).encode()), None);
    }

    #[test]
    fn what_is_incomplete_or_too_long_is_refused() {
        for hex in [
            "",
            "00",
            "01 a0",
            "08 a3 02 61 2f 03 01 04 f4",
            "0a a4 01 07 02 61 2f 03 05 04 f4",
            "0a a4 01 07 02 61 2f 03 01 04",
        ] {
            assert!(Request::decode(bytes(hex)).is_err(), "{hex}");
        }
        assert!(Request::decode(Request::get("x".repeat(PATH_MAX)).encode()).is_ok());
        assert!(Request::decode(Request::get("x".repeat(PATH_MAX + 1)).encode()).is_err());
    }

    proptest! {
        #[test]
        fn round_trip(method in 0..5usize, path in ".{0,40}", body: Option<Vec<u8>>, status in 0..10usize) {
            let mut request = Request::new(Method::ALL[method], path);
            request.body = body.map(Bytes::from);
            let response = Response::new(request.id, Status::ALL[status], request.body.clone());
            prop_assert_eq!(Request::decode(request.clone().encode()), Ok(request));
            prop_assert_eq!(Response::decode(response.clone().encode()), Ok(response));
        }

        #[test]
        fn hostile_input_is_only_refused(data: Vec<u8>) {
            let mut framed = Vec::new();
            bare::push_data(&mut framed, &data);
            for payload in [Bytes::from(data), Bytes::from(framed)] {
                let _ = (Request::decode(payload.clone()), Response::decode(payload.clone()), read_reason(&payload));
            }
        }
    }
}
