//! Where a service is, as the user types or pastes it.

use crate::api::ServiceKind;
use crate::core::validation::{address, shown};

/// Where a service is, and what a pasted URL says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceTarget {
    /// `host:port`; the host is `localhost` where only a port was given.
    pub address: String,
    /// The protocol that a URL names; nothing without a URL.
    pub kind: Option<ServiceKind>,
    /// The path of a URL, which a browser is to open; nothing for the root.
    pub path: Option<String>,
}

impl ServiceTarget {
    /// Parses a port, `host:port`, `tcp://host:port`, or a URL of a web page.
    ///
    /// # Errors
    /// A sentence for the user: what is not supported, or how it should look.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some((scheme, rest)) = text.split_once("://") {
            return Self::of_url(&scheme.to_ascii_lowercase(), rest, text);
        }
        if let Ok(port) = text.parse::<u16>() {
            return match port {
                0 => Err("Port 0 cannot be used.".to_owned()),
                port => Ok(Self::tcp(format!("localhost:{port}"))),
            };
        }
        match text.split_once(':') {
            _ if text.starts_with(['/', '~', '@']) => Err(unix_socket()),
            Some(("unix", _)) => Err(unix_socket()),
            Some(("udp" | "udp4" | "udp6", _)) => Err(udp()),
            _ => address(text).map(Self::tcp).ok_or_else(|| malformed(text)),
        }
    }

    fn tcp(address: String) -> Self {
        Self { address, kind: None, path: None }
    }

    fn of_url(scheme: &str, rest: &str, text: &str) -> Result<Self, String> {
        let (kind, port) = match scheme {
            "http" | "ws" => (Some(ServiceKind::Http), Some(80)),
            "https" | "wss" => (Some(ServiceKind::Https), Some(443)),
            "tcp" => (None, None),
            "udp" => return Err(udp()),
            "unix" => return Err(unix_socket()),
            _ => {
                let scheme = shown(scheme);
                return Err(format!("`{scheme}://` is not needed: give HOST:PORT, for instance localhost:5432."));
            }
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        // A name and a password, which would otherwise be stored and shown.
        if host.contains('@') {
            return Err("Leave out what is before the `@`: friends give their own name and password.".to_owned());
        }
        let with_port = port.and_then(|port| address(&format!("{host}:{port}")));
        let address = address(host).or(with_port).ok_or_else(|| malformed(text))?;
        let path = path.split('#').next().unwrap_or_default();
        Ok(Self {
            address,
            kind,
            path: Some(path.to_owned()).filter(|it| kind.is_some() && !matches!(it.as_str(), "" | "/")),
        })
    }
}

fn udp() -> String {
    "UDP services cannot be shared: portals carry TCP only.".to_owned()
}

fn unix_socket() -> String {
    "Sockets in the file system cannot be shared: let the service listen on a TCP port of this machine too.".to_owned()
}

fn malformed(text: &str) -> String {
    format!("`{}` is not where a service can be: it should look like localhost:5432, or just 5432.", shown(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ServiceKind::{Http, Https};

    #[test]
    fn targets_are_hosts_with_ports() {
        for (text, kept) in [
            ("5432", "localhost:5432"),
            (" localhost:80 ", "localhost:80"),
            ("my-nas:5555", "my-nas:5555"),
            ("[::1]:22", "[::1]:22"),
            ("10.0.0.1:1", "10.0.0.1:1"),
            ("tcp://localhost:80", "localhost:80"),
        ] {
            assert_eq!(ServiceTarget::parse(text), Ok(ServiceTarget::tcp(kept.into())));
        }
        for text in [
            "",
            "0",
            "localhost",
            "localhost:0",
            "::1:22",
            "[::1]",
            "a b:1",
            "host:65536",
            "host:+1",
            "-a:1",
            "http://",
            "tcp://a",
            "http://[::1",
        ] {
            assert!(
                ServiceTarget::parse(text)
                    .is_err_and(|it| it.contains("cannot be used") || it.contains("should look like")),
                "{text}"
            );
        }
    }

    #[test]
    fn a_pasted_url_says_where_the_service_is_and_what_to_open() {
        for (text, address, kind, path) in [
            ("http://localhost:3000", "localhost:3000", Http, None),
            ("HTTP://localhost:3000/", "localhost:3000", Http, None),
            ("https://nas.lan/lab?x=1#top", "nas.lan:443", Https, Some("/lab?x=1")),
            ("http://[::1]/", "[::1]:80", Http, None),
            ("ws://localhost:80/socket", "localhost:80", Http, Some("/socket")),
        ] {
            let target = ServiceTarget { address: address.into(), kind: Some(kind), path: path.map(str::to_owned) };
            assert_eq!(ServiceTarget::parse(text), Ok(target), "{text}");
        }
    }

    #[test]
    fn what_is_not_supported_is_said_to_be() {
        for (text, reason) in [
            ("udp://1.2.3.4:53", "UDP"),
            ("udp:53", "UDP"),
            ("unix:/run/x.sock", "file system"),
            ("unix:///run/x.sock", "file system"),
            ("/run/x.sock", "file system"),
            ("postgres://localhost:5432/db", "not needed"),
            ("http://ann:secret@localhost:3000", "before the `@`"),
        ] {
            let sentence = ServiceTarget::parse(text).unwrap_err();
            assert!(sentence.contains(reason) && !sentence.contains("secret"), "{text}: {sentence}");
        }
    }
}
