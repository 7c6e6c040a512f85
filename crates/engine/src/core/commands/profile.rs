//! This person: their identity, their name, where they can be reached.
//!
//! ```text
//! nothing saved:  SetUp ──► CreateIdentity ──► Identity ──► Save(profile) ──► Answer
//! a profile:      start ──► LoadIdentity ──► Identity ──► everything is kept again
//! ```
//!
//! A key that is not the profile's, or none, is shown as a trouble: it never makes a new person of the old records.

use crate::api::{Answer, Code, Fault};
use crate::core::commands::grants;
use crate::core::event::{OwnIdentity, RequestId};
use crate::core::limits::MAX_HUBS;
use crate::core::records::{Profile, Record, RecordKey, TicketSecret};
use crate::core::transaction::Transaction;
use crate::core::{Effect, State, validation};
use crate::peer::ContactInfo;
use crate::peer::{PeerAddress, relay_name};
use postern_node::identity::Identifier;
use std::collections::BTreeMap;

/// How long receipts are kept if nothing else is said, in days.
pub(crate) const RETENTION_DAYS: u32 = 90;

/// The key of this person, which the runner holds.
#[derive(Default)]
pub(crate) enum Key {
    /// Not asked for.
    #[default]
    None,
    /// Being made for somebody who sets up.
    Making(RequestId, Profile),
    /// Being loaded.
    Loading,
    Failed(Fault),
    Here(OwnIdentity),
}

impl State {
    /// Whether the identity is there, and with it a node.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.key, Key::Here(_))
    }

    pub(crate) fn me(&self) -> Option<Identifier> {
        self.profile.as_ref()?.identity
    }

    /// Whether the records are this person's, or nobody's yet.
    pub(crate) fn is_of(&self, person: Identifier) -> bool {
        self.me().is_none_or(|me| me == person)
    }

    pub(crate) fn key_fault(&self) -> Option<&Fault> {
        match &self.key {
            Key::Failed(fault) => Some(fault),
            _ => None,
        }
    }

    /// Why nothing can be sealed or opened, while it cannot.
    pub(crate) fn check_key(&self) -> Result<(), Fault> {
        match &self.key {
            Key::Here(_) => Ok(()),
            Key::Failed(fault) => Err(fault.clone()),
            _ => Err(Fault::new(
                Code::KeychainLocked,
                "The keychain has not given the key yet: unlock it, or try again.",
            )),
        }
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.profile.as_ref().is_some_and(|it| it.paused)
    }

    /// Where this person can be reached: directly first, then over hubs in their order.
    pub(crate) fn reach(&self) -> Vec<PeerAddress> {
        let (Some(profile), Some(me)) = (&self.profile, self.me()) else { return Vec::new() };
        let direct = self.this_computer.addresses.iter().filter(|_| profile.this_computer);
        let direct = direct.map(|address| PeerAddress::Direct { address: address.clone() });
        let hubs = profile.hubs.iter().map(|hub| PeerAddress::Hub { address: hub.clone(), relay: relay_name(&me) });
        // Hubs must not be crowded out by a computer with many addresses.
        let mut reach: Vec<_> = direct.take(crate::core::limits::MAX_REACH - MAX_HUBS).collect();
        reach.extend(hubs);
        reach
    }

    pub(crate) fn card(&self) -> ContactInfo {
        ContactInfo {
            name: self.profile.as_ref().map(|it| it.name.clone()).unwrap_or_default(),
            postal: if let Key::Here(own) = &self.key { own.postal.clone() } else { Vec::new() },
            hubs: self.profile.as_ref().map(|it| it.hubs.clone()).unwrap_or_default(),
            reach: self.reach(),
        }
    }
}

pub(crate) fn start(state: &mut State, turn: &mut Transaction) {
    if state.profile.is_none() {
        return;
    }
    // What friends were told last is taken for told; what ends now is told anew.
    crate::core::derive::reconcile::remember_standings(state, turn.now.wall);
    grants::end_those_until_quit(state, turn);
    crate::core::tasks::expiry::mark(state, turn);
    state.key = Key::Loading;
    turn.effect(Effect::LoadIdentity);
}

