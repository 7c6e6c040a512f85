//! Validation of what the user types, and sanitizing of what other engines send.
//!
//! What the user types and cannot be used is refused with a sentence. What another engine sends is shortened and
//! cleaned instead: nobody here could correct it.

use crate::api::{Code, Fault, MAX_DESCRIPTION, MAX_NAME, Terms, UnixMillis};
use crate::core::limits::{MAX_ADDRESS, MAX_HUBS, MAX_OUTLET, MAX_PATH, MAX_POSTAL, MAX_REACH, MAX_WEB_PAGE};
use crate::peer::{ContactInfo, Offer, PeerAddress};
use crate::text_sanitizer::{is_visible, visible_within};
use std::net::{Ipv4Addr, Ipv6Addr};

fn invalid(sentence: impl Into<String>) -> Fault {
    Fault::new(Code::Invalid, sentence)
}

/// A name that the user typed.
pub(crate) fn name(text: &str) -> Result<String, Fault> {
    let text = text.trim();
    if text.is_empty() {
        return Err(invalid("A name is needed."));
    }
    if text.chars().count() > MAX_NAME {
        return Err(invalid(format!("This name is too long: use up to {MAX_NAME} characters.")));
    }
    if !is_visible(text) {
        return Err(invalid("This name holds characters that cannot be shown."));
    }
    Ok(text.to_owned())
}

/// A description that the user typed; nothing if it is empty.
pub(crate) fn description(text: &str) -> Result<Option<String>, Fault> {
    let text = text.trim();
    if text.chars().count() > MAX_DESCRIPTION {
        return Err(invalid(format!("This description is too long: use up to {MAX_DESCRIPTION} characters.")));
    }
    if !text.split('\n').all(is_visible) {
        return Err(invalid("This description holds characters that cannot be shown."));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// The path that a browser opens; nothing if it is empty.
pub(crate) fn path(text: &str) -> Result<Option<String>, Fault> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if !is_path(text) {
        return Err(invalid("This path cannot be used: it should look like /lab."));
    }
    Ok(Some(if text.starts_with('/') { text.to_owned() } else { format!("/{text}") }))
}

/// Whether a text may follow an address in a URL.
fn is_path(text: &str) -> bool {
    text.len() <= MAX_PATH && text.bytes().all(|byte| byte.is_ascii_graphic() && !br#""<>\^`{|}"#.contains(&byte))
}

/// A hub's address.
pub(crate) fn hub(text: &str) -> Result<String, Fault> {
    address(text.trim()).map(|it| it.to_ascii_lowercase()).ok_or_else(|| {
        invalid(format!("“{}” is not a hub’s address: it should look like hub.example:4000.", shown(text)))
    })
}

/// The page that web links lead to: `https://host/path`, without what a link needs itself. Without TLS anybody on the way could change it,
/// so only pages of this computer may do without.
pub(crate) fn web_page(text: &str) -> Result<String, Fault> {
    let text = text.trim();
    let refused =
        || invalid(format!("“{}” is not the address of a page: it should look like https://host/join.", shown(text)));
    let lower = text.to_ascii_lowercase();
    let (rest, is_secure) = match (lower.strip_prefix("https://"), lower.strip_prefix("http://")) {
        (Some(rest), _) => (rest, true),
        (None, Some(rest)) => (rest, false),
        (None, None) => return Err(refused()),
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = address(authority).map_or(authority, |_| authority.rsplit_once(':').map_or(authority, |(host, _)| host));
    let is_loopback = matches!(host, "localhost" | "127.0.0.1" | "[::1]") || host.ends_with(".localhost");
    if !is_host_of_page(host) || text.len() > MAX_WEB_PAGE || !is_path(text) || text.contains(['#', '@']) {
        return Err(refused());
    }
    if !is_secure && !is_loopback {
        return Err(invalid("Web links need a page with https://: without it, anybody on the way could read them."));
    }
    Ok(text.to_owned())
}

/// Whether browsers take it for a host: brackets are for IPv6, and what ends with a number is an address of IPv4.
fn is_host_of_page(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|it| it.is_ascii_digit()) || last.starts_with("0x");
    if is_number { host.parse::<Ipv4Addr>().is_ok() } else { is_host(host) }
}

/// Terms that the user chose.
pub(crate) fn terms(terms: &Terms, wall: UnixMillis) -> Result<(), Fault> {
    if terms.until.is_some_and(|until| until <= wall) {
        return Err(invalid("This time is over already."));
    }
    if terms.connections == Some(0) {
        return Err(invalid("At least one connection is needed: pause instead."));
    }
    Ok(())
}

/// The port of an address that was checked.
pub(crate) fn port_of(target: &str) -> u16 {
    target.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(0)
}

/// `host:port`, with IPv6 addresses in brackets.
pub(super) fn address(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.bytes().all(|it| it.is_ascii_digit()).then(|| port.parse::<u16>().ok())??;
    let good = match host.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => is_host(host),
    };
    (good && port != 0).then(|| format!("{host}:{port}"))
}

fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_')
    };
    host.len() <= MAX_ADDRESS - 6 && host.strip_suffix('.').unwrap_or(host).split('.').all(label)
}

