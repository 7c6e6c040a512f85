//! What a snapshot says about what is wrong, for `postern doctor`.

use crate::api::{Code, Finding, Health, InletLink, LinkState, Severity, Snapshot, VerifyAgain};
use crate::core::clock_skew;

/// What a snapshot says about what is wrong, worst first.
pub(crate) fn findings(snapshot: &Snapshot) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut found = |severity, subject: &str, message: String, advice: Option<&str>| {
        let (subject, advice) = (subject.to_owned(), advice.map(str::to_owned));
        findings.push(Finding { severity, subject, message, advice });
    };
    for fault in &snapshot.troubles {
        let subject = match fault.code {
            Code::NoWayIn | Code::HubChanged => "hub",
            Code::KeyRefused | Code::CannotMail => "contact",
            _ => "keychain",
        };
        found(Severity::Bad, subject, fault.message.clone(), None);
    }
    for contact in snapshot.contacts.iter().filter(|it| it.verify_again.is_some()) {
        let message = match contact.verify_again {
            Some(VerifyAgain::KeyChanged) => format!("The key of {} has changed since you verified it.", contact.name),
            _ => format!("Postern's words have become longer since you verified {}.", contact.name),
        };
        found(Severity::Warning, "contact", message, Some("Compare the words once more, in a call or face to face."));
    }
    for hub in &snapshot.hubs {
        match &hub.link {
            LinkState::Up => found(Severity::Good, "hub", format!("{} is connected.", hub.address), None),
            LinkState::Down { fault, .. } => {
                let message = format!("{} is not connected: {}", hub.address, fault.message);
                found(Severity::Bad, "hub", message, Some("Check this computer's network, and the hub's address."));
            }
            _ => found(Severity::Warning, "hub", format!("{} is not connected yet.", hub.address), None),
        }
    }
    for hub in &snapshot.hubs {
        let Some(ahead_ms) = hub.clock_ahead_ms.filter(|it| it.unsigned_abs() >= clock_skew::ACCEPTED) else {
            continue;
        };
        let sentence = clock_skew::sentence(ahead_ms, &format!("that of the hub {}.", hub.address));
        found(
            Severity::Warning,
            "clock",
            sentence,
            Some("Compare both with a clock that you trust, and set yours if it is wrong."),
        );
    }
    if let Some(fault) = &snapshot.this_computer.fault {
        found(Severity::Warning, "hub", format!("Others cannot reach this computer: {}", fault.message), None);
    }
    for service in &snapshot.services {
        match &service.health {
            Health::Down { fault, .. } => {
                let message = format!("{} does not answer at {}: {}", service.name, service.target, fault.message);
                found(Severity::Bad, "service", message, Some("Start the program, or change where the service is."));
            }
            Health::Up => found(Severity::Good, "service", format!("{} answers.", service.name), None),
            Health::Unknown => {}
        }
    }
    for inlet in &snapshot.inlets {
        match &inlet.link {
            InletLink::Up { .. } => found(Severity::Good, "portal", format!("{} is up.", inlet.name), None),
            InletLink::Down { fault, .. } => {
                found(Severity::Bad, "portal", format!("{} is not up: {}", inlet.name, fault.message), None);
            }
            InletLink::Connecting => {
                found(Severity::Warning, "portal", format!("{} is being connected.", inlet.name), None);
            }
            InletLink::Off => {}
        }
    }
    findings.sort_by_key(|it| std::cmp::Reverse(it.severity));
    findings
}
