//! Changing, switching and removing portals.

use crate::api::{Code, Fault, InletId, ServiceKind};
use crate::core::records::{Records, inlet};
use crate::core::transaction::Transaction;
use crate::core::validation;

pub(super) fn change(
    records: &mut Records,
    tx: &mut Transaction,
    id: InletId,
    name: Option<String>,
    port: Option<u16>,
) -> Result<(), Fault> {
    records.inlet(id)?;
    let name = name.map(|it| validation::name(&it)).transpose()?;
    if let Some(port) = port {
        records.check_port(port, Some(id))?;
    }
    inlet::change(records, tx, id, name, port);
    Ok(())
}

pub(super) fn set(records: &mut Records, tx: &mut Transaction, id: InletId, on: bool) -> Result<(), Fault> {
    records.inlet(id)?;
    inlet::set_on(records, tx, id, on);
    Ok(())
}

pub(super) fn set_check(records: &mut Records, tx: &mut Transaction, id: InletId, on: bool) -> Result<(), Fault> {
    if records.inlet(id)?.service_kind == ServiceKind::Tcp {
        return Err(Fault::new(Code::Invalid, "Only portals to web pages have a browser check."));
    }
    inlet::set_check(records, tx, id, on);
    Ok(())
}

pub(super) fn remove(records: &mut Records, tx: &mut Transaction, id: InletId) -> Result<(), Fault> {
    records.inlet(id)?;
    inlet::remove(records, tx, id);
    Ok(())
}
