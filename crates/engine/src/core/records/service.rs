//! The services that the user shares.

use super::{Records, audit, grant, invitation};
use crate::api::{Code, Fault, GrantState, Health, SentState, ServiceId};
use crate::core::schema::{Grant, Invitation, Service};
use crate::core::task_request::TaskRequest;
use crate::core::transaction::Transaction;

impl Records {
    pub(crate) fn service_name(&self, service: ServiceId) -> String {
        self.services.get(service).map_or_else(|| "A closed service".to_owned(), |it| it.name.clone())
    }

    pub(crate) fn service(&self, service: ServiceId) -> Result<&Service, Fault> {
        self.services.get(service).ok_or_else(|| Fault::new(Code::NotFound, "There is no such service."))
    }

    /// Whether anybody at all may use a service now.
    pub(crate) fn is_shared(&self, service: &Service) -> bool {
        service.on && !self.is_paused()
    }

    /// Whether the last health check of a service's target failed.
    pub(crate) fn is_down(&self, service: ServiceId) -> bool {
        self.health.get(&service).is_some_and(|it| matches!(it, Health::Down { .. }))
    }
}

/// Adds a service.
pub(crate) fn add(records: &mut Records, tx: &mut Transaction, service: Service) {
    audit::service(tx, &service.name, "shared");
    records.services.put(tx, service);
}

/// Replaces a service's record.
pub(crate) fn change(records: &mut Records, tx: &mut Transaction, service: Service) {
    let (id, name) = (service.id, service.name.clone());
    let has_moved = records.services.get(id).is_some_and(|it| it.target != service.target);
    if records.services.change(tx, id, |it| *it = service) {
        audit::service(tx, &name, "changed");
    }
    if has_moved {
        records.health.remove(&id);
        tx.request(TaskRequest::RestartCheck(id));
    }
}

/// Resumes or pauses a service for everybody.
pub(crate) fn set_on(records: &mut Records, tx: &mut Transaction, id: ServiceId, on: bool) {
    if records.services.change(tx, id, |it| it.on = on) {
        audit::service(tx, &records.service_name(id), if on { "resumed" } else { "paused" });
    }
}

/// Closes a service: revokes its invitations and grants, then removes it.
pub(crate) fn close(records: &mut Records, tx: &mut Transaction, id: ServiceId) {
    let name = records.service_name(id);
    for it in records.invitations.keys_of(|it: &Invitation| it.service == id && it.is_open()) {
        invitation::end(records, tx, it, SentState::Revoked);
    }
    for it in records.grants.keys_of(|it: &Grant| it.service == id && it.is_live()) {
        grant::end(records, tx, it, GrantState::Revoked);
    }
    audit::service(tx, &name, "closed");
    records.services.remove(tx, id);
    records.health.remove(&id);
}

/// A health check reports whether a service's target accepts connections.
pub(crate) fn set_health(records: &mut Records, tx: &Transaction, id: ServiceId, result: Result<(), Fault>) {
    let health = records.health.entry(id).or_default();
    *health = match (result, &*health) {
        (Ok(()), _) => Health::Up,
        (Err(fault), Health::Down { since, .. }) => Health::Down { fault, since: *since },
        (Err(fault), Health::Up | Health::Unknown) => Health::Down { fault, since: tx.now.wall },
    };
}

/// Forgets the health of services that are not checked any more.
pub(crate) fn retain_health(records: &mut Records, is_checked: impl Fn(ServiceId) -> bool) {
    records.health.retain(|id, _| is_checked(*id));
}
