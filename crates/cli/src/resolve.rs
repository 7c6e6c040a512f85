//! Resolution of names on the command line: a word is matched against names, prefixes of names, and ids.
//!
//! Exact matches win over prefixes. A word with several matches is an error that lists them, never a guess.

use crate::terminal_text::{sanitized, shell_quoted};
use postern_engine::api::{GrantId, GrantState, InletId, InvitationId, ReceivedView, SentState, ServiceId, Snapshot};
use postern_node::identity::Identifier;

/// Shortest prefix of an id that counts: with fewer digits a name could match an id by accident.
const SHORTEST_ID: usize = 4;

/// How things are named, for the help of commands.
pub(crate) const HELP: &str = "\
Things are named by their name, a prefix of it, or a prefix of their id. A kind in front resolves an ambiguous name: \
service:wiki, portal:wiki, person:Ben. One person's access to one service is wiki/Ben.";

/// Why a word could not be resolved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error("There is no {what} `{word}`. {known}")]
    Unknown { what: &'static str, word: String, known: String },
    #[error("`{word}` could be {candidates}. Use the whole name or the id.")]
    Ambiguous { word: String, candidates: String },
    /// Nothing was named, and there is nothing to choose.
    #[error("{0}")]
    None(&'static str),
    /// Nothing was named, and there are several.
    #[error("{0}")]
    Several(&'static str),
}

/// Something that a word can be resolved to.
#[derive(Clone)]
pub(crate) struct Candidate<T> {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) value: T,
}

/// The kinds of things that commands act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entity {
    Service(ServiceId),
    Portal(InletId),
    Person(Identifier),
    Grant(GrantId),
    Invitation(InvitationId),
}

/// Resolves a word to one candidate.
pub(crate) fn find<T: Clone>(
    what: &'static str,
    word: &str,
    mut candidates: Vec<Candidate<T>>,
) -> Result<Candidate<T>, ResolveError> {
    let mut text = word;
    // A name that looks like a kind and a name is that name.
    let is_a_name = candidates.iter().any(|candidate| candidate.name == word);
    if let Some((kind, rest)) = word.split_once(':')
        && !is_a_name
        && candidates.iter().any(|candidate| candidate.kind == kind)
    {
        candidates.retain(|candidate| candidate.kind == kind);
        text = rest;
    }
    let lower = text.to_lowercase();
    type Matches<'a, T> = Box<dyn Fn(&Candidate<T>) -> bool + 'a>;
    let matchers: [Matches<'_, T>; 4] = [
        Box::new(|candidate| candidate.id == text),
        Box::new(|candidate| candidate.name == text),
        Box::new(|candidate| candidate.name.to_lowercase() == lower),
        Box::new(|candidate| {
            let by_id = text.len() >= SHORTEST_ID && candidate.id.starts_with(&lower);
            !lower.is_empty() && (candidate.name.to_lowercase().starts_with(&lower) || by_id)
        }),
    ];
    for matches in matchers {
        let mut found = candidates.iter().filter(|candidate| matches(candidate));
        match (found.next(), found.next()) {
            (Some(one), None) => return Ok(one.clone()),
            (Some(_), Some(_)) => {
                let all: Vec<_> = candidates.iter().filter(|candidate| matches(candidate)).map(describe).collect();
                return Err(ResolveError::Ambiguous { word: sanitized(word), candidates: all.join(" or ") });
            }
            _ => {}
        }
    }
    let names: Vec<_> = candidates.iter().map(|candidate| sanitized(&candidate.name)).collect();
    let known = match names.is_empty() {
        true => "There is none.".to_owned(),
        false => format!("There is {}.", names.join(", ")),
    };
    Err(ResolveError::Unknown { what, word: sanitized(word), known })
}

/// A name as an argument of a command that is suggested: quoted for a shell, and with its kind in front where it would be taken for an option.
pub(crate) fn argument(kind: &str, name: &str) -> String {
    match name.starts_with('-') {
        true => shell_quoted(&format!("{kind}:{name}")),
        false => shell_quoted(name),
    }
}

fn describe<T>(candidate: &Candidate<T>) -> String {
    format!(
        "the {} {} ({})",
        candidate.kind,
        sanitized(&candidate.name),
        candidate.id.get(..8).unwrap_or(&candidate.id)
    )
}

pub(crate) fn services(snapshot: &Snapshot) -> Vec<Candidate<Entity>> {
    let candidates = snapshot.services.iter().map(|service| Candidate {
        kind: "service",
        name: service.name.clone(),
        id: service.id.to_string(),
        value: Entity::Service(service.id),
    });
    candidates.collect()
}

pub(crate) fn portals(snapshot: &Snapshot) -> Vec<Candidate<Entity>> {
    let candidates = snapshot.inlets.iter().map(|inlet| Candidate {
        kind: "portal",
        name: inlet.name.clone(),
        id: inlet.id.to_string(),
        value: Entity::Portal(inlet.id),
    });
    candidates.collect()
}

pub(crate) fn people(snapshot: &Snapshot) -> Vec<Candidate<Entity>> {
    let candidates = snapshot.contacts.iter().map(|contact| Candidate {
        kind: "person",
        name: contact.name.clone(),
        id: contact.identifier.to_string(),
        value: Entity::Person(contact.identifier),
    });
    candidates.collect()
}

