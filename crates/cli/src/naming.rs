//! Finding the thing that a word on the command line means: its name, the beginning of its name, or its id.

use crate::table::shown;
use postern_engine::api::{GrantId, GrantState, InletId, InvitationId, ReceivedView, SentState, ServiceId, Snapshot};
use postern_node::identity::Identifier;

/// Shortest beginning of an id that counts.
const SHORTEST_ID: usize = 4;

/// How things are named, for the help of commands.
pub(crate) const HELP: &str = "\
Things are named by their name, by the beginning of it, or by the beginning of their id. Where a word could mean more \
than one, say which: service:wiki, portal:wiki, person:Ben. One person's access to one service is wiki/Ben.";

/// Why a word means nothing, or too much.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NamingError {
    #[error("There is no {what} `{word}`. {known}")]
    Unknown { what: &'static str, word: String, known: String },
    #[error("`{word}` could be {among}. Say which, by the whole name or the id.")]
    Ambiguous { word: String, among: String },
}

/// Something that can be named.
#[derive(Clone)]
pub(crate) struct Named<T> {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) thing: T,
}

/// What a word can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thing {
    Service(ServiceId),
    Portal(InletId),
    Person(Identifier),
    Grant(GrantId),
    Invitation(InvitationId),
}

/// Finds the one that is meant.
pub(crate) fn find<T: Clone>(
    what: &'static str,
    word: &str,
    mut among: Vec<Named<T>>,
) -> Result<Named<T>, NamingError> {
    let mut text = word;
    if let Some((kind, rest)) = word.split_once(':')
        && among.iter().any(|named| named.kind == kind)
    {
        among.retain(|named| named.kind == kind);
        text = rest;
    }
    let lower = text.to_lowercase();
    type Matches<'a, T> = Box<dyn Fn(&Named<T>) -> bool + 'a>;
    let ways: [Matches<'_, T>; 4] = [
        Box::new(|named| named.id == text),
        Box::new(|named| named.name == text),
        Box::new(|named| named.name.to_lowercase() == lower),
        Box::new(|named| {
            let by_id = text.len() >= SHORTEST_ID && named.id.starts_with(&lower);
            !lower.is_empty() && (named.name.to_lowercase().starts_with(&lower) || by_id)
        }),
    ];
    for way in ways {
        let mut found = among.iter().filter(|named| way(named));
        match (found.next(), found.next()) {
            (Some(one), None) => return Ok(one.clone()),
            (Some(_), Some(_)) => {
                let all: Vec<_> = among.iter().filter(|named| way(named)).map(described).collect();
                return Err(NamingError::Ambiguous { word: shown(word), among: all.join(" or ") });
            }
            _ => {}
        }
    }
    let names: Vec<_> = among.iter().map(|named| shown(&named.name)).collect();
    let known = match names.is_empty() {
        true => "There is none.".to_owned(),
        false => format!("There is {}.", names.join(", ")),
    };
    Err(NamingError::Unknown { what, word: shown(word), known })
}

fn described<T>(named: &Named<T>) -> String {
    format!("the {} {} ({})", named.kind, shown(&named.name), named.id.get(..8).unwrap_or(&named.id))
}

pub(crate) fn services(snapshot: &Snapshot) -> Vec<Named<Thing>> {
    let named = snapshot.services.iter().map(|service| Named {
        kind: "service",
        name: service.name.clone(),
        id: service.id.to_string(),
        thing: Thing::Service(service.id),
    });
    named.collect()
}

pub(crate) fn portals(snapshot: &Snapshot) -> Vec<Named<Thing>> {
    let named = snapshot.inlets.iter().map(|inlet| Named {
        kind: "portal",
        name: inlet.name.clone(),
        id: inlet.id.to_string(),
        thing: Thing::Portal(inlet.id),
    });
    named.collect()
}

pub(crate) fn people(snapshot: &Snapshot) -> Vec<Named<Thing>> {
    let named = snapshot.contacts.iter().map(|contact| Named {
        kind: "person",
        name: contact.name.clone(),
        id: contact.identifier.to_string(),
        thing: Thing::Person(contact.identifier),
    });
    named.collect()
}

/// Live access of people to services, as `service/person`.
pub(crate) fn grants(snapshot: &Snapshot) -> Vec<Named<Thing>> {
    let mut named = Vec::new();
    for service in &snapshot.services {
        for person in service.people.iter().filter(|person| is_live(person.state)) {
            named.push(Named {
                kind: "access",
                name: format!("{}/{}", service.name, person.name),
                id: person.grant.to_string(),
                thing: Thing::Grant(person.grant),
            });
        }
    }
    named
}

/// Open invitations that were sent, as `service/name`.
pub(crate) fn invitations(snapshot: &Snapshot) -> Vec<Named<Thing>> {
    let mut named = Vec::new();
    for service in &snapshot.services {
        for sent in service.invitations.iter().filter(|sent| is_open(sent.state)) {
            let name = sent.name.as_deref().unwrap_or("link");
            named.push(Named {
                kind: "invitation",
                name: format!("{}/{name}", service.name),
                id: sent.id.to_string(),
                thing: Thing::Invitation(sent.id),
            });
        }
    }
    named
}

/// The service that a word means.
pub(crate) fn service(snapshot: &Snapshot, word: &str) -> Result<ServiceId, NamingError> {
    match find("service", word, services(snapshot))?.thing {
        Thing::Service(service) => Ok(service),
        _ => unreachable!("only services were looked at"),
    }
}

/// The person that a word means.
pub(crate) fn person(snapshot: &Snapshot, word: &str) -> Result<Identifier, NamingError> {
    match find("contact", word, people(snapshot))?.thing {
        Thing::Person(person) => Ok(person),
        _ => unreachable!("only people were looked at"),
    }
}

/// The received invitation that a word means: by its service, its owner, or its id.
pub(crate) fn received<'a>(snapshot: &'a Snapshot, word: &str) -> Result<&'a ReceivedView, NamingError> {
    let by = |kind, name: fn(&ReceivedView) -> &String| {
        let named = snapshot.invitations.iter().enumerate().map(move |(index, received)| Named {
            kind,
            name: name(received).clone(),
            id: received.id.to_string(),
            thing: index,
        });
        named.collect::<Vec<_>>()
    };
    let by_service = find("invitation", word, by("service", |received| &received.service_name));
    let found = match by_service {
        Err(NamingError::Unknown { .. }) => find("invitation", word, by("person", |received| &received.owner_name)),
        found => found,
    };
    Ok(&snapshot.invitations[found?.thing])
}

/// Whether a grant is worth revoking.
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

    fn named(kind: &'static str, name: &str, id: &str, thing: u8) -> Named<u8> {
        Named { kind, name: name.into(), id: id.into(), thing }
    }

    fn found(word: &str) -> Result<u8, String> {
        let among = vec![
            named("service", "wiki", "aaaa1111", 1),
            named("service", "Wiki two", "aaaa2222", 2),
            named("portal", "notes", "bbbb3333", 3),
            named("person", "notes", "cccc4444", 4),
        ];
        find("thing", word, among).map(|named| named.thing).map_err(|error| error.to_string())
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