/// The beginning of a text, to be quoted in a message.
pub(super) fn shown(text: &str) -> String {
    clean(text, 60).unwrap_or_default()
}

/// Somebody else's text, sanitized and shortened; nothing if nothing is left.
pub(crate) fn clean(text: &str, most: usize) -> Option<String> {
    let text = visible_within(text, most);
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Somebody's own name.
pub(crate) fn clean_name(text: &str) -> String {
    clean(text, MAX_NAME).unwrap_or_else(|| "Somebody".to_owned())
}

/// A service's name as its owner sent it.
pub(crate) fn clean_service(text: &str) -> String {
    clean(text, MAX_NAME).unwrap_or_else(|| "A service".to_owned())
}

/// A description as its owner sent it.
pub(crate) fn clean_description(text: Option<String>) -> Option<String> {
    clean(&text?, MAX_DESCRIPTION)
}

/// The addresses that are well formed, and not too many.
pub(crate) fn clean_addresses(reach: Vec<PeerAddress>) -> Vec<PeerAddress> {
    let good = |it: &PeerAddress| match it {
        PeerAddress::Direct { address: at } => address(at).is_some(),
        PeerAddress::Hub { address: at, relay } => {
            address(at).is_some() && (1..=128).contains(&relay.len()) && is_visible(relay)
        }
    };
    reach.into_iter().filter(good).take(MAX_REACH).collect()
}

/// The contact information of somebody else.
pub(crate) fn clean_contact_info(info: ContactInfo) -> ContactInfo {
    if !info.is_given() {
        return ContactInfo::withheld();
    }
    ContactInfo {
        name: clean_name(&info.name),
        postal: if info.postal.len() <= MAX_POSTAL { info.postal } else { Vec::new() },
        hubs: info.hubs.iter().filter_map(|it| hub(it).ok()).take(MAX_HUBS).collect(),
        reach: clean_addresses(info.reach),
    }
}

/// Somebody else's offer; nothing if its outlet cannot be addressed.
pub(crate) fn clean_offer(offer: Offer) -> Option<Offer> {
    let good = (1..=MAX_OUTLET).contains(&offer.outlet.len()) && is_visible(&offer.outlet);
    good.then(|| Offer {
        service_name: clean_service(&offer.service_name),
        path: offer.path.filter(|it| it.starts_with('/') && is_path(it)),
        description: clean_description(offer.description),
        until: offer.until.filter(|it| *it > UnixMillis(0)),
        ..offer
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_lie_about_how_they_look() {
        assert_eq!(name("  Orders + Ünïcode 🦉 ").as_deref(), Ok("Orders + Ünïcode 🦉"));
        assert_eq!(name("👩🏽‍🚀 می\u{200c}خواهم").as_deref(), Ok("👩🏽‍🚀 می\u{200c}خواهم"));
        for text in ["", " ", "a\u{202e}b", "a\nb", "a\u{2066}b", "a\u{200b}b", "a\u{200d}b", &"x".repeat(MAX_NAME + 1)]
        {
            assert!(name(text).is_err(), "{text:?}");
        }
        assert_eq!(clean_name("a\u{202e}b\n"), "ab");
        assert_eq!(clean_name("\u{202e}"), "Somebody");
        assert_eq!(clean_name(&"x".repeat(500)).chars().count(), MAX_NAME);
    }

    #[test]
    fn web_links_lead_to_pages_that_nobody_on_the_way_can_change() {
        for page in
            ["https://a.example/join", "https://a.example:8443/x/?y=1", "HTTPS://a.example", "https://[2001:db8::1]/j"]
        {
            assert_eq!(web_page(&format!(" {page} ")).as_deref(), Ok(page));
        }
        for page in ["http://localhost:8080/join", "http://127.0.0.1/join", "http://[::1]:1/join"] {
            assert_eq!(web_page(page).as_deref(), Ok(page));
        }
        let long = format!("https://a.example/{}", "x".repeat(MAX_WEB_PAGE));
        for page in [
            "",
            "a.example/join",
            "ftp://a.example/",
            "https://",
            "https:///join",
            "https://a.example/#x",
            "https://a b/",
            "https://me@a.example/",
            "https://a.example/\"x",
            "http://a.example/join",
            "http://localhost.example/",
            "https://[foo]/",
            "https://999.1.1.1/",
            "https://a.123/",
            &long,
        ] {
            assert!(web_page(page).is_err(), "{page}");
        }
    }

    #[test]
    fn paths_stay_behind_their_address() {
        assert_eq!(path("lab"), Ok(Some("/lab".into())));
        assert_eq!(path(" "), Ok(None));
        assert!(path("/a b").is_err());
        assert!(path("/\"onclick").is_err());
    }
}
