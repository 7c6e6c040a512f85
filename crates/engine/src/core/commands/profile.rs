//! Setting up, the identity, and the user's name.
//!
//! ```text
//! nothing saved:  SetUp ──► CreateIdentity ──► Identity ──► Save(profile) ──► Answer
//! a profile:      start ──► LoadIdentity ──► Identity ──► everything is kept up again
//! ```
//!
//! Without the profile's own key the engine shows why, and runs nothing: it never makes another identity for old records.

use crate::api::{Answer, Code, Fault};
use crate::core::effect::Effect;
use crate::core::event::{OwnIdentity, RequestId};
use crate::core::limits::MAX_HUBS;
use crate::core::observed::IdentityState;
use crate::core::records::{Records, contact, inlet, profile};
use crate::core::schema::{Profile, RETENTION_DAYS};
use crate::core::transaction::Transaction;
use crate::core::validation;
use std::collections::BTreeMap;

/// Loads the identity, when there is a profile.
pub(crate) fn load(records: &mut Records, tx: &mut Transaction) {
    if records.profile.is_some() {
        records.identity = IdentityState::Loading;
        tx.effect(Effect::LoadIdentity);
    }
}

/// Loads the identity again, when that has failed.
pub(crate) fn retry(records: &mut Records, tx: &mut Transaction) {
    if records.identity_fault().is_some() {
        load(records, tx);
    }
}

pub(crate) fn set_up(
    records: &mut Records,
    tx: &mut Transaction,
    request: RequestId,
    name: &str,
    hubs: &[String],
    this_computer: bool,
) -> Result<(), Fault> {
    if records.profile.is_some() || matches!(records.identity, IdentityState::Creating(..)) {
        return Err(Fault::new(Code::AlreadySetUp, "Postern is set up already."));
    }
    let profile = Profile {
        identity: None,
        name: validation::name(name)?,
        hubs: checked_hubs(hubs)?,
        hub_pins: BTreeMap::new(),
        owner_labels: BTreeMap::new(),
        this_computer,
        paused: false,
        retention_days: RETENTION_DAYS,
        web_links: None,
    };
    records.identity = IdentityState::Creating(request, profile);
    tx.effect(Effect::CreateIdentity);
    Ok(())
}

fn checked_hubs(hubs: &[String]) -> Result<Vec<String>, Fault> {
    let mut checked: Vec<String> = Vec::new();
    for hub in hubs {
        let hub = validation::hub(hub)?;
        if !checked.contains(&hub) {
            checked.push(hub);
        }
    }
    if checked.len() > MAX_HUBS {
        return Err(Fault::new(Code::TooMany, format!("You can have up to {MAX_HUBS} hubs: remove one first.")));
    }
    Ok(checked)
}

/// The driver has created or loaded the identity, or could not.
pub(crate) fn identity(records: &mut Records, tx: &mut Transaction, identity: Result<OwnIdentity, Fault>) {
    match (std::mem::take(&mut records.identity), identity) {
        (IdentityState::Creating(request, _), Err(fault)) => tx.answer(request, Err(fault)),
        (IdentityState::Creating(request, mut own_profile), Ok(own)) => {
            own_profile.identity = Some(own.identifier);
            profile::create(records, tx, own_profile);
            records.identity = IdentityState::Ready(own);
            tx.answer(request, Ok(Answer::Done));
        }
        // It is loaded already, and never replaced by another.
        (IdentityState::Ready(own), _) => records.identity = IdentityState::Ready(own),
        (IdentityState::None | IdentityState::Loading | IdentityState::Failed(_), Err(fault)) => {
            records.identity = IdentityState::Failed(fault);
        }
        (IdentityState::None | IdentityState::Loading | IdentityState::Failed(_), Ok(own)) => loaded(records, tx, own),
    }
}

fn loaded(records: &mut Records, tx: &mut Transaction, mut own: OwnIdentity) {
    if records.profile.is_none() {
        return;
    }
    if !records.belong_to(own.identifier) {
        let sentence = "The key in the keychain is somebody else's: restore the one of this person.";
        records.identity = IdentityState::Failed(Fault::new(Code::NotTrusted, sentence));
        return;
    }
    let identifier = own.identifier;
    let secrets = std::mem::take(&mut own.secrets);
    records.identity = IdentityState::Ready(own);
    contact::pin_all(records, tx);
    profile::set_secrets(records, secrets);
    profile::change(records, tx, |it| it.identity = Some(identifier));
    inlet::request_sync_of_refused(records, tx);
}

/// Sets the page that web links lead to; none, or an empty text, forgets it.
pub(crate) fn set_web_links(records: &mut Records, tx: &mut Transaction, page: Option<&str>) -> Result<(), Fault> {
    let page = page.filter(|it| !it.trim().is_empty()).map(validation::web_page).transpose()?;
    profile::change(records, tx, |it| it.web_links = page);
    Ok(())
}

pub(crate) fn rename(records: &mut Records, tx: &mut Transaction, name: &str) -> Result<(), Fault> {
    let name = validation::name(name)?;
    profile::change(records, tx, |it| it.name = name);
    Ok(())
}
