use super::*;
use crate::api::{ServiceKind, UnixMillis};
use crate::peer::PeerAddress;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn contact() -> ContactInfo {
    ContactInfo {
        name: "Änn".into(),
        postal: vec![1, 2],
        hubs: vec!["hub:4000".into()],
        reach: vec![
            PeerAddress::Direct { address: "10.0.0.2:5000".into() },
            PeerAddress::Hub { address: "hub:4000".into(), relay: "r".into() },
        ],
    }
}

fn offer() -> Offer {
    Offer {
        grant: GrantId([2; 16]),
        outlet: "o".into(),
        service_name: "wiki".into(),
        service_kind: ServiceKind::Http,
        path: Some("/a".into()),
        description: None,
        port: 8080,
        until: Some(UnixMillis(1_700_000_000_000)),
    }
}

fn invitation() -> PeerNotification {
    PeerNotification::Invitation {
        ticket: InvitationId([1; 16]),
        secret: [9; 32],
        owner_name: "Bob".into(),
        reach: vec![PeerAddress::Direct { address: "h:1".into() }],
        service_name: "wiki".into(),
        service_kind: ServiceKind::Https,
        description: Some("d".into()),
        port: 443,
        expires: UnixMillis(256),
    }
}

const ID1: &str = "5001010101010101010101010101010101";
const ID2: &str = "5002020202020202020202020202020202";
const SECRET: &str = "58200909090909090909090909090909090909090909090909090909090909090909";
const CARD: &str = "8464c3846e6e42010281686875623a3430303082820\
                    06d31302e302e302e323a353030308301686875623a343030306172";
const OFFER: &str = "885002020202020202020202020202020202616f6477696b6901622f61f6191f901b0000018bcfe56800";

#[test]
fn snapshots() {
    let (ticket, secret) = (InvitationId([1; 16]), [9; 32]);
    let to_owner = [
        (PeerRequest::Redeem { ticket, secret, contact: contact() }, format!("850100{ID1}{SECRET}{CARD}")),
        (PeerRequest::Seen { ticket, secret }, format!("840101{ID1}{SECRET}")),
        (PeerRequest::Decline { ticket, secret }, format!("840102{ID1}{SECRET}")),
        (PeerRequest::Sync { grants: vec![GrantId([2; 16])], contact: contact() }, format!("84010381{ID2}{CARD}")),
        (PeerRequest::GiveBack { grant: GrantId([2; 16]) }, format!("830104{ID2}")),
    ];
    for (message, expected) in to_owner {
        let bytes = message.encode().unwrap();
        assert_eq!(hex::encode(&bytes), expected, "{message:?}");
        assert_eq!(PeerRequest::decode(&bytes), Ok(message));
    }
    let statuses = vec![
        (GrantId([2; 16]), GrantStatus::Active(offer())),
        (GrantId([1; 16]), GrantStatus::Inactive(Code::PausedByOwner)),
    ];
    let from_owner = [
        (PeerResponse::Granted(offer(), contact()), format!("840100{OFFER}{CARD}")),
        (PeerResponse::Pending, "820101".into()),
        (PeerResponse::Refused(Code::TicketUsed), "8301026b7469636b65742d75736564".into()),
        (
            PeerResponse::Grants(statuses, contact()),
            format!("8401038282{ID2}8200{OFFER}82{ID1}82016f7061757365642d62792d6f776e6572{CARD}"),
        ),
        (PeerResponse::Done, "820104".into()),
    ];
    for (message, expected) in from_owner {
        let bytes = message.encode().unwrap();
        assert_eq!(hex::encode(&bytes), expected, "{message:?}");
        assert_eq!(PeerResponse::decode(&bytes), Ok(message));
    }
    let news = [
        (invitation(), format!("8b0100{ID1}{SECRET}63426f6281820063683a316477696b690261641901bb190100")),
        (PeerNotification::Withdrawn { ticket }, format!("830101{ID1}")),
        (PeerNotification::KnockDecided { ticket }, format!("830102{ID1}")),
        (PeerNotification::GoingOffline, "820104".to_owned()),
        (
            PeerNotification::Grant { grant: GrantId([2; 16]), status: GrantStatus::Inactive(Code::Revoked) },
            format!("840103{ID2}8201677265766f6b6564"),
        ),
    ];
    for (message, expected) in news {
        let bytes = message.encode().unwrap();
        assert_eq!(hex::encode(&bytes), expected, "{message:?}");
        assert_eq!(PeerNotification::decode(&bytes), Ok(message));
    }
}

