//! The sentences of faults that several modules report.

use crate::api::{Code, Fault};
use crate::core::schema::HistoryRefusal;

/// Nobody can reach the user.
pub(crate) fn no_way_in() -> Fault {
    Fault::new(Code::NoWayIn, "Nobody can reach you yet: add a hub, or let others reach this computer.")
}

/// A hub has another identifier than the pinned one.
pub(crate) fn hub_changed(address: &str) -> Fault {
    let sentence = format!(
        "The hub {address} has changed identity: it was set up anew, or somebody else answers there. It can read nothing \
         either way. Add it again if you know why, or remove it."
    );
    Fault::new(Code::HubChanged, sentence)
}

/// Somebody presented another key history than a contact's.
pub(crate) fn key_refused(name: &str, how: HistoryRefusal) -> Fault {
    let sentence = match how {
        HistoryRefusal::Older => format!(
            "Somebody answered with a key that {name} has replaced, and was refused. Either {name} uses an old backup, or \
             their old key was stolen. Ask them in a call, and compare their words again."
        ),
        HistoryRefusal::Fork => format!(
            "Somebody answered as {name} with a key that does not follow from the one that you know, and was refused. One of \
             {name}'s keys is in the hands of somebody else. Ask them in a call, and compare their words again."
        ),
    };
    Fault::new(Code::KeyRefused, sentence)
}

/// A contact gave somebody else's postal address.
pub(crate) fn postal_refused(name: &str) -> Fault {
    let sentence = format!(
        "{name} gave an address for mail that belongs to somebody else. Postern sends no mail there. Invite {name} with a \
         link, and ask them to update Postern."
    );
    Fault::new(Code::CannotMail, sentence)
}

/// A contact's key was not seen since the words are made of it.
pub(crate) fn words_unknown(name: &str) -> Fault {
    let sentence = format!("The words of {name} are not known yet. They are shown once both computers were connected.");
    Fault::new(Code::NotFound, sentence)
}

/// It was not said which words the user compared.
pub(crate) fn words_not_said(name: &str) -> Fault {
    Fault::new(Code::Invalid, format!("Say which words of {name} you have compared."))
}

/// The words that the user compared are not those of the contact's key now.
pub(crate) fn words_changed(name: &str) -> Fault {
    let sentence = format!("The words of {name} have changed since you saw them: compare the new ones.");
    Fault::new(Code::KeyChanged, sentence)
}

/// Why an invitation cannot become a portal.
pub(crate) fn invitation(code: Code, owner: &str) -> Fault {
    let sentence = match code {
        Code::BadTicket => format!("{owner} does not know this invitation: ask for a new one."),
        Code::TicketUsed => format!("Somebody else has used this invitation: ask {owner} for one of your own."),
        Code::Expired => format!("This invitation has expired: ask {owner} for a new one."),
        Code::Revoked => format!("{owner} withdrew this invitation."),
        Code::Denied => format!("{owner} declined your request."),
        Code::ServiceClosed => format!("{owner} no longer shares this."),
        Code::Blocked => format!("{owner} has blocked you."),
        Code::OwnInvitation => "This is your own invitation: send it to somebody else.".to_owned(),
        Code::AlreadyIn => "You have accepted this invitation already.".to_owned(),
        _ => format!("{owner} could not let you in."),
    };
    Fault::new(code, sentence)
}

/// Why a portal is not up although its owner is online.
pub(crate) fn portal(code: Code, owner: &str) -> Fault {
    let sentence = match code {
        Code::PausedByOwner => format!("{owner} paused it. It works again when {owner} resumes it."),
        Code::Expired => format!("Your access has ended. Ask {owner} to renew it."),
        Code::Revoked => format!("{owner} ended your access. Ask for a new invitation if you still need it."),
        Code::ServiceClosed => format!("{owner} no longer shares this."),
        Code::Blocked => format!("{owner} has blocked you."),
        Code::Denied => format!("{owner} refused the connection."),
        Code::TooMany => "You’ve reached your connection limit. Close one of your connections.".to_owned(),
        Code::ServiceDown => format!("{owner} is online, but the service is not responding."),
        Code::OwnerOffline => format!("{owner} cannot be reached: their computer or Postern is off."),
        _ => format!("Couldn’t connect to {owner}. Postern keeps trying."),
    };
    Fault::new(code, sentence)
}

/// Says whose clock it is that differs from this computer's.
pub(crate) fn with_owner(fault: Fault, owner: &str) -> Fault {
    match fault.code {
        Code::ClockSkew => {
            Fault { message: fault.message.replace("that of the other side", &format!("{owner}'s")), ..fault }
        }
        Code::Asked => Fault { message: format!("Waiting for {owner} to let you in."), ..fault },
        _ => fault,
    }
}
