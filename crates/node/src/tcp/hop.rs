//! Transport hops: a route of this node's own program may name a node by `host:port`, and is connected to it.

use super::connection::{Connection, TcpConnection};
use super::error::TcpError;
use super::target::Target;
use crate::address::Address;
use crate::core::Core;
use crate::route::Route;
use crate::sync::lock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// The connections that were made for transport hops, by `host:port`.
#[derive(Default)]
struct HopConnections(Mutex<HashMap<String, TcpConnection>>);

impl HopConnections {
    fn get(&self, host_and_port: &str) -> Option<TcpConnection> {
        let mut connections = lock(&self.0);
        connections.retain(|_, connection| !connection.is_closed());
        connections.get(host_and_port).cloned()
    }

    fn insert(&self, host_and_port: &str, connection: &TcpConnection) {
        lock(&self.0).insert(host_and_port.to_owned(), connection.clone());
    }
}

/// Puts a connection in the place of the route's first transport hop, if it has one. The same hop uses the same connection as
/// long as that lasts.
///
/// Only for routes that the program of this node made: one that came with a message must not make this node connect anywhere.
/// A second transport hop lies beyond another node, and stays as it is.
///
/// # Errors
/// The connection cannot be made.
pub(crate) async fn connect_hop(core: &Arc<Core>, route: Route) -> Result<Route, TcpError> {
    let Some((at, hop)) = route.iter().enumerate().find(|(_, hop)| hop.kind() == Address::TCP) else {
        return Ok(route);
    };
    let connection = connection(core, &String::from_utf8_lossy(hop.value())).await?;
    Ok(route
        .iter()
        .enumerate()
        .map(|(place, hop)| if place == at { Address::from(&connection) } else { hop })
        .collect())
}

/// Closes the connection that was made for the route's first transport hop, since it is not answered: the next route makes another.
pub(crate) fn close_hop(core: &Core, route: &Route) {
    let Some(hop) = route.iter().find(|hop| hop.kind() == Address::TCP) else { return };
    let connections = core.extension::<HopConnections>();
    let closed = lock(&connections.0).remove(&*String::from_utf8_lossy(hop.value()));
    closed.inspect(TcpConnection::close);
}

async fn connection(core: &Arc<Core>, host_and_port: &str) -> Result<TcpConnection, TcpError> {
    let connections = core.extension::<HopConnections>();
    if let Some(connection) = connections.get(host_and_port) {
        return Ok(connection);
    }
    let connection = Connection::connect(core, &Target::from(host_and_port), None).await?;
    connections.insert(host_and_port, &connection);
    Ok(connection)
}
