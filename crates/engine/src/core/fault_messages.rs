//! The sentences of what cannot be had from others, by code.

use crate::api::{Code, Fault};

/// Why an invitation leads nowhere.
pub(crate) fn invitation(code: Code, owner: &str) -> Fault {
    let sentence = match code {
        Code::BadTicket => format!("{owner} does not know this invitation: ask for a new one."),
        Code::TicketUsed => "Somebody else has used this invitation: ask for one of your own.".to_owned(),
        Code::Expired => format!("This invitation is over: ask {owner} for a new one."),
        Code::Revoked => format!("{owner} has taken this invitation back."),
        Code::Denied => format!("{owner} said no."),
        Code::ServiceClosed => format!("{owner} does not share this any more."),
        Code::Blocked => format!("{owner} does not let you in."),
        Code::OwnInvitation => "This is your own invitation: send it to somebody else.".to_owned(),
        Code::AlreadyIn => "You have accepted this invitation already.".to_owned(),
        _ => format!("{owner} could not let you in."),
    };
    Fault::new(code, sentence)
}

/// Why a portal is not up although its owner is there.
pub(crate) fn portal(code: Code, owner: &str) -> Fault {
    let sentence = match code {
        Code::PausedByOwner => format!("{owner} has paused it."),
        Code::Expired => format!("The time is over: ask {owner} for more."),
        Code::Revoked => format!("{owner} has taken the access back."),
        Code::ServiceClosed => format!("{owner} does not share this any more."),
        Code::Blocked => format!("{owner} does not let you in."),
        Code::Denied => format!("{owner} does not let you in now."),
        Code::TooMany => "All connections that you may have are open.".to_owned(),
        Code::ServiceDown => format!("{owner} is there, but the service does not answer."),
        Code::OwnerOffline => format!("{owner} cannot be reached: their computer or Postern is off."),
        _ => format!("The last connection to {owner} failed."),
    };
    Fault::new(code, sentence)
}
