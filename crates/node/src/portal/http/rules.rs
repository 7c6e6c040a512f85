//! Which requests an inlet accepts: the rules of [ADR 0017](../../../../../docs/decisions/0017-web-portals.md).

use super::RequestCheck;
use super::answer::InletAnswer;
use super::framing::once;
use httparse::Request;
use std::net::IpAddr;

/// The address that a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Authority<'a> {
    /// `host` or `host:port`, as in the header.
    pub(super) text: &'a str,
    /// The port, with its colon; empty if there is none.
    pub(super) port: &'a str,
    /// Whether it is the portal's own name, and not `localhost` or a loopback address.
    pub(super) is_own: bool,
}

/// Accepts a request; its address, or nothing for one of HTTP/1.0 without any.
///
/// # Errors
/// What is answered instead of passing it on.
pub(super) fn accept<'a>(
    check: &RequestCheck,
    request: &'a Request<'_, '_>,
) -> Result<Option<Authority<'a>>, InletAnswer> {
    check_target(request)?;
    let Some(authority) = authority(check, request)? else {
        // No browser sends such a request. One that came with an origin would be of a page.
        return match once(request, "origin")? {
            None => Ok(None),
            Some(_) => Err(InletAnswer::OtherSite),
        };
    };
    let is_navigation = is_top_level_navigation(request)?;
    if !is_navigation && !is_of_own_page(request, authority)? {
        return Err(InletAnswer::OtherSite);
    }
    if is_navigation && !authority.is_own {
        let target = request.path.unwrap_or("/");
        return Err(InletAnswer::Redirect(format!("http://{}{}{target}", check.host, authority.port)));
    }
    Ok(Some(authority))
}

/// A target that names a host would override the header (RFC 9112 §3.2.2), and only proxies get one.
fn check_target(request: &Request<'_, '_>) -> Result<(), InletAnswer> {
    match (request.method, request.path) {
        (Some("CONNECT"), Some(_)) => Ok(()),
        (Some("OPTIONS"), Some("*")) => Ok(()),
        (_, Some(path)) if path.starts_with('/') => Ok(()),
        _ => Err(InletAnswer::Malformed("its target is not a path: this portal is no proxy")),
    }
}

/// The address that the request is for.
fn authority<'a>(check: &RequestCheck, request: &'a Request<'_, '_>) -> Result<Option<Authority<'a>>, InletAnswer> {
    let Some(text) = once(request, "host")? else {
        return match request.version {
            Some(0) => Ok(None),
            _ => Err(InletAnswer::Malformed("it does not say which host it is for")),
        };
    };
    let text = std::str::from_utf8(text).map_err(|_| InletAnswer::OtherHost)?;
    // Of an IPv6 address the last colon is the port's only behind the bracket.
    let host = match text.rsplit_once(':') {
        Some((host, port)) if is_port(port) && (!host.contains(':') || host.ends_with(']')) => host,
        Some(_) if !text.ends_with(']') => return Err(InletAnswer::OtherHost),
        _ => text,
    };
    let (port, is_own) = (&text[host.len()..], host.eq_ignore_ascii_case(&check.host));
    let is_accepted = is_own || host.eq_ignore_ascii_case("localhost") || is_loopback(host);
    if is_accepted { Ok(Some(Authority { text, port, is_own })) } else { Err(InletAnswer::OtherHost) }
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

fn is_loopback(host: &str) -> bool {
    let address = match host.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        Some(v6) => v6.parse().map(IpAddr::V6),
        None => host.parse().map(IpAddr::V4),
    };
    address.is_ok_and(|address| address.is_loopback())
}

/// Whether the user opens a page in a window or tab of its own, by whatever link: the only request of another site that is
/// accepted. Pages cannot set these headers (Fetch Metadata), and GET changes nothing.
fn is_top_level_navigation(request: &Request<'_, '_>) -> Result<bool, InletAnswer> {
    Ok(matches!(request.method, Some("GET" | "HEAD"))
        && once(request, "sec-fetch-mode")? == Some(b"navigate")
        && once(request, "sec-fetch-dest")? == Some(b"document"))
}

/// Whether a page of this portal made the request, the user did, or a program other than a browser.
fn is_of_own_page(request: &Request<'_, '_>, authority: Authority<'_>) -> Result<bool, InletAnswer> {
    let origin = once(request, "origin")?;
    Ok(match once(request, "sec-fetch-site")? {
        Some(site) => matches!(site, b"same-origin" | b"none"),
        // Older browsers, every browser's WebSocket handshake, and programs.
        None => origin.is_none_or(|origin| is_origin_of(origin, authority)),
    })
}

/// Whether an `Origin` is that of the pages at this address.
pub(super) fn is_origin_of(origin: &[u8], authority: Authority<'_>) -> bool {
    origin.split_at_checked("http://".len()).is_some_and(|(scheme, rest)| {
        scheme.eq_ignore_ascii_case(b"http://") && rest.eq_ignore_ascii_case(authority.text.as_bytes())
    })
}