#[test]
fn what_a_later_version_appends_is_skipped_and_what_it_changes_is_refused() {
    let bytes = hex::decode(format!("840104{ID2}83010203")).unwrap();
    assert_eq!(PeerRequest::decode(&bytes), Ok(PeerRequest::GiveBack { grant: GrantId([2; 16]) }));
    for hex in [format!("830204{ID2}"), format!("830109{ID2}"), "820104".into(), format!("830104{ID2}00")] {
        assert_eq!(PeerRequest::decode(&hex::decode(&hex).unwrap()), Err(NotAMessage), "{hex}");
    }
    let unknown_code = hex::decode("83010263616263").unwrap();
    assert_eq!(PeerResponse::decode(&unknown_code), Ok(PeerResponse::Refused(Code::Failed)));
}

#[test]
fn names_cannot_turn_the_text_around_them() {
    let mut spoofed = contact();
    spoofed.name = "a\u{202e}b\nc\u{7}".into();
    let message = PeerRequest::Sync { grants: vec![], contact: spoofed }.encode().unwrap();
    let Ok(PeerRequest::Sync { contact, .. }) = PeerRequest::decode(&message) else { panic!("it is a message") };
    assert_eq!(contact.name, "abc");
}

#[test]
fn what_is_too_long_is_refused_on_both_sides() {
    let mut long = contact();
    long.name = "n".repeat(MAX_NAME + 1);
    let bytes = PeerRequest::Sync { grants: vec![], contact: long.clone() }.encode().unwrap();
    assert_eq!(PeerRequest::decode(&bytes), Err(NotAMessage));
    let grants = vec![GrantId([0; 16]); MAX_GRANTS + 1];
    let bytes = PeerRequest::Sync { grants, contact: contact() }.encode().unwrap();
    assert_eq!(PeerRequest::decode(&bytes), Err(NotAMessage));
    long.postal = vec![0; MAX_MESSAGE];
    assert_eq!(PeerRequest::Sync { grants: vec![], contact: long }.encode(), Err(NotAMessage));
    assert_eq!(PeerNotification::decode(&vec![0; MAX_MESSAGE + 1]), Err(NotAMessage));
    // A list that claims to hold more than there is takes no memory.
    assert_eq!(PeerRequest::decode(&hex::decode("8401039bffffffffffffffff").unwrap()), Err(NotAMessage));
    assert_eq!(PeerRequest::decode(&hex::decode("9bffffffffffffffff0103").unwrap()), Err(NotAMessage));
}

fn text(max: usize) -> impl Strategy<Value = String> {
    vec(any::<char>().prop_filter("shown as it is", |it| !crate::peer::cbor::is_disruptive(*it)), 0..=max)
        .prop_map(|chars| chars.into_iter().collect())
}

fn kinds() -> impl Strategy<Value = ServiceKind> {
    prop_oneof![Just(ServiceKind::Tcp), Just(ServiceKind::Http), Just(ServiceKind::Https)]
}

fn codes() -> impl Strategy<Value = Code> {
    prop_oneof![Just(Code::Revoked), Just(Code::Expired), Just(Code::ServiceClosed), Just(Code::Denied)]
}

fn reaches() -> impl Strategy<Value = PeerAddress> {
    prop_oneof![
        "[a-z0-9.:]{0,60}".prop_map(|address| PeerAddress::Direct { address }),
        ("[a-z0-9.:]{0,60}", "[a-zA-Z0-9]{0,64}").prop_map(|(address, relay)| PeerAddress::Hub { address, relay }),
    ]
}

fn contacts() -> impl Strategy<Value = ContactInfo> {
    let hubs = vec("[a-z0-9.:]{0,60}", 0..=MAX_HUBS);
    (text(MAX_NAME), vec(any::<u8>(), 0..100), hubs, vec(reaches(), 0..=MAX_ADDRESSES))
        .prop_map(|(name, postal, hubs, reach)| ContactInfo { name, postal, hubs, reach })
}

fn offers() -> impl Strategy<Value = Offer> {
    let texts = ("[a-z0-9]{0,64}", text(MAX_NAME), option::of("[ -~]{0,100}"), option::of(text(MAX_DESCRIPTION)));
    (any::<[u8; 16]>(), texts, kinds(), any::<u16>(), option::of(any::<u64>())).prop_map(
        |(grant, (outlet, service_name, path, description), service_kind, port, until)| Offer {
            grant: GrantId(grant),
            outlet,
            service_name,
            service_kind,
            path,
            description,
            port,
            until: until.map(UnixMillis),
        },
    )
}

