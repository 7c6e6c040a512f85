//! Routes as text: `/dnsaddr/hub.example/tcp/4000/service/bob/secure/api/service/outlet`.

use crate::address::Address;
use crate::route::Route;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// A way to an outlet or a worker, through a secure channel or without one, written as text that other people's programs read too.
///
/// ```
/// use postern_node::MultiAddr;
/// let address: MultiAddr = "/ip4/127.0.0.1/tcp/4000/service/bob/secure/api/service/outlet".parse()?;
/// assert_eq!(address.hub, "127.0.0.1:4000");
/// assert_eq!(address.listener.to_string(), "bob => api");
/// assert_eq!(address.service.to_string(), "outlet");
/// # Ok::<(), postern_node::InvalidMultiAddr>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultiAddr {
    /// The first connection, as `host:port`.
    pub hub: String,
    /// From there to the secure channel listener; empty when the text has no `/secure`.
    pub listener: Route,
    /// From the other end of the channel to the service; without a channel, from the hub.
    pub service: Route,
}

impl MultiAddr {
    /// Whether a secure channel is part of the way. Without one nothing is encrypted, and nobody is authenticated.
    pub fn is_secure(&self) -> bool {
        !self.listener.is_empty()
    }
}

/// The text was not of the form `/HOST/tcp/PORT/service/NAME…/secure/NAME/service/NAME`, of which `/secure/NAME` may be missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a route: {problem}; \
     it looks like /dnsaddr/hub.example/tcp/4000/service/NAME/secure/api/service/outlet"
)]
pub struct InvalidMultiAddr {
    text: String,
    problem: &'static str,
}

impl FromStr for MultiAddr {
    type Err = InvalidMultiAddr;

    fn from_str(text: &str) -> Result<Self, InvalidMultiAddr> {
        parse(text).map_err(|problem| InvalidMultiAddr { text: text.chars().take(200).collect(), problem })
    }
}

fn parse(text: &str) -> Result<MultiAddr, &'static str> {
    let mut parts = text.strip_prefix('/').ok_or("it does not begin with `/`")?.split('/');
    let mut next = || Some((parts.next()?, parts.next()));
    let Some((kind, Some(host))) = next() else { return Err("it has no host") };
    let ip = |host: &str| host.parse::<IpAddr>().map_err(|_| "its IP address is wrong");
    let port = match next() {
        Some(("tcp", Some(port))) => port.parse::<u16>().map_err(|_| "its port is not a number up to 65535")?,
        _ => return Err("`tcp` and a port must follow the host"),
    };
    let hub = match kind {
        "ip4" | "ip6" => SocketAddr::new(ip(host)?, port).to_string(),
        "dnsaddr" | "dns" | "dns4" | "dns6" if !host.is_empty() => format!("{host}:{port}"),
        _ => return Err("the host must be given by /ip4/, /ip6/ or /dnsaddr/"),
    };
    let (mut listener, mut service, mut secured) = (Route::new(), Route::new(), false);
    while let Some((kind, name)) = next() {
        let name = name.filter(|name| !name.is_empty()).ok_or("a name is missing")?;
        match (kind, secured) {
            ("service" | "worker", false) => listener.push_back(name),
            ("service" | "worker", true) => service.push_back(name),
            ("secure", false) => {
                listener.push_back(name);
                secured = true;
            }
            ("secure", true) => return Err("only one `secure` is supported"),
            _ => return Err("after the port only `service`, `worker` and `secure` may follow"),
        }
    }
    if !secured {
        (listener, service) = (Route::new(), listener);
    }
    if service.is_empty() {
        return Err("it must end with a `service`");
    }
    Ok(MultiAddr { hub, listener, service })
}

impl fmt::Display for MultiAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hub.parse() {
            Ok(SocketAddr::V4(address)) => write!(f, "/ip4/{}/tcp/{}", address.ip(), address.port())?,
            Ok(SocketAddr::V6(address)) => write!(f, "/ip6/{}/tcp/{}", address.ip(), address.port())?,
            Err(_) => {
                let (host, port) = self.hub.rsplit_once(':').unwrap_or((&self.hub, ""));
                write!(f, "/dnsaddr/{host}/tcp/{port}")?;
            }
        }
        let last: Option<Address> = self.listener.back();
        for (index, hop) in self.listener.iter().enumerate() {
            let is_last = index + 1 == self.listener.len() && Some(&hop) == last.as_ref();
            write!(f, "/{}/{hop}", if is_last { "secure" } else { "service" })?;
        }
        self.service.iter().try_for_each(|hop| write!(f, "/service/{hop}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route;
    use proptest::prelude::*;

    #[test]
    fn texts_round_trip() {
        for text in [
            "/ip4/127.0.0.1/tcp/4000/service/bob/secure/api/service/outlet",
            "/ip6/::1/tcp/4000/secure/api/service/outlet",
            "/dnsaddr/hub.example/tcp/443/service/a/service/b/secure/c/service/d/service/e",
            "/ip4/127.0.0.1/tcp/4000/service/outlet",
            "/dnsaddr/hub.example/tcp/443/service/a/service/b",
        ] {
            assert_eq!(text.parse::<MultiAddr>().unwrap().to_string(), text);
        }
        let parsed: MultiAddr = "/dns/h/tcp/1/worker/bob/secure/api/worker/out".parse().unwrap();
        assert_eq!(parsed, MultiAddr { hub: "h:1".into(), listener: route!["bob", "api"], service: route!["out"] });
    }

    #[test]
    fn a_route_without_a_channel_says_so() {
        let plain: MultiAddr = "/dns/h/tcp/1/service/bob/worker/out".parse().unwrap();
        assert_eq!((plain.is_secure(), plain.service), (false, route!["bob", "out"]));
        assert!("/dns/h/tcp/1/secure/api/worker/out".parse::<MultiAddr>().unwrap().is_secure());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, problem) in [
            ("", "it does not begin with `/`"),
            ("/ip4/1.2.3/tcp/1/secure/a/service/b", "its IP address is wrong"),
            ("/ip4/1.2.3.4/udp/1", "`tcp` and a port must follow the host"),
            ("/ip4/1.2.3.4/tcp/65536", "its port is not a number up to 65535"),
            ("/ip4/1.2.3.4/tcp/1", "it must end with a `service`"),
            ("/ip4/1.2.3.4/tcp/1/service/a/secure/b", "it must end with a `service`"),
            ("/ip4/1.2.3.4/tcp/1/service", "a name is missing"),
            ("/ip4/1.2.3.4/tcp/1/secure/a/secure/b", "only one `secure` is supported"),
        ] {
            let error = text.parse::<MultiAddr>().unwrap_err();
            assert_eq!(error.problem, problem, "{text}");
            assert!(error.to_string().contains("/dnsaddr/hub.example/"));
        }
    }

    proptest! {
        #[test]
        fn hostile_texts_are_only_refused(text in "(/[a-z0-9.:]{0,8}){0,12}") {
            let _ = text.parse::<MultiAddr>();
        }
    }
}