pub(crate) fn retry(state: &mut State, turn: &mut Transaction) {
    if matches!(state.key, Key::Failed(_)) && state.profile.is_some() {
        state.key = Key::Loading;
        turn.effect(Effect::LoadIdentity);
    }
}

pub(crate) fn set_up(
    state: &mut State,
    turn: &mut Transaction,
    request: RequestId,
    name: &str,
    hubs: &[String],
    this_computer: bool,
) -> Result<(), Fault> {
    if state.profile.is_some() || matches!(state.key, Key::Making(..)) {
        return Err(Fault::new(Code::AlreadySetUp, "Postern is set up already."));
    }
    let name = validation::name(name)?;
    let mut checked: Vec<String> = Vec::new();
    for hub in hubs {
        let hub = validation::hub(hub)?;
        if !checked.contains(&hub) {
            checked.push(hub);
        }
    }
    if checked.len() > MAX_HUBS {
        return Err(Fault::new(Code::TooMany, format!("{MAX_HUBS} hubs are the most.")));
    }
    let profile = Profile {
        identity: None,
        name,
        hubs: checked,
        hub_pins: BTreeMap::new(),
        this_computer,
        paused: false,
        retention_days: RETENTION_DAYS,
    };
    state.key = Key::Making(request, profile);
    turn.effect(Effect::CreateIdentity);
    Ok(())
}

/// The runner has made or loaded the key, or could not.
pub(crate) fn identity(state: &mut State, turn: &mut Transaction, identity: Result<OwnIdentity, Fault>) {
    match (std::mem::take(&mut state.key), identity) {
        (Key::Making(request, _), Err(fault)) => turn.answer(request, Err(fault)),
        (Key::Making(request, mut profile), Ok(own)) => {
            profile.identity = Some(own.identifier);
            turn.put(RecordKey::Profile, Record::Profile(profile.clone()));
            state.profile = Some(profile);
            state.key = Key::Here(own);
            turn.answer(request, Ok(Answer::Done));
        }
        // It is here already; whatever this is about, it is not another person.
        (Key::Here(own), _) => state.key = Key::Here(own),
        (_, Err(fault)) => state.key = Key::Failed(fault),
        (_, Ok(mut own)) => {
            let Some(profile) = &state.profile else { return };
            if profile.identity.is_some_and(|it| it != own.identifier) {
                let sentence = "The key in the keychain is somebody else's: restore the one of this person.";
                state.key = Key::Failed(Fault::new(Code::NotTrusted, sentence));
                return;
            }
            let identifier = own.identifier;
            let secrets = std::mem::take(&mut own.secrets);
            state.key = Key::Here(own);
            recall(state, secrets);
            put(state, turn, |it| it.identity = Some(identifier));
            crate::core::tasks::outbound_calls::sync_the_refused(state, turn);
        }
    }
}

/// Gives records their secrets, which could not be read before the key was there.
fn recall(state: &mut State, secrets: Vec<(RecordKey, TicketSecret)>) {
    for (key, secret) in secrets {
        match key {
            RecordKey::Invitation(id) => state.invitations.recall(id, |it| it.secret = Some(secret)),
            RecordKey::Received(id) => state.received.recall(id, |it| it.secret = Some(secret)),
            _ => {}
        }
    }
}

/// Changes the profile, and saves it if that made a difference.
pub(crate) fn put(state: &mut State, turn: &mut Transaction, change: impl FnOnce(&mut Profile)) {
    let Some(profile) = &mut state.profile else { return };
    let before = profile.clone();
    change(profile);
    if *profile != before {
        turn.put(RecordKey::Profile, Record::Profile(profile.clone()));
    }
}

/// Changes the profile, which is there whenever requests are heard.
pub(crate) fn change(
    state: &mut State,
    turn: &mut Transaction,
    change: impl FnOnce(&mut Profile),
) -> Result<(), Fault> {
    put(state, turn, change);
    Ok(())
}

pub(crate) fn rename(state: &mut State, turn: &mut Transaction, name: &str) -> Result<(), Fault> {
    let name = validation::name(name)?;
    change(state, turn, |it| it.name = name)
}
