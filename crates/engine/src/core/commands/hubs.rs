//! Adding and removing hubs.

use crate::api::{Code, Fault};
use crate::core::limits::MAX_HUBS;
use crate::core::records::{Records, hub, profile};
use crate::core::transaction::Transaction;
use crate::core::validation;

/// Adds a hub. Adding one again accepts the identifier that it has now.
pub(super) fn add(records: &mut Records, tx: &mut Transaction, address: &str) -> Result<(), Fault> {
    let address = validation::hub(address)?;
    if records.has_hub(&address) {
        hub::trust_anew(records, tx, &address);
        return Ok(());
    }
    if records.hub_addresses().len() >= MAX_HUBS {
        return Err(Fault::new(Code::TooMany, format!("You can have up to {MAX_HUBS} hubs: remove one first.")));
    }
    profile::change(records, tx, |it| it.hubs.push(address));
    Ok(())
}

pub(super) fn remove(records: &mut Records, tx: &mut Transaction, address: &str) -> Result<(), Fault> {
    let address = validation::hub(address)?;
    if !records.has_hub(&address) {
        return Err(Fault::new(Code::NotFound, format!("{address} is not one of your hubs.")));
    }
    hub::remove(records, tx, &address);
    Ok(())
}
