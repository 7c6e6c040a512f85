//! Portals of a [`Node`]: either end.

use super::{Node, Result};
use crate::address::Address;
use crate::portal::{self, Inlet, InletOptions, InletRoute, Outlet, OutletOptions};

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
}
