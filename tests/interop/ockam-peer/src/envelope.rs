//! Requests and responses as the services around `ockam` exchange them, in hex.

use crate::node::{Result, wrong};
use ockam_core::api::{Request, Response};
use ockam_core::{Decodable, Encodable};

pub(crate) fn request(method: &str, path: &str, text: Option<&str>) -> Result<String> {
    let request = match method {
        "GET" => Request::get(path),
        "POST" => Request::post(path),
        "PUT" => Request::put(path),
        "DELETE" => Request::delete(path),
        "PATCH" => Request::patch(path),
        _ => return Err(wrong("no such method")),
    };
    Ok(hex::encode(match text {
        Some(text) => request.body(text.to_owned()).encode()?,
        None => request.encode()?,
    }))
}

pub(crate) fn understand(request: &[u8]) -> Result<String> {
    let (header, text) = Request::<String>::decode(request)?.into_parts();
    let method = header.method().ok_or_else(|| wrong("no method"))?;
    Ok(format!("{method} {} {}", header.path(), text.unwrap_or_default()).trim_end().to_owned())
}

pub(crate) fn grant(request: &[u8], text: &str) -> Result<String> {
    let (header, _) = Request::<String>::decode(request)?.into_parts();
    Ok(hex::encode(Response::ok().with_headers(&header).body(text.to_owned()).encode()?))
}

pub(crate) fn forbid(request: &[u8], text: &str) -> Result<String> {
    let (header, _) = Request::<String>::decode(request)?.into_parts();
    Ok(hex::encode(Response::forbidden(&header, text).encode()?))
}
