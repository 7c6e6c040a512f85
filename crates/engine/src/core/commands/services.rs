//! Sharing, changing and closing services.

use crate::api::{Answer, Code, Fault, ServiceId, ServiceKind, ServicePatch};
use crate::core::limits::MAX_SERVICES;
use crate::core::records::{Records, service};
use crate::core::schema::Service;
use crate::core::service_target::ServiceTarget;
use crate::core::transaction::Transaction;
use crate::core::validation;

/// A service to share.
pub(super) struct ServiceSpec {
    pub(super) name: String,
    pub(super) kind: ServiceKind,
    pub(super) target: String,
    pub(super) path: Option<String>,
    pub(super) description: Option<String>,
}

fn check_name_is_free(records: &Records, name: &str, except: Option<ServiceId>) -> Result<(), Fault> {
    let lower = name.to_lowercase();
    match records.services.find(|it| Some(it.id) != except && it.name.to_lowercase() == lower) {
        Some(_) => Err(Fault::new(Code::NameTaken, format!("You share a service named {name} already."))),
        None => Ok(()),
    }
}

fn parse_target(text: &str) -> Result<ServiceTarget, Fault> {
    ServiceTarget::parse(text).map_err(|sentence| Fault::new(Code::Invalid, sentence))
}

pub(super) fn share(records: &mut Records, tx: &mut Transaction, spec: ServiceSpec) -> Result<Answer, Fault> {
    if records.services.len() >= MAX_SERVICES {
        return Err(Fault::new(
            Code::TooMany,
            format!("You can share up to {MAX_SERVICES} services: stop sharing one first."),
        ));
    }
    let target = parse_target(&spec.target)?;
    let service = Service {
        id: ServiceId(tx.random()),
        name: validation::name(&spec.name)?,
        // What a pasted URL says, unless something else was chosen.
        kind: target.kind.filter(|_| spec.kind == ServiceKind::Tcp).unwrap_or(spec.kind),
        target: target.address,
        path: validation::path(spec.path.or(target.path).as_deref().unwrap_or_default())?,
        description: validation::description(spec.description.as_deref().unwrap_or_default())?,
        on: true,
        created: tx.now.wall,
        health_check: true,
    };
    check_name_is_free(records, &service.name, None)?;
    let id = service.id;
    service::add(records, tx, service);
    Ok(Answer::Service { service: id })
}

pub(super) fn change(
    records: &mut Records,
    tx: &mut Transaction,
    id: ServiceId,
    patch: ServicePatch,
) -> Result<(), Fault> {
    let mut service = records.service(id)?.clone();
    if let Some(name) = patch.name {
        service.name = validation::name(&name)?;
        check_name_is_free(records, &service.name, Some(id))?;
    }
    if let Some(target) = patch.target {
        let target = parse_target(&target)?;
        service.target = target.address;
        service.kind = target.kind.unwrap_or(service.kind);
        service.path = target.path.map_or(Ok(service.path), |path| validation::path(&path))?;
    }
    if let Some(path) = patch.path {
        service.path = validation::path(&path)?;
    }
    if let Some(description) = patch.description {
        service.description = validation::description(&description)?;
    }
    service.kind = patch.kind.unwrap_or(service.kind);
    service.health_check = patch.health_check.unwrap_or(service.health_check);
    service::change(records, tx, service);
    Ok(())
}

pub(super) fn set(records: &mut Records, tx: &mut Transaction, id: ServiceId, on: bool) -> Result<(), Fault> {
    records.service(id)?;
    service::set_on(records, tx, id, on);
    Ok(())
}

pub(super) fn close(records: &mut Records, tx: &mut Transaction, id: ServiceId) -> Result<(), Fault> {
    records.service(id)?;
    service::close(records, tx, id);
    Ok(())
}
