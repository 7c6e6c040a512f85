//! Static routes of a hub (`[routes]`): names that lead to other nodes, which the hub connects to by itself.

use postern_node::{MultiAddr, Node, Origin, Result, Route};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Static routes of one hub: each is a connection that is kept, and more are the business of a relay.
pub(crate) const MAX_ROUTES: usize = 256;

/// Where a name leads.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct StaticRoute {
    /// The node that is connected to, as `host:port`.
    node: String,
    /// From there on.
    beyond: Route,
}

impl TryFrom<String> for StaticRoute {
    type Error = String;

    /// Parses `host:port`, or a route without `/secure`, such as `/dnsaddr/hub.example/tcp/4000/service/bob`.
    fn try_from(text: String) -> Result<Self, String> {
        if text.starts_with('/') {
            let route: MultiAddr = text.parse().map_err(|error: postern_node::InvalidMultiAddr| error.to_string())?;
            return match route.is_secure() {
                true => Err(format!("`{text}` has a `/secure`, but a hub opens no channels: leave it to the ends")),
                false => Ok(Self { node: route.hub, beyond: route.service }),
            };
        }
        match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                Ok(Self { node: text, beyond: Route::new() })
            }
            _ => Err(format!("`{text}` is neither host:port nor a route; it looks like hub.example:4000")),
        }
    }
}

/// The static routes of a configuration.
pub(crate) type StaticRoutes = BTreeMap<String, StaticRoute>;

/// Checks what can be wrong with all together.
pub(crate) fn check(routes: &StaticRoutes) -> Result<(), String> {
    if routes.len() > MAX_ROUTES {
        return Err(format!("[routes] has {} names; at most {MAX_ROUTES} are possible", routes.len()));
    }
    match routes.keys().find(|name| name.is_empty() || name.len() > postern_node::MAX_ADDRESS_LEN) {
        Some(name) => Err(format!("[routes] has a name of {} bytes", name.len())),
        None => Ok(()),
    }
}

/// Opens the routes to whoever comes from the given origins.
pub(crate) fn start(
    node: &Node,
    routes: &StaticRoutes,
    connections: &impl Origin,
    channels: &impl Origin,
) -> Result<()> {
    for (name, route) in routes {
        let session = node.keep_connected(route.node.as_str(), None);
        node.create_static_route(name.as_str(), session, route.beyond.clone())?;
        node.expose(name.as_str(), connections)?;
        node.expose(name.as_str(), channels)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HubConfig;
    use postern_node::route;

    #[test]
    fn a_name_leads_to_a_node_or_beyond() {
        let read = |text: &str| StaticRoute::try_from(text.to_owned());
        let node = "bob.example:4000".to_owned();
        assert_eq!(read("bob.example:4000"), Ok(StaticRoute { node: node.clone(), beyond: Route::new() }));
        let beyond = route!["a", "b"];
        assert_eq!(read("/dnsaddr/bob.example/tcp/4000/service/a/service/b"), Ok(StaticRoute { node, beyond }));
        for wrong in ["", "bob", ":4000", "bob:http", "/dnsaddr/bob/tcp/4000/secure/api/service/outlet", "/ip4/1/tcp/1"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_bounded() {
        let routes = |count: usize| (0..count).map(|number| format!("n{number} = 'h:1'\n")).collect::<String>();
        assert!(HubConfig::parse(&format!("[routes]\n{}", routes(MAX_ROUTES))).is_ok());
        assert!(HubConfig::parse(&format!("[routes]\n{}", routes(MAX_ROUTES + 1))).is_err());
        assert!(HubConfig::parse("[routes]\n'' = 'h:1'").is_err());
        assert!(HubConfig::parse("[routes]\nbob = 'nowhere'").is_err());
    }
}
