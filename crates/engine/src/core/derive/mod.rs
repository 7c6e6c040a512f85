//! What follows from the records: who has access, what the driver is to keep up, what the user sees.
//!
//! Nothing here changes a record. [`reconcile`] and [`portal_status`] each own what they applied or showed last.

pub(super) mod access;
pub(super) mod contact_info;
pub(super) mod findings;
pub(super) mod portal_status;
pub(super) mod reconcile;
pub(super) mod tickets;
pub(super) mod view;
