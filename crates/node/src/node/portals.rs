//! Portals of a [`Node`]: either end.

use super::{Node, Result};
use crate::address::Address;
use crate::portal::{self, EndReason, Inlet, InletOptions, InletRoute, Outlet, OutletOptions};
use postern_env::time::Duration;
use std::net::SocketAddr;

impl Node {
    /// Opens an inlet at a local `host:port`; port 0 takes a free one. `localhost:port` is both 127.0.0.1 and \[::1\], at the
    /// same port, so that no other program answers clients of one of them.
    ///
    /// # Errors
    /// [`PortalError::Listen`](crate::portal::PortalError::Listen), with the address of the two that is taken.
    pub async fn create_inlet(&self, address: impl AsRef<str>, route: impl Into<InletRoute>) -> Result<Inlet> {
        self.create_inlet_with(address, route, InletOptions::default()).await
    }

    /// As [`create_inlet`](Self::create_inlet) does, with options.
    ///
    /// # Errors
    /// As [`create_inlet`](Self::create_inlet) has.
    pub async fn create_inlet_with(
        &self,
        address: impl AsRef<str>,
        route: impl Into<InletRoute>,
        options: InletOptions,
    ) -> Result<Inlet> {
        Ok(portal::open_inlet(self.core(), address.as_ref(), route.into(), options).await?)
    }

    /// Opens an outlet at an address for the service at `host:port`, whose name is resolved at every connection.
    ///
    /// It must be [exposed](Self::expose) to what inlets reach it through.
    ///
    /// # Errors
    /// The address is taken.
    pub fn create_outlet(
        &self,
        address: impl Into<Address>,
        target: impl Into<String>,
        options: OutletOptions,
    ) -> Result<Outlet> {
        Ok(portal::open_outlet(self.core(), address.into(), target.into(), options)?)
    }

    /// Whether an inlet of this node listens at an address of this machine. No outlet of this node connects to it.
    pub fn has_inlet_at(&self, address: SocketAddr) -> bool {
        portal::has_inlet_at(self.core(), address)
    }

    /// Connects to `host:port` as an outlet of this node does, and closes the connection again, to learn whether a service is there.
    ///
    /// # Errors
    /// What clients would be told now: [`EndReason::Refused`], [`EndReason::TimedOut`] after `timeout`, or
    /// [`EndReason::Unreachable`], also for an inlet of this node.
    pub async fn check_target(&self, target: &str, timeout: Duration) -> Result<(), EndReason> {
        portal::check_target(self.core(), target, timeout).await
    }
}
