//! What follows from the records: who has access, what the driver is to keep up, what the user sees.
//!
//! Nothing here changes a record. [`reconcile`], [`portal_status`] and [`inlet_description`] each own what they applied, showed or
//! told last.

pub(super) mod access;
pub(super) mod contact_info;
pub(super) mod findings;
pub(super) mod inlet_description;
pub(super) mod portal_status;
pub(super) mod reconcile;
pub(super) mod tickets;
pub(super) mod view;
