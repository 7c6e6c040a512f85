//! What an inlet answers itself, instead of passing a request on.

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
}

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
        }
    }

    /// The response as it is sent.
    pub(super) fn response(&self) -> Vec<u8> {
        let (status, body) = match self {
            Self::OtherHost => (
                "403 Forbidden",
                "Postern refused this request: it is addressed to another host than this portal.\n\n\
                 Web sites use such requests to reach programs on your computer (DNS rebinding).\n\
                 Open the address that Postern shows for the portal. If a program of your own needs another name,\n\
                 switch the browser check of this portal off in Postern.\n"
                    .to_owned(),
            ),
            Self::OtherSite => (
                "403 Forbidden",
                "Postern refused this request: a page of another site made it.\n\n\
                 A site may link to this portal, but not send it forms or read from it.\n\
                 Open the address that Postern shows for the portal. If that site is yours and needs access,\n\
                 switch the browser check of this portal off in Postern.\n"
                    .to_owned(),
            ),
            Self::Malformed(what) => (
                "400 Bad Request",
                format!(
                    "Postern cannot check this request: {what}.\n\n\
                     This portal carries HTTP/1.1. If the service speaks something else, ask its owner to share it as TCP,\n\
                     or switch the browser check of this portal off in Postern.\n"
                ),
            ),
            Self::TooLarge => (
                "431 Request Header Fields Too Large",
                "Postern refused this request: its headers are too large.\n\n\
                 Delete the cookies of this portal in your browser, or switch its browser check off in Postern.\n"
                    .to_owned(),
            ),
            Self::TooSlow => {
                ("408 Request Timeout", "Postern closed this connection: no request came in time.\n".to_owned())
            }
            Self::Redirect(location) => ("307 Temporary Redirect", format!("This portal is at {location}\n")),
        };
        let location = match self {
            Self::Redirect(location) => format!("Location: {location}\r\n"),
            _ => String::new(),
        };
        // Nothing in it is the requester's own text, and it names neither service nor owner: with DNS rebinding a strange page
        // reads it.
        format!(
            "HTTP/1.1 {status}\r\n{location}Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
             Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n\
             Cross-Origin-Resource-Policy: same-origin\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}
