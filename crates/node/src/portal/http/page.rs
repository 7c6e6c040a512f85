//! The texts that an inlet answers with: a small page for browsers, plain text for everybody else.
//!
//! Names of people and services are the text of others. They are escaped here, and nothing but text: the page loads nothing, runs
//! nothing, and its policy (CSP) forbids both.

use httparse::Request;
use std::fmt::Write;

/// The page's only style, in system colors, so that it is light or dark as the browser is.
const STYLE: &str = ":root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:18vh auto 0;padding:0 1.5rem}\
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .75rem;overflow-wrap:anywhere}\
p{margin:0 0 .75rem;overflow-wrap:anywhere}\
small{display:block;margin-top:1.5rem;opacity:.7}";
/// SHA-256 of [`STYLE`], in base64: the policy allows this style and no other.
const STYLE_HASH: &str = "HeGJQ9w/vf79AjH/5muNYriKUmW2FEcKYV3ZREtclTA=";

/// Which form of an answer a client takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct AnswerForm {
    /// A browser that opens a page (`Accept: text/html`).
    pub(super) is_page: bool,
    /// The request was a GET, so making it again changes nothing.
    pub(super) is_get: bool,
    /// The request was a HEAD: an answer has no body (RFC 9110 §9.3.2).
    pub(super) is_head: bool,
}

impl AnswerForm {
    /// The form for a request.
    pub(super) fn of(request: &Request<'_, '_>) -> Self {
        Self {
            is_page: accepts_html(request),
            is_get: request.method == Some("GET"),
            is_head: request.method == Some("HEAD"),
        }
    }

    /// Whether the request changes nothing, so that it does no harm if the service has seen it (RFC 9110 §9.2.1).
    pub(in super::super) fn is_safe(self) -> bool {
        self.is_get || self.is_head
    }
}

/// Whether `text/html` is among the media types of `Accept` (RFC 9110 §12.5.1). Programs send `*/*`.
fn accepts_html(request: &Request<'_, '_>) -> bool {
    let accept = request.headers.iter().filter(|it| it.name.eq_ignore_ascii_case("accept"));
    let mut ranges = accept.flat_map(|it| it.value.split(|byte| *byte == b','));
    ranges.any(|range| {
        let media_type = range.split(|byte| *byte == b';').next().unwrap_or_default();
        media_type.trim_ascii().eq_ignore_ascii_case(b"text/html")
    })
}

/// The content of an answer.
pub(super) struct Page<'a> {
    /// The heading of the page.
    pub(super) title: &'a str,
    /// What happened and what to do, each a paragraph.
    pub(super) paragraphs: &'a [&'a str],
    /// After how many seconds the page asks again by itself.
    pub(super) refresh: Option<u64>,
}

impl Page<'_> {
    /// The type and policy headers, and the body.
    pub(super) fn render(&self, form: AnswerForm) -> (String, String) {
        if form.is_page {
            let headers = format!(
                "Content-Type: text/html; charset=utf-8\r\nContent-Security-Policy: default-src 'none'; \
                 style-src 'sha256-{STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
            );
            return (headers, self.html(form));
        }
        let headers = "Content-Type: text/plain; charset=utf-8\r\n\
                       Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n";
        let mut body = self.paragraphs.iter().map(|it| clean(it)).collect::<Vec<_>>().join("\n\n");
        body.push('\n');
        (headers.to_owned(), body)
    }

    fn html(&self, form: AnswerForm) -> String {
        let title = escape(self.title);
        let mut html = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
            <meta name=\"viewport\" content=\"width=device-width\">\n"
            .to_owned();
        let refresh = self.refresh.filter(|_| form.is_get);
        // Writing to a string does not fail.
        if let Some(seconds) = refresh {
            let _ = writeln!(html, "<meta http-equiv=\"refresh\" content=\"{seconds}\">");
        }
        let _ = writeln!(html, "<title>{title}</title>\n<style>{STYLE}</style>\n<h1 dir=\"auto\">{title}</h1>");
        for paragraph in self.paragraphs {
            let _ = writeln!(html, "<p dir=\"auto\">{}</p>", escape(paragraph));
        }
        let note = match (refresh, self.refresh) {
            (Some(_), _) => "This page tries again by itself.",
            (None, Some(_)) => {
                "This page does not send the request again. Go back, and send it once the service is available."
            }
            (None, None) => "",
        };
        let _ = writeln!(html, "<small>{note} This answer is from Postern on your computer.</small>");
        html
    }
}