fn statuses() -> impl Strategy<Value = GrantStatus> {
    prop_oneof![offers().prop_map(GrantStatus::Active), codes().prop_map(GrantStatus::Inactive)]
}

fn to_owners() -> impl Strategy<Value = PeerRequest> {
    let ids = || any::<[u8; 16]>().prop_map(InvitationId);
    let grants = || any::<[u8; 16]>().prop_map(GrantId);
    prop_oneof![
        (ids(), any::<[u8; 32]>(), contacts()).prop_map(|(ticket, secret, contact)| PeerRequest::Redeem {
            ticket,
            secret,
            contact
        }),
        (ids(), any::<[u8; 32]>()).prop_map(|(ticket, secret)| PeerRequest::Seen { ticket, secret }),
        (ids(), any::<[u8; 32]>()).prop_map(|(ticket, secret)| PeerRequest::Decline { ticket, secret }),
        (vec(grants(), 0..=MAX_GRANTS), contacts()).prop_map(|(grants, contact)| PeerRequest::Sync { grants, contact }),
        grants().prop_map(|grant| PeerRequest::GiveBack { grant }),
    ]
}

fn from_owners() -> impl Strategy<Value = PeerResponse> {
    let grants = || any::<[u8; 16]>().prop_map(GrantId);
    prop_oneof![
        (offers(), contacts()).prop_map(|(offer, contact)| PeerResponse::Granted(offer, contact)),
        Just(PeerResponse::Pending),
        codes().prop_map(PeerResponse::Refused),
        (vec((grants(), statuses()), 0..8), contacts())
            .prop_map(|(grants, contact)| PeerResponse::Grants(grants, contact)),
        Just(PeerResponse::Done),
    ]
}

fn news() -> impl Strategy<Value = PeerNotification> {
    let ids = || any::<[u8; 16]>().prop_map(InvitationId);
    let grants = || any::<[u8; 16]>().prop_map(GrantId);
    let texts = (text(MAX_NAME), text(MAX_NAME), option::of(text(MAX_DESCRIPTION)));
    let whole =
        (ids(), any::<[u8; 32]>(), texts, vec(reaches(), 0..=MAX_ADDRESSES), kinds(), any::<u16>(), any::<u64>());
    prop_oneof![
        whole.prop_map(
            |(ticket, secret, (owner_name, service_name, description), reach, service_kind, port, expires)| {
                let expires = UnixMillis(expires);
                PeerNotification::Invitation {
                    ticket,
                    secret,
                    owner_name,
                    reach,
                    service_name,
                    service_kind,
                    description,
                    port,
                    expires,
                }
            }
        ),
        ids().prop_map(|ticket| PeerNotification::Withdrawn { ticket }),
        ids().prop_map(|ticket| PeerNotification::KnockDecided { ticket }),
        Just(PeerNotification::GoingOffline),
        (grants(), statuses()).prop_map(|(grant, status)| PeerNotification::Grant { grant, status }),
    ]
}

proptest! {
    #[test]
    fn messages_round_trip(to in to_owners(), from in from_owners(), news in news()) {
        prop_assert_eq!(PeerRequest::decode(&to.encode().unwrap()), Ok(to));
        prop_assert_eq!(PeerResponse::decode(&from.encode().unwrap()), Ok(from));
        prop_assert_eq!(PeerNotification::decode(&news.encode().unwrap()), Ok(news));
    }

    #[test]
    fn hostile_bytes_are_only_refused(bytes in vec(any::<u8>(), 0..600)) {
        let _ = (PeerRequest::decode(&bytes), PeerResponse::decode(&bytes), PeerNotification::decode(&bytes));
    }

    #[test]
    fn changed_messages_are_refused_or_other_messages(
        from in from_owners(), news in news(), at in any::<prop::sample::Index>(), to in any::<u8>(),
    ) {
        for mut bytes in [from.encode().unwrap(), news.encode().unwrap()] {
            let at = at.index(bytes.len());
            let _ = (PeerResponse::decode(&bytes[..at]), PeerNotification::decode(&bytes[..at]));
            bytes[at] = to;
            let _ = (PeerResponse::decode(&bytes), PeerNotification::decode(&bytes));
        }
    }
}
