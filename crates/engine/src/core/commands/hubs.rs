//! Where this person can be met: hubs, and this computer itself.

use crate::api::{Code, Fault, LinkState, Notice, UnixMillis};
use crate::core::commands::profile;
use crate::core::limits::{MAX_HUBS, MAX_REACH, NOTICE_EVERY};
use crate::core::transaction::Transaction;
use crate::core::{State, validation};
use postern_node::identity::Identifier;

/// What this computer listens on in its network.
#[derive(Default)]
pub(crate) struct Listening {
    pub(crate) addresses: Vec<String>,
    pub(crate) fault: Option<Fault>,
}

/// The connection with a hub.
#[derive(Default)]
pub(crate) struct HubState {
    pub(crate) identifier: Option<Identifier>,
    pub(crate) is_up: bool,
    /// Whoever answers there is not who did at first.
    pub(crate) is_other: bool,
    pub(crate) down: Option<(Fault, UnixMillis)>,
}

impl HubState {
    pub(crate) fn state(&self) -> LinkState {
        match &self.down {
            _ if self.is_up => LinkState::Up,
            Some((fault, since)) => LinkState::Down { fault: fault.clone(), since: *since },
            None => LinkState::Connecting,
        }
    }
}

/// When the loss of the last hub was told.
#[derive(Default)]
pub(crate) struct Notices {
    lost_at: Option<u64>,
    lost_is_told: bool,
}

impl State {
    pub(crate) fn any_hub_is_up(&self) -> bool {
        self.hubs.values().any(|it| it.is_up)
    }

    fn has_hub(&self, address: &str) -> bool {
        self.profile.as_ref().is_some_and(|it| it.hubs.iter().any(|hub| hub == address))
    }
}

pub(crate) fn listening(state: &mut State, result: Result<Vec<String>, Fault>) {
    state.this_computer = match result {
        Ok(addresses) => Listening { addresses: addresses.into_iter().take(MAX_REACH).collect(), fault: None },
        Err(fault) => Listening { addresses: Vec::new(), fault: Some(fault) },
    };
}

pub(crate) fn up(state: &mut State, turn: &mut Transaction, address: String, identifier: Option<Identifier>) {
    if !state.has_hub(&address) {
        return;
    }
    let pinned = state.profile.as_ref().and_then(|it| it.hub_pins.get(&address)).copied();
    let link = state.hubs.entry(address.clone()).or_default();
    let was_up = link.is_up;
    let identifier = identifier.or(link.identifier);
    let is_other = pinned.is_some() && identifier.is_some() && identifier != pinned;
    *link = HubState { identifier, is_up: true, is_other, down: None };
    if let Some(identifier) = identifier.filter(|_| pinned.is_none()) {
        pin(state, turn, &address, identifier);
    }
    if was_up {
        return;
    }
    if std::mem::take(&mut state.hub_notices.lost_is_told) {
        turn.notify(Notice::HubBack { address });
    }
    state.errands.hurry(turn.now.ticks);
    state.mail.hurry(turn.now.ticks);
}

/// Remembers who a hub is.
fn pin(state: &mut State, turn: &mut Transaction, address: &str, identifier: Identifier) {
    profile::put(state, turn, |it| {
        it.hub_pins.insert(address.to_owned(), identifier);
    });
}

/// What a person should know of a hub that is somebody else now.
pub(crate) fn is_another(address: &str) -> Fault {
    let sentence = format!(
        "The hub {address} is not the one it was: it was set up anew, or somebody else answers there. It can read nothing \
         either way. Add it again if you know why, or remove it."
    );
    Fault::new(Code::HubChanged, sentence)
}

pub(crate) fn down(state: &mut State, turn: &mut Transaction, address: String, fault: Fault) {
    if !state.has_hub(&address) {
        return;
    }
    let link = state.hubs.entry(address.clone()).or_default();
    let was_up = std::mem::replace(&mut link.is_up, false);
    let since = link.down.take().map_or(turn.now.wall, |(_, since)| since);
    link.down = Some((fault.clone(), since));
    let quiet = state.hub_notices.lost_at.is_some_and(|at| turn.now.ticks < at.saturating_add(NOTICE_EVERY));
    if was_up && !quiet && !state.any_hub_is_up() {
        state.hub_notices = Notices { lost_at: Some(turn.now.ticks), lost_is_told: true };
        turn.notify(Notice::HubLost { address, fault });
    }
}

pub(crate) fn add(state: &mut State, turn: &mut Transaction, address: &str) -> Result<(), Fault> {
    let address = validation::hub(address)?;
    let hubs = state.profile.as_ref().map_or(&[][..], |it| &it.hubs);
    if hubs.contains(&address) {
        // Whoever adds it again takes it for what it is now.
        if let Some(link) = state.hubs.get_mut(&address).filter(|it| it.is_other) {
            link.is_other = false;
            if let Some(identifier) = link.identifier {
                pin(state, turn, &address, identifier);
            }
        }
        return Ok(());
    }
    if hubs.len() >= MAX_HUBS {
        return Err(Fault::new(Code::TooMany, format!("{MAX_HUBS} hubs are the most.")));
    }
    profile::change(state, turn, |it| it.hubs.push(address))
}

pub(crate) fn remove(state: &mut State, turn: &mut Transaction, address: &str) -> Result<(), Fault> {
    let address = validation::hub(address)?;
    if !state.has_hub(&address) {
        return Err(Fault::new(Code::NotFound, format!("{address} is not one of your hubs.")));
    }
    state.hubs.remove(&address);
    profile::change(state, turn, |it| {
        it.hubs.retain(|hub| *hub != address);
        it.hub_pins.remove(&address);
    })
}
