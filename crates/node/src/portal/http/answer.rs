//! What an inlet answers itself, instead of passing a request on.

use super::page::{AnswerForm, Page};
use super::unavailable::Unavailable;

/// An answer of the inlet's own. The connection is closed behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum InletAnswer {
    /// The request names a host that is not this portal: DNS rebinding, or an address typed wrongly.
    OtherHost,
    /// A page of another site made the request.
    OtherSite,
    /// The request can be read in more than one way, or not at all; what is wrong with it.
    Malformed(&'static str),
    /// The head is larger than it may be.
    TooLarge,
    /// The head did not come in time.
    TooSlow,
    /// The browser is sent to the portal's own address.
    Redirect(String),
    /// The request was accepted, and cannot be carried to the service.
    Unavailable(Unavailable),
}

const OTHER_HOST: &[&str] = &[
    "Postern refused this request: it is addressed to another host than this portal.",
    "Web sites use such requests to reach programs on your computer (DNS rebinding).\n\
     Open the address that Postern shows for the portal. If a program of your own needs another name,\n\
     switch the browser check of this portal off in Postern.",
];
const OTHER_SITE: &[&str] = &[
    "Postern refused this request: a page of another site made it.",
    "A site may link to this portal, but not send it forms or read from it.\n\
     Open the address that Postern shows for the portal. If that site is yours and needs access,\n\
     switch the browser check of this portal off in Postern.",
];
const TOO_LARGE: &[&str] = &[
    "Postern refused this request: its headers are too large.",
    "Delete the cookies of this portal in your browser, or switch its browser check off in Postern.",
];
const MALFORMED: &str = "This portal carries HTTP/1.1. If the service speaks something else, ask its owner to share it as TCP,\n\
     or switch the browser check of this portal off in Postern.";

impl InletAnswer {
    /// What it is, for logs: nothing of the request.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::OtherHost => "refused: for another host",
            Self::OtherSite => "refused: by another site",
            Self::Malformed(_) => "refused: malformed",
            Self::TooLarge => "refused: head too large",
            Self::TooSlow => "refused: head too slow",
            Self::Redirect(_) => "redirected to the portal's own name",
            Self::Unavailable(_) => "not available",
        }
    }

    /// The response as it is sent, in the form that the client takes.
    ///
    /// A refusal holds nothing of the requester's own text, and names neither service nor owner: with DNS rebinding a strange page
    /// reads it. Only a request that was accepted learns the names, in [`Self::Unavailable`].
    pub(super) fn response(&self, form: AnswerForm) -> Vec<u8> {
        let plain = AnswerForm { is_page: false, ..form };
        match self {
            Self::OtherHost => response("403 Forbidden", "", &refusal(OTHER_HOST), form),
            Self::OtherSite => response("403 Forbidden", "", &refusal(OTHER_SITE), form),
            Self::Malformed(what) => {
                let first = format!("Postern cannot check this request: {what}.");
                response("400 Bad Request", "", &refusal(&[first.as_str(), MALFORMED]), plain)
            }
            Self::TooLarge => response("431 Request Header Fields Too Large", "", &refusal(TOO_LARGE), plain),
            Self::TooSlow => {
                let sentence = "Postern closed this connection: no request came in time.";
                response("408 Request Timeout", "", &refusal(&[sentence]), plain)
            }
            Self::Redirect(location) => {
                let (header, sentence) = (format!("Location: {location}\r\n"), format!("This portal is at {location}"));
                response("307 Temporary Redirect", &header, &refusal(&[sentence.as_str()]), plain)
            }
            Self::Unavailable(unavailable) => unavailable_response(unavailable, form),
        }
    }
}

fn refusal<'a>(paragraphs: &'a [&'a str]) -> Page<'a> {
    Page { title: "Request refused", paragraphs, refresh: None }
}

fn unavailable_response(unavailable: &Unavailable, form: AnswerForm) -> Vec<u8> {
    let name = if unavailable.name.is_empty() { "This service" } else { &unavailable.name };
    let title = format!("{name} is not available");
    let sentence = format!("{title}.");
    let seconds = unavailable.retry_after.as_secs().max(1);
    // The heading of the page says it already.
    let paragraphs: &[&str] =
        if form.is_page { &[unavailable.reason.as_str()] } else { &[sentence.as_str(), unavailable.reason.as_str()] };
    let page = Page { title: &title, paragraphs, refresh: Some(seconds).filter(|_| unavailable.is_passing) };
    response("503 Service Unavailable", &format!("Retry-After: {seconds}\r\n"), &page, form)
}

fn response(status: &str, more: &str, page: &Page<'_>, form: AnswerForm) -> Vec<u8> {
    let (headers, body) = page.render(form);
    format!(
        "HTTP/1.1 {status}\r\n{more}{headers}Content-Length: {}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nCross-Origin-Resource-Policy: same-origin\r\n\
         Referrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{}",
        body.len(),
        if form.is_head { "" } else { &body }
    )
    .into_bytes()
}
