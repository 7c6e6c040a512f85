//! The serialized form of every request, as commit 8cefb31 wrote it.

use super::*;
use serde_json::{Value, json};

const ID: &str = "07070707070707070707070707070707";
const PERSON: &str = "I0303030303030303030303030303030303030303030303030303030303030303";

fn requests() -> Vec<(Request, Value)> {
    let service = ServiceId([7; 16]);
    let invitation = InvitationId([7; 16]);
    let grant = GrantId([7; 16]);
    let inlet = InletId([7; 16]);
    let person = Identifier::from_bytes([3; 32]);
    let link = || Secret::new("postern://join/x");
    let terms = Terms { until: Some(UnixMillis(5)), until_quit: true, connections: Some(2) };
    let terms_json = json!({"until": 5, "until_quit": true, "connections": 2});
    let patch = ServicePatch { target: Some("1".into()), kind: Some(ServiceKind::Https), ..ServicePatch::default() };
    let patch_json = json!({"name": null, "kind": "https", "target": "1", "path": null, "description": null});
    vec![
        (
            Request::SetUp { name: "Ann".into(), hubs: vec!["h:1".into()], this_computer: true },
            json!({"request": "set-up", "name": "Ann", "hubs": ["h:1"], "this_computer": true}),
        ),
        (Request::Rename { name: "Ben".into() }, json!({"request": "rename", "name": "Ben"})),
        (Request::AddHub { address: "h:1".into() }, json!({"request": "add-hub", "address": "h:1"})),
        (Request::RemoveHub { address: "h:1".into() }, json!({"request": "remove-hub", "address": "h:1"})),
        (Request::SetThisComputer { on: true }, json!({"request": "set-this-computer", "on": true})),
        (Request::SetRetention { days: 9 }, json!({"request": "set-retention", "days": 9})),
        (Request::PauseAll { on: false }, json!({"request": "pause-all", "on": false})),
        (Request::Retry, json!({"request": "retry"})),
        (
            Request::Share {
                name: "wiki".into(),
                kind: ServiceKind::Http,
                target: "3000".into(),
                path: Some("/a".into()),
                description: None,
            },
            json!({"request": "share", "name": "wiki", "kind": "http", "target": "3000", "path": "/a", "description": null}),
        ),
        (
            Request::ChangeService { service, patch },
            json!({"request": "change-service", "service": ID, "patch": patch_json}),
        ),
        (Request::SetService { service, on: true }, json!({"request": "set-service", "service": ID, "on": true})),
        (Request::CloseService { service }, json!({"request": "close-service", "service": ID})),
        (
            Request::Invite {
                service,
                to: InviteTo::Link { note: Some("Cid".into()) },
                ask_first: true,
                valid_for: Some(60),
                terms: terms.clone(),
            },
            json!({"request": "invite", "service": ID, "to": {"to": "link", "note": "Cid"}, "ask_first": true,
                "valid_for": 60, "terms": terms_json}),
        ),
        (
            Request::Invite {
                service,
                to: InviteTo::Contact { person },
                ask_first: false,
                valid_for: None,
                terms: terms.clone(),
            },
            json!({"request": "invite", "service": ID, "to": {"to": "contact", "person": PERSON}, "ask_first": false,
                "valid_for": null, "terms": terms_json}),
        ),
        (
            Request::Invite {
                service,
                to: InviteTo::WebLink { note: None, base: Some("https://a.example/join".into()) },
                ask_first: true,
                valid_for: None,
                terms: terms.clone(),
            },
            json!({"request": "invite", "service": ID, "to": {"to": "web-link", "note": null,
                "base": "https://a.example/join"}, "ask_first": true, "valid_for": null, "terms": terms_json}),
        ),
        (Request::SetWebLinks { base: None }, json!({"request": "set-web-links", "base": null})),
        (Request::InvitationLink { invitation }, json!({"request": "invitation-link", "invitation": ID})),
        (Request::Resend { invitation }, json!({"request": "resend", "invitation": ID})),
        (Request::RevokeInvitation { invitation }, json!({"request": "revoke-invitation", "invitation": ID})),
        (
            Request::AnswerKnock { invitation, answer: KnockAnswer::Once },
            json!({"request": "answer-knock", "invitation": ID, "answer": "once"}),
        ),
        (Request::ChangeGrant { grant, terms }, json!({"request": "change-grant", "grant": ID, "terms": terms_json})),
        (Request::PauseGrant { grant, on: true }, json!({"request": "pause-grant", "grant": ID, "on": true})),
        (Request::RevokeGrant { grant }, json!({"request": "revoke-grant", "grant": ID})),
        (Request::Preview { link: link() }, json!({"request": "preview", "link": "postern://join/x"})),
        (Request::Open { link: link() }, json!({"request": "open", "link": "postern://join/x"})),
        (Request::Accept { invitation, port: Some(80) }, json!({"request": "accept", "invitation": ID, "port": 80})),
        (Request::Decline { invitation }, json!({"request": "decline", "invitation": ID})),
        (
            Request::ChangeInlet { inlet, name: None, port: Some(81) },
            json!({"request": "change-inlet", "inlet": ID, "name": null, "port": 81}),
        ),
        (Request::SetInlet { inlet, on: false }, json!({"request": "set-inlet", "inlet": ID, "on": false})),
        (Request::SetInletCheck { inlet, on: false }, json!({"request": "set-inlet-check", "inlet": ID, "on": false})),
        (Request::RemoveInlet { inlet }, json!({"request": "remove-inlet", "inlet": ID})),
        (
            Request::RenameContact { person, name: "B".into() },
            json!({"request": "rename-contact", "person": PERSON, "name": "B"}),
        ),
        (
            Request::Verify { person, verified: true, words: None },
            json!({"request": "verify", "person": PERSON, "verified": true}),
        ),
        (Request::Block { person, on: true }, json!({"request": "block", "person": PERSON, "on": true})),
        (Request::Forget { person }, json!({"request": "forget", "person": PERSON})),
        (Request::Ports, json!({"request": "ports"})),
        (Request::FreePort { port: 3000 }, json!({"request": "free-port", "port": 3000})),
        (Request::Protocol { port: 3777 }, json!({"request": "protocol", "port": 3777})),
        (Request::Log { before: Some(8), limit: 4 }, json!({"request": "log", "before": 8, "limit": 4})),
        (Request::VerifyLog, json!({"request": "verify-log"})),
        (Request::Doctor, json!({"request": "doctor"})),
        (
            Request::Backup { path: "/b".into(), passphrase: Secret::new("p") },
            json!({"request": "backup", "path": "/b", "passphrase": "p"}),
        ),
    ]
}

#[test]
fn the_serialized_form_of_every_request_stays() {
    let requests = requests();
    for (request, written) in &requests {
        assert_eq!(serde_json::to_value(request).unwrap(), *written);
        assert_eq!(serde_json::from_value::<Request>(written.clone()).unwrap(), *request);
    }
    // `Invite` is there twice.
    let names: std::collections::BTreeSet<String> = requests.iter().map(|(_, it)| it["request"].to_string()).collect();
    assert_eq!(names.len(), Request::COUNT);
}

#[test]
fn requests_reach_the_half_that_they_are_declared_in() {
    let local = |request: Request| matches!(request.target(), RequestTarget::Local(_));
    let names: Vec<Value> =
        requests().into_iter().filter(|(it, _)| local(it.clone())).map(|(_, it)| it["request"].clone()).collect();
    assert_eq!(names, ["preview", "ports", "free-port", "protocol", "log", "verify-log", "doctor", "backup"]);
}