/// Without control characters, except for line ends.
fn clean(text: &str) -> String {
    text.chars().filter(|it| *it == '\n' || !it.is_control()).collect()
}

/// As text between the tags of an element, or in a quoted attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars().filter(|it| *it == '\n' || !it.is_control()) {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: AnswerForm = AnswerForm { is_page: true, is_get: true, is_head: false };

    #[test]
    fn the_policy_allows_exactly_the_style_of_the_page() {
        let digest = crate::crypto::sha256(STYLE.as_bytes());
        assert_eq!(STYLE_HASH, base64(&digest), "the hash of the style");
    }

    /// Base64 with padding (RFC 4648 §4).
    fn base64(bytes: &[u8]) -> String {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for chunk in bytes.chunks(3) {
            let bits = chunk.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
            for at in 0..4 {
                let digit = DIGITS[((bits >> (18 - 6 * at)) & 63) as usize];
                text.push(if at <= chunk.len() { char::from(digit) } else { '=' });
            }
        }
        text
    }

    /// The form for a request with these headers.
    fn form(method: &str, headers: &str) -> AnswerForm {
        let head = format!("{method} / HTTP/1.1\r\n{headers}\r\n");
        let mut parsed = [httparse::EMPTY_HEADER; 8];
        let mut request = Request::new(&mut parsed);
        assert!(request.parse(head.as_bytes()).unwrap().is_complete());
        AnswerForm::of(&request)
    }

    #[test]
    fn only_who_asks_for_html_gets_a_page() {
        for accept in ["text/html", "text/html,application/xml;q=0.9,*/*;q=0.8", "*/*, TEXT/HTML ;q=0.1"] {
            assert_eq!(form("GET", &format!("Accept: {accept}\r\n")), PAGE, "{accept}");
        }
        for headers in ["", "Accept: */*\r\n", "Accept: text/htmlx\r\n", "X: text/html\r\n"] {
            assert!(!form("GET", headers).is_page, "{headers}");
        }
        assert!(form("HEAD", "").is_head && form("HEAD", "").is_safe() && form("GET", "").is_safe());
        assert!(!form("POST", "").is_safe() && !form("get", "").is_safe());
    }

    #[test]
    fn texts_of_others_stay_text() {
        let hostile = "</title><script>alert(1)</script>\u{7}\"'&\r\n";
        let page = Page { title: hostile, paragraphs: &[hostile], refresh: Some(5) };
        let (headers, html) = page.render(PAGE);
        assert!(!headers.contains("alert") && !html.contains("<script") && !html.contains('\u{7}'), "{html}");
        assert_eq!(html.matches("&lt;script&gt;").count(), 3, "{html}");
        let (headers, text) = page.render(AnswerForm::default());
        assert!(!headers.contains("alert") && !text.contains(['\r', '\u{7}']), "{text:?}");
    }

    #[test]
    fn only_a_get_is_made_again_by_the_page() {
        let page = Page { title: "a", paragraphs: &["b"], refresh: Some(5) };
        let refresh = "<meta http-equiv=\"refresh\" content=\"5\">";
        assert!(page.render(PAGE).1.contains(refresh));
        let post = page.render(AnswerForm { is_get: false, ..PAGE }).1;
        assert!(!post.contains("refresh") && post.contains("Go back"), "{post}");
        let ended = Page { refresh: None, ..page };
        assert!(!ended.render(PAGE).1.contains("refresh"));
    }
}
