//! Naming, verifying, blocking and forgetting contacts.

use crate::api::{Code, Fault};
use crate::core::fault_messages;
use crate::core::records::{Records, contact};
use crate::core::transaction::Transaction;
use crate::core::validation;
use postern_node::identity::Identifier;

pub(super) fn rename(records: &mut Records, tx: &mut Transaction, person: Identifier, name: &str) -> Result<(), Fault> {
    records.contact(person)?;
    let name = validation::name(name)?;
    contact::rename(records, tx, person, name);
    Ok(())
}

/// Notes that the words were compared, or not. `compared` are the words that the user saw: the key may have changed since. Without
/// them nobody is verified: a frontend of an older version may have shown words of the old kind.
pub(super) fn verify(
    records: &mut Records,
    tx: &mut Transaction,
    person: Identifier,
    verified: bool,
    compared: Option<&str>,
) -> Result<(), Fault> {
    let contact = records.contact(person)?;
    if verified {
        let name = contact.display_name();
        let words = contact.words().ok_or_else(|| fault_messages::words_unknown(&name))?;
        let compared = compared.ok_or_else(|| fault_messages::words_not_said(&name))?;
        if compared != words {
            return Err(fault_messages::words_changed(&name));
        }
    }
    contact::set_verified(records, tx, person, verified);
    Ok(())
}

pub(super) fn block(records: &mut Records, tx: &mut Transaction, person: Identifier, on: bool) -> Result<(), Fault> {
    records.contact(person)?;
    contact::set_blocked(records, tx, person, on);
    Ok(())
}

/// Forgets a contact who has no access and grants none.
pub(super) fn forget(records: &mut Records, tx: &mut Transaction, person: Identifier) -> Result<(), Fault> {
    let name = records.contact(person)?.display_name();
    if records.grants.all().any(|it| it.person == person && it.is_live()) {
        return Err(Fault::new(Code::Invalid, format!("{name} still has access: revoke it first.")));
    }
    if records.inlets.all().any(|it| it.owner == person && !it.giving_back) {
        let sentence = format!("You still use what {name} shares: remove those portals first.");
        return Err(Fault::new(Code::Invalid, sentence));
    }
    contact::remove(records, tx, person);
    Ok(())
}
