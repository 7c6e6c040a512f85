//! What follows from the records: access, the desired state, portals' status, the snapshot.

pub(super) mod access;
pub(super) mod portal_status;
pub(super) mod reconcile;
pub(super) mod view;