/// Live grants, as `service/person`.
pub(crate) fn grants(snapshot: &Snapshot) -> Vec<Candidate<Entity>> {
    let mut candidates = Vec::new();
    for service in &snapshot.services {
        for person in service.people.iter().filter(|person| is_live(person.state)) {
            candidates.push(Candidate {
                kind: "access",
                name: format!("{}/{}", service.name, person.name),
                id: person.grant.to_string(),
                value: Entity::Grant(person.grant),
            });
        }
    }
    candidates
}

/// Open invitations that were sent, as `service/name`.
pub(crate) fn invitations(snapshot: &Snapshot) -> Vec<Candidate<Entity>> {
    let mut candidates = Vec::new();
    for service in &snapshot.services {
        for sent in service.invitations.iter().filter(|sent| is_open(sent.state)) {
            let name = sent.name.as_deref().unwrap_or("link");
            candidates.push(Candidate {
                kind: "invitation",
                name: format!("{}/{name}", service.name),
                id: sent.id.to_string(),
                value: Entity::Invitation(sent.id),
            });
        }
    }
    candidates
}

/// Resolves a word to a service.
pub(crate) fn service(snapshot: &Snapshot, word: &str) -> Result<ServiceId, ResolveError> {
    match find("service", word, services(snapshot))?.value {
        Entity::Service(service) => Ok(service),
        _ => unreachable!("only services are candidates"),
    }
}

/// Resolves a word to a contact.
pub(crate) fn person(snapshot: &Snapshot, word: &str) -> Result<Identifier, ResolveError> {
    match find("contact", word, people(snapshot))?.value {
        Entity::Person(person) => Ok(person),
        _ => unreachable!("only people are candidates"),
    }
}

/// Resolves a word to a received invitation: by its service, its owner, or its id.
pub(crate) fn received_invitation<'a>(snapshot: &'a Snapshot, word: &str) -> Result<&'a ReceivedView, ResolveError> {
    let by = |kind, name: fn(&ReceivedView) -> &String| {
        let candidates = snapshot.invitations.iter().enumerate().map(move |(index, received)| Candidate {
            kind,
            name: name(received).clone(),
            id: received.id.to_string(),
            value: index,
        });
        candidates.collect::<Vec<_>>()
    };
    let by_service = find("invitation", word, by("service", |received| &received.service_name));
    let found = match by_service {
        Err(ResolveError::Unknown { .. }) => find("invitation", word, by("person", |received| &received.owner_name)),
        found => found,
    };
    Ok(&snapshot.invitations[found?.value])
}

/// Whether a grant gives access, now or after it is resumed.
pub(crate) fn is_live(state: GrantState) -> bool {
    matches!(state, GrantState::Active | GrantState::Paused)
}

/// Whether an invitation can still be accepted.
pub(crate) fn is_open(state: SentState) -> bool {
    matches!(state, SentState::Created | SentState::Delivered | SentState::Seen | SentState::Knocking)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(kind: &'static str, name: &str, id: &str, value: u8) -> Candidate<u8> {
        Candidate { kind, name: name.into(), id: id.into(), value }
    }

    fn found(word: &str) -> Result<u8, String> {
        let candidates = vec![
            candidate("service", "wiki", "aaaa1111", 1),
            candidate("service", "Wiki two", "aaaa2222", 2),
            candidate("portal", "notes", "bbbb3333", 3),
            candidate("person", "notes", "cccc4444", 4),
        ];
        find("thing", word, candidates).map(|candidate| candidate.value).map_err(|error| error.to_string())
    }

    #[test]
    fn a_name_its_beginning_or_an_id_will_do() {
        assert_eq!(found("wiki"), Ok(1));
        assert_eq!(found("WIKI"), Ok(1));
        assert_eq!(found("wiki t"), Ok(2));
        assert_eq!(found("aaaa2222"), Ok(2));
        assert_eq!(found("aaaa1"), Ok(1));
        assert_eq!(found("portal:notes"), Ok(3));
        assert_eq!(found("person:no"), Ok(4));
    }

    #[cfg(unix)]
    #[test]
    fn a_suggested_argument_is_the_name_behind_a_shell() {
        let names = ["wiki", "-x", "service:x", "👩🏽\u{200d}🚀", "Zoë's *$(ls)* \"`", "--", "a b", &"long ".repeat(15)];
        let candidates: Vec<_> =
            names.iter().enumerate().map(|(at, name)| candidate("service", name, "", at as u8)).collect();
        for (at, name) in names.iter().enumerate() {
            let command = format!("printf %s {}", argument("service", name));
            let printed = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
            let word = String::from_utf8(printed.stdout).unwrap();
            assert!(!word.starts_with('-'), "{word} would be an option");
            assert_eq!(find("service", &word, candidates.clone()).unwrap().value, at as u8, "{name} as {word}");
        }
    }

    #[test]
    fn what_could_be_several_things_lists_them() {
        let error = found("notes").unwrap_err();
        assert!(error.contains("the portal notes (bbbb3333) or the person notes (cccc4444)"), "{error}");
        assert!(found("wi").unwrap_err().contains("Wiki two"));
        assert!(found("aaaa").unwrap_err().contains("aaaa1111"));
    }

    #[test]
    fn what_is_nothing_says_what_there_is() {
        let error = found("blog").unwrap_err();
        assert!(error.contains("no thing `blog`") && error.contains("wiki, Wiki two"), "{error}");
        assert!(found("").is_err());
        assert!(found("aaa").is_err(), "three digits of an id are an accident");
        let none = find::<u8>("thing", "x\u{1b}[2J", vec![]);
        assert!(none.is_err_and(|error| !error.to_string().contains('\u{1b}')));
    }
}
