//! What is asked for: requests of frontends and of other engines, one module per noun.

pub(super) mod contacts;
pub(super) mod grants;
pub(super) mod hubs;
pub(super) mod incoming_invitations;
pub(super) mod inlets;
pub(super) mod invitations;
pub(super) mod profile;
pub(super) mod redemption;
pub(super) mod services;
